// RUN: strum-opt %s --recognize-activations | FileCheck %s

// Each before a ReLU, which the pass recognizes.

// A transposed convolution, as torch-mlir writes it, becomes a convolution of pixels that are moved apart, with the padding
// that brings every tap to every pixel.
// CHECK-LABEL: func.func @transposed
// CHECK-DAG: dense<{{\[\[\[\[}}6.000000e+00], [5.000000e+00]], {{\[\[}}4.000000e+00], [3.000000e+00]], {{\[\[}}2.000000e+00], [1.000000e+00]]]]> : tensor<1x3x2x1xf32>
// CHECK: tosa.conv2d {{.*}}pad = array<i64: 1, 3, 1, 1>, stride = array<i64: 1, 1>} : (tensor<1x5x5x1xf32>, {{.*}} -> tensor<1x7x6x1xf32>
func.func @transposed(%x: tensor<1x3x3x1xf32>) -> tensor<1x7x6x1xf32> {
  %w = "tosa.const"() <{values = dense<[[[[1.0], [2.0]], [[3.0], [4.0]], [[5.0], [6.0]]]]> : tensor<1x3x2x1xf32>}> : () -> tensor<1x3x2x1xf32>
  %bias = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %0 = tosa.transpose_conv2d %x, %w, %bias, %zp, %zp {acc_type = f32, out_pad = array<i64: -1, 1, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x3x3x1xf32>, tensor<1x3x2x1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x7x6x1xf32>
  %low = "tosa.const"() <{values = dense<0.0> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %1 = tosa.maximum %0, %low : (tensor<1x7x6x1xf32>, tensor<1x1x1x1xf32>) -> tensor<1x7x6x1xf32>
  return %1 : tensor<1x7x6x1xf32>
}

// Half way between two pixels, bilinear upsampling takes half of both; beyond the ends there is the last one.
// CHECK-LABEL: func.func @bilinear
// CHECK-DAG: dense<{{\[\[\[\[}}2.500000e-01]], {{\[\[}}7.500000e-01]], {{\[\[}}2.500000e-01]], {{\[\[}}7.500000e-01]]]]> : tensor<1x4x1x1xf32>
// CHECK: tosa.mul
// CHECK: tosa.mul
// CHECK: tosa.add {{.*}} -> tensor<1x4x2x1xf32>
func.func @bilinear(%x: tensor<1x2x2x1xf32>) -> tensor<1x4x2x1xf32> {
  %scale = tosa.const_shape {values = dense<[4, 2, 1, 1]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %offset = tosa.const_shape {values = dense<[-1, 0]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %border = tosa.const_shape {values = dense<[1, 0]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.resize %x, %scale, %offset, %border {mode = BILINEAR} : (tensor<1x2x2x1xf32>, !tosa.shape<4>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<1x4x2x1xf32>
  %low = "tosa.const"() <{values = dense<0.0> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %1 = tosa.maximum %0, %low : (tensor<1x4x2x1xf32>, tensor<1x1x1x1xf32>) -> tensor<1x4x2x1xf32>
  return %1 : tensor<1x4x2x1xf32>
}
