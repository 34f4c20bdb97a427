// The value of a padding must be constant, and zero points of float operators must be the constant 0.
// RUN: strum-opt %s --fold-padding --split-input-file --verify-diagnostics

func.func @value(%x: tensor<1x2x2x1xf32>, %y: tensor<1x1xf32>) -> tensor<1x4x4x1xf32> {
  %one = tosa.const_shape {values = dense<1> : tensor<1xindex>} : () -> !tosa.shape<1>
  %around = tosa.const_shape {values = dense<[0, 0, 1, 1, 1, 1, 0, 0]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %value = tosa.reshape %y, %one : (tensor<1x1xf32>, !tosa.shape<1>) -> tensor<1xf32>
  // expected-error@+1 {{padding value is missing or not constant}}
  %0 = tosa.pad %x, %around, %value : (tensor<1x2x2x1xf32>, !tosa.shape<8>, tensor<1xf32>) -> tensor<1x4x4x1xf32>
  return %0 : tensor<1x4x4x1xf32>
}

// -----

func.func @zero_point(%x: tensor<1x4x4x1xf32>, %y: tensor<1x1xf32>) -> tensor<1x2x2x1xf32> {
  %one = tosa.const_shape {values = dense<1> : tensor<1xindex>} : () -> !tosa.shape<1>
  %zero = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %zp = tosa.reshape %y, %one : (tensor<1x1xf32>, !tosa.shape<1>) -> tensor<1xf32>
  // expected-error@+1 {{zero point (operand #1) must be the constant 0}}
  %0 = tosa.avg_pool2d %x, %zp, %zero {acc_type = f32, kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x4x4x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x2x1xf32>
  return %0 : tensor<1x2x2x1xf32>
}
