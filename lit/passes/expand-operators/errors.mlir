// RUN: strum-opt %s --split-input-file --verify-diagnostics --expand-operators

func.func @window(%x: tensor<1x2x2x1xi8>, %w: tensor<1x1x1x1xi8>, %b: tensor<1xi32>) -> tensor<1x9002x9001x1xi32> {
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  // expected-error @+3 {{unsupported: stride 9000 is not in 1 to 8192}}
  // expected-error @+2 {{unsupported: out_pad 9000 is not in -8192 to 8192}}
  // expected-note @+1 {{supported for 'tosa.transpose_conv2d': (i8, i8, i32) -> i32; 'acc_type' is i32; zero points are constant; kernel and stride are 1 to 8192, and 'out_pad' -8192 to 8192}}
  %0 = tosa.transpose_conv2d %x, %w, %b, %z, %z {acc_type = i32, out_pad = array<i64: 0, 9000, 0, 0>, stride = array<i64: 1, 9000>} : (tensor<1x2x2x1xi8>, tensor<1x1x1x1xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x9002x9001x1xi32>
  return %0 : tensor<1x9002x9001x1xi32>
}

// -----

func.func @depth(%x: tensor<1x300x1x1x1xi8>, %w: tensor<1x300x1x1x1xi8>, %b: tensor<1xi32>) -> tensor<1x1x1x1x1xi32> {
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  // expected-error @+2 {{unsupported: the kernel has 300 taps in depth, at most 256 are supported}}
  // expected-note @+1 {{supported for 'tosa.conv3d'}}
  %0 = tosa.conv3d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1, 1>, pad = array<i64: 0, 0, 0, 0, 0, 0>, stride = array<i64: 1, 1, 1>} : (tensor<1x300x1x1x1xi8>, tensor<1x300x1x1x1xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x1x1x1x1xi32>
  return %0 : tensor<1x1x1x1x1xi32>
}

// -----

// 16-bit activations, and a condition of the operator that is replaced.
func.func @types(%x: tensor<1x4x4x2xi16>, %w: tensor<2x2x2x2xi8>, %b: tensor<2xi48>) -> tensor<1x8x8x2xi48> {
  %zx = "tosa.const"() <{values = dense<0> : tensor<1xi16>}> : () -> tensor<1xi16>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  // expected-error @+3 {{unsupported: operand #2 of type 'tensor<2xi48>' has element type i48}}
  // expected-error @+2 {{unsupported: result #0 of type 'tensor<1x8x8x2xi48>' has element type i48}}
  // expected-note @+1 {{supported for 'tosa.transpose_conv2d'}}
  %0 = tosa.transpose_conv2d %x, %w, %b, %zx, %z {acc_type = i48, out_pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x4x4x2xi16>, tensor<2x2x2x2xi8>, tensor<2xi48>, tensor<1xi16>, tensor<1xi8>) -> tensor<1x8x8x2xi48>
  return %0 : tensor<1x8x8x2xi48>
}

// -----

func.func @undefined() {
  %a = tosa.const_shape {values = dense<[4, 4]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %b = tosa.const_shape {values = dense<[2, 0]> : tensor<2xindex>} : () -> !tosa.shape<2>
  // expected-error @+1 {{has no defined result on [4, 4] and [2, 0]}}
  %0 = tosa.div_floor_shape %a, %b : (!tosa.shape<2>, !tosa.shape<2>) -> !tosa.shape<2>
  return
}

// -----

func.func @part(%start: tensor<1xi32>) {
  %a = tosa.const_shape {values = dense<[4, 4]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %size = "tosa.const"() <{values = dense<1> : tensor<1xi32>}> : () -> tensor<1xi32>
  // expected-error @+1 {{unsupported: start or size is not constant}}
  %0 = tosa.slice_shape %a, %start, %size : (!tosa.shape<2>, tensor<1xi32>, tensor<1xi32>) -> !tosa.shape<1>
  return
}

// -----

func.func @extent(%x: tensor<?x4xi8>) {
  // expected-error @+1 {{unsupported: the extent 0 of type 'tensor<?x4xi8>' is not known}}
  %0 = tosa.dim %x {axis = 0 : i32} : (tensor<?x4xi8>) -> !tosa.shape<1>
  return
}

// -----

// Accumulators of 48 bits that leave their layer.
func.func @accumulators(%x: tensor<1x4x4x2xi16>) -> tensor<1x4x4x2xi48> {
  %w = "tosa.const"() <{values = dense<1> : tensor<2x1x1x2xi8>}> : () -> tensor<2x1x1x2xi8>
  %b = "tosa.const"() <{values = dense<0> : tensor<2xi48>}> : () -> tensor<2xi48>
  %zx = "tosa.const"() <{values = dense<0> : tensor<1xi16>}> : () -> tensor<1xi16>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  // expected-error @+1 {{unsupported: accumulators of i48 are only read by a 'tosa.rescale' with scale32 = false, SINGLE_ROUND, signed ends, and constant multipliers, shifts and zero points}}
  %0 = tosa.conv2d %x, %w, %b, %zx, %z {acc_type = i48, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x2xi16>, tensor<2x1x1x2xi8>, tensor<2xi48>, tensor<1xi16>, tensor<1xi8>) -> tensor<1x4x4x2xi48>
  return %0 : tensor<1x4x4x2xi48>
}

// -----

func.func @unread(%x: tensor<1x4x4x2xi16>) {
  %w = "tosa.const"() <{values = dense<1> : tensor<2x1x1x2xi8>}> : () -> tensor<2x1x1x2xi8>
  %b = "tosa.const"() <{values = dense<0> : tensor<2xi48>}> : () -> tensor<2xi48>
  %zx = "tosa.const"() <{values = dense<0> : tensor<1xi16>}> : () -> tensor<1xi16>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  // expected-error @+1 {{unsupported: accumulators of i48 without a 'tosa.rescale' behind them}}
  %0 = tosa.conv2d %x, %w, %b, %zx, %z {acc_type = i48, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x2xi16>, tensor<2x1x1x2xi8>, tensor<2xi48>, tensor<1xi16>, tensor<1xi8>) -> tensor<1x4x4x2xi48>
  return
}

// -----

func.func @dynamic(%x: tensor<1x4x4x2xi16>, %b: tensor<2xi48>, %zx: tensor<1xi16>, %zw: tensor<1xi8>) {
  %w = "tosa.const"() <{values = dense<1> : tensor<2x1x1x2xi8>}> : () -> tensor<2x1x1x2xi8>
  %z16 = "tosa.const"() <{values = dense<0> : tensor<1xi16>}> : () -> tensor<1xi16>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  // expected-error @+1 {{unsupported: with i16 activations, the zero point of the input is the constant 0}}
  %0 = tosa.conv2d %x, %w, %b, %zx, %z {acc_type = i48, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x2xi16>, tensor<2x1x1x2xi8>, tensor<2xi48>, tensor<1xi16>, tensor<1xi8>) -> tensor<1x4x4x2xi48>
  // expected-error @+1 {{unsupported: with i16 activations, the zero point of the weights is constant}}
  %1 = tosa.conv2d %x, %w, %b, %z16, %zw {acc_type = i48, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x2xi16>, tensor<2x1x1x2xi8>, tensor<2xi48>, tensor<1xi16>, tensor<1xi8>) -> tensor<1x4x4x2xi48>
  // expected-error @+1 {{unsupported: with i16 activations, the bias is a constant of i48}}
  %2 = tosa.conv2d %x, %w, %b, %z16, %z {acc_type = i48, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x2xi16>, tensor<2x1x1x2xi8>, tensor<2xi48>, tensor<1xi16>, tensor<1xi8>) -> tensor<1x4x4x2xi48>
  return
}

// -----

// Accumulators that may need more than 32 bits, and sums of bytes that do.
func.func @large(%x: tensor<1x4x4x512xi16>, %y: tensor<1x1x1x70000xi16>, %v: tensor<1x1x1x70000xi8>, %u: tensor<?x1x1x512xi8>) -> tensor<1x4x4x2xi16> {
  %w = "tosa.const"() <{values = dense<1> : tensor<2x1x1x512xi8>}> : () -> tensor<2x1x1x512xi8>
  %b = "tosa.const"() <{values = dense<0> : tensor<1xi48>}> : () -> tensor<1xi48>
  %z48 = "tosa.const"() <{values = dense<0> : tensor<1xi48>}> : () -> tensor<1xi48>
  %zx = "tosa.const"() <{values = dense<0> : tensor<1xi16>}> : () -> tensor<1xi16>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %m = "tosa.const"() <{values = dense<16384> : tensor<1xi16>}> : () -> tensor<1xi16>
  %s = "tosa.const"() <{values = dense<16> : tensor<1xi8>}> : () -> tensor<1xi8>
  // expected-error @+1 {{unsupported: with i16 activations, the sum of a kernel's products of bytes exceeds 32 bits}}
  %2 = tosa.conv2d %y, %v, %b, %zx, %z {acc_type = i48, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x1x70000xi16>, tensor<1x1x1x70000xi8>, tensor<1xi48>, tensor<1xi16>, tensor<1xi8>) -> tensor<1x1x1x1xi48>
  // expected-error @+1 {{unsupported: with i16 activations, weights are static tensors of i8}}
  %3 = tosa.conv2d %x, %u, %b, %zx, %z {acc_type = i48, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x512xi16>, tensor<?x1x1x512xi8>, tensor<1xi48>, tensor<1xi16>, tensor<1xi8>) -> tensor<1x4x4x?xi48>
  %0 = tosa.conv2d %x, %w, %b, %zx, %z {acc_type = i48, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x512xi16>, tensor<2x1x1x512xi8>, tensor<1xi48>, tensor<1xi16>, tensor<1xi8>) -> tensor<1x4x4x2xi48>
  // expected-error @+1 {{unsupported: a shift below 17 of accumulators that may exceed 32 bits}}
  %1 = tosa.rescale %0, %m, %s, %z48, %zx {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = false} : (tensor<1x4x4x2xi48>, tensor<1xi16>, tensor<1xi8>, tensor<1xi48>, tensor<1xi16>) -> tensor<1x4x4x2xi16>
  return %1 : tensor<1x4x4x2xi16>
}
