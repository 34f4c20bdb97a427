// Operators without an integer form, and values that no scale can represent.
// RUN: strum-opt %s --tosa-quantize --split-input-file --verify-diagnostics

// Weights that are not constant.
// expected-warning@+1 {{no calibration data}}
func.func @weights(%x: tensor<1x4x4x2xf32>, %w: tensor<1x1x1x2xf32>) -> tensor<1x4x4x1xf32> {
  %zero = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  // expected-error@+1 {{unsupported: weights and bias must be constant}}
  %0 = tosa.conv2d %x, %w, %zero, %zero, %zero {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x4x1xf32>
  return %0 : tensor<1x4x4x1xf32>
}

// -----

// expected-warning@+1 {{no calibration data}}
func.func @power(%x: tensor<1x4xf32>, %y: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %0 = tosa.abs %x : (tensor<1x4xf32>) -> tensor<1x4xf32>
  // expected-error@+1 {{unsupported: 'pow' of more than one value cannot be quantized}}
  %1 = tosa.pow %0, %y : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}

// -----

// expected-warning@+1 {{no calibration data}}
func.func @product(%x: tensor<1x4xf32>) -> tensor<1x1xf32> {
  // expected-error@+1 {{unsupported: 'reduce_product' of more than one value cannot be quantized}}
  %0 = tosa.reduce_product %x {axis = 1 : i32} : (tensor<1x4xf32>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}

// -----

// Half of the random inputs are negative, and their logarithm is NaN.
// expected-warning@+1 {{no calibration data}}
func.func @logarithm(%x: tensor<1x64xf32>) -> tensor<1x64xf32> {
  %0 = tosa.log %x : (tensor<1x64xf32>) -> tensor<1x64xf32>
  %1 = tosa.add %0, %x : (tensor<1x64xf32>, tensor<1x64xf32>) -> tensor<1x64xf32>
  // expected-error@+1 {{calibration data make this value infinite or not a number}}
  %2 = tosa.reduce_sum %1 {axis = 1 : i32} : (tensor<1x64xf32>) -> tensor<1x1xf32>
  %3 = tosa.add %x, %2 : (tensor<1x64xf32>, tensor<1x1xf32>) -> tensor<1x64xf32>
  return %3 : tensor<1x64xf32>
}

// -----

// The minimum of two values whose ranges differ by thirty orders of magnitude.
// expected-warning@+1 {{no calibration data}}
func.func @factor(%x: tensor<1x4x4x1xf32>, %y: tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32> {
  %much = "tosa.const"() <{values = dense<1.0e30> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.mul %x, %much, %shift : (tensor<1x4x4x1xf32>, tensor<1x1x1x1xf32>, tensor<1xi8>) -> tensor<1x4x4x1xf32>
  %2 = tosa.abs %0 : (tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
  // expected-error-re@+1 {{rescale factor {{.+}} is out of range: use other calibration data}}
  %1 = tosa.minimum %2, %y : (tensor<1x4x4x1xf32>, tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
  return %1 : tensor<1x4x4x1xf32>
}
