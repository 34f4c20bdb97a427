// RUN: strum-opt %s --split-input-file --verify-diagnostics --tosa-to-strum

// All faults of a function are reported, not only the first.
func.func @float(%x: tensor<1x4xf32>, %i: tensor<1x4xi4>) -> tensor<1x4xi8> {
  // expected-error@+3 {{unsupported: operand #0 of type 'tensor<1x4xf32>' has element type f32}}
  // expected-error@+2 {{unsupported: result #0 of type 'tensor<1x4xf32>' has element type f32}}
  // expected-note@+1 {{supported for 'tosa.abs': i32 -> i32}}
  %0 = tosa.abs %x : (tensor<1x4xf32>) -> tensor<1x4xf32>
  // expected-error@+2 {{operand #0 of type 'tensor<1x4xi4>' has element type i4}}
  // expected-note@+1 {{supported for 'tosa.cast'}}
  %1 = tosa.cast %i : (tensor<1x4xi4>) -> tensor<1x4xi8>
  return %1 : tensor<1x4xi8>
}

// -----

func.func @not_listed(%x: tensor<1x4xi8>) -> tensor<1xi32> {
  // expected-error@+2 {{'tosa.custom' op unsupported: not implemented by the DPU}}
  // expected-note@+1 {{supported ops of the tosa dialect: argmax, avg_pool2d, conv2d}}
  %0 = tosa.custom %x {domain_name = "acme", implementation_attrs = "", operator_name = "sort"} : (tensor<1x4xi8>) -> tensor<1xi32>
  return %0 : tensor<1xi32>
}

// -----

func.func @other_dialect(%x: i32) -> i32 {
  // expected-error@+2 {{'arith.addi' op unsupported: not an op of the tosa dialect}}
  // expected-note@+1 {{supported ops of the tosa dialect}}
  %0 = arith.addi %x, %x : i32
  return %0 : i32
}

// -----

func.func @control_flow(%c: tensor<i1>, %x: tensor<4xi8>) -> tensor<4xi8> {
  // expected-error@+2 {{'tosa.cond_if' op unsupported: only after --inline-control-flow, which replaces it}}
  // expected-note@+1 {{supported ops of the tosa dialect}}
  %0 = tosa.cond_if %c : tensor<i1> -> tensor<4xi8> {
    tosa.yield %x : tensor<4xi8>
  } else {
    tosa.yield %x : tensor<4xi8>
  }
  return %0 : tensor<4xi8>
}

// -----

// expected-error@+1 {{unsupported: control flow between the 2 blocks of the body}}
func.func @blocks(%x: tensor<4xi8>) -> tensor<4xi8> {
  // expected-error@+2 {{'cf.br' op unsupported: not an op of the tosa dialect}}
  // expected-note@+1 {{supported ops of the tosa dialect}}
  cf.br ^next
^next:
  return %x : tensor<4xi8>
}

// -----

func.func @dynamic(%x: tensor<?x4xi8>) -> tensor<?x4xi8> {
  // expected-error@+3 {{operand #0 of type 'tensor<?x4xi8>' has a dynamic shape; all extents must be known}}
  // expected-error@+2 {{result #0 of type 'tensor<?x4xi8>' has a dynamic shape}}
  // expected-note@+1 {{supported for 'tosa.identity'}}
  %0 = tosa.identity %x : (tensor<?x4xi8>) -> tensor<?x4xi8>
  return %0 : tensor<?x4xi8>
}

// -----

// expected-error@+1 {{argument #0 of type 'tensor<*xi8>' has no rank; all extents must be known}}
func.func @unranked(%x: tensor<*xi8>) {
  return
}

// -----

// expected-error@+1 {{unsupported: argument #0 of type 'memref<4xi8>' is not a tensor}}
func.func @memref(%x: memref<4xi8>) {
  return
}

// -----

// expected-error@+1 {{argument #0 of type 'tensor<1x1x1x1x1x1x2xi8>' has rank 7, at most 6 is supported}}
func.func @rank7(%x: tensor<1x1x1x1x1x1x2xi8>) {
  return
}

// -----

// expected-error@+1 {{argument #0 of type 'tensor<4xui8>' has element type ui8; supported are i1, i8, i16 and i32}}
func.func @unsigned_type(%x: tensor<4xui8>) {
  return
}

// -----

func.func @wide_accumulator(%x: tensor<1x8x8x4xi16>, %w: tensor<2x1x1x4xi8>, %b: tensor<2xi48>) -> tensor<1x8x8x2xi48> {
  %z16 = "tosa.const"() <{values = dense<0> : tensor<1xi16>}> : () -> tensor<1xi16>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  // expected-error@+3 {{operand #2 of type 'tensor<2xi48>' has element type i48}}
  // expected-error@+2 {{result #0 of type 'tensor<1x8x8x2xi48>' has element type i48}}
  // expected-note@+1 {{supported for 'tosa.conv2d': (i8, i8, i32) -> i32; 'acc_type' is i32; zero points are constant}}
  %0 = tosa.conv2d %x, %w, %b, %z16, %z {acc_type = i48, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x8x8x4xi16>, tensor<2x1x1x4xi8>, tensor<2xi48>, tensor<1xi16>, tensor<1xi8>) -> tensor<1x8x8x2xi48>
  return %0 : tensor<1x8x8x2xi48>
}

// -----

func.func @narrow_add(%x: tensor<4xi8>) -> tensor<4xi8> {
  // expected-error@+2 {{types (tensor<4xi8>, tensor<4xi8>) -> tensor<4xi8> are not supported}}
  // expected-note@+1 {{supported for 'tosa.add': (i32, i32) -> i32}}
  %0 = tosa.add %x, %x : (tensor<4xi8>, tensor<4xi8>) -> tensor<4xi8>
  return %0 : tensor<4xi8>
}

// -----

func.func @parameters(%x: tensor<1x4xi32>, %m: tensor<1xi16>, %z: tensor<1xi8>) -> tensor<1x4xi8> {
  %s = "tosa.const"() <{values = dense<1> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  // expected-error@+5 {{DOUBLE_ROUND needs scale32 = true}}
  // expected-error@+4 {{multiplier is not constant}}
  // expected-error@+3 {{shift 1 is not in 2 to 62}}
  // expected-error@+2 {{output_zp is not constant}}
  // expected-note@+1 {{supported for 'tosa.rescale'}}
  %0 = tosa.rescale %x, %m, %s, %zi, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = false} : (tensor<1x4xi32>, tensor<1xi16>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<1x4xi8>
  return %0 : tensor<1x4xi8>
}

// -----

// An unused argument is checked at the function.
// expected-error@+1 {{argument #1 of type 'tensor<4xf16>' has element type f16}}
func.func @passed_on(%x: tensor<4xi8>, %y: tensor<4xf16>) -> (tensor<4xi8>, tensor<4xf16>) {
  return %x, %y : tensor<4xi8>, tensor<4xf16>
}

// -----

func.func @missing_resource() -> tensor<4xi8> {
  // expected-error@+1 {{the resource 'gone' is not in the file}}
  %0 = "tosa.const"() <{values = dense_resource<gone> : tensor<4xi8>}> : () -> tensor<4xi8>
  return %0 : tensor<4xi8>
}

// -----

func.func @unsigned_beside_i32(%x: tensor<4xi32>) -> tensor<4xi8> {
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<30> : tensor<1xi8>}> : () -> tensor<1xi8>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  // expected-error@+2 {{output_unsigned is not supported with i32 on the other side}}
  // expected-note@+1 {{supported for 'tosa.rescale'}}
  %0 = tosa.rescale %x, %m, %s, %zi, %z {input_unsigned = false, output_unsigned = true, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<4xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<4xi8>
  return %0 : tensor<4xi8>
}

// -----

func.func @zero_points(%x: tensor<1x2x2x1xi8>, %w: tensor<1x1x1x1xi8>, %b: tensor<1xi32>, %z: tensor<1xi8>) -> tensor<1x2x2x1xi32> {
  // expected-error@+3 {{input_zp is not constant}}
  // expected-error@+2 {{weight_zp is not constant}}
  // expected-note@+1 {{supported for 'tosa.conv2d'}}
  %0 = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x2x2x1xi8>, tensor<1x1x1x1xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x2x2x1xi32>
  return %0 : tensor<1x2x2x1xi32>
}

// -----

func.func @unsigned_input(%x: tensor<4xi32>) -> tensor<4xi8> {
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<30> : tensor<1xi8>}> : () -> tensor<1xi8>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  // expected-error@+2 {{unsupported: i32 cannot be unsigned (input_zp)}}
  // expected-note@+1 {{supported for 'tosa.rescale'}}
  %0 = tosa.rescale %x, %m, %s, %zi, %z {input_unsigned = true, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<4xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<4xi8>
  return %0 : tensor<4xi8>
}

// -----

// A constant as sparse elements.
func.func @sparse() -> tensor<4xi8> {
  // expected-error@+1 {{unsupported: a sparse constant; write all of its elements out, as 'dense<…>'}}
  %0 = "tosa.const"() <{values = sparse<[[0]], [1]> : tensor<4xi8>}> : () -> tensor<4xi8>
  return %0 : tensor<4xi8>
}
