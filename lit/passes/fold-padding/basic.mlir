// RUN: strum-opt %s --fold-padding | FileCheck %s

// Padding of one side alone, as EfficientNet-Lite0 (Apache-2.0) has it before its first layer, and the slice that torch-mlir puts before a
// convolution of stride 2 whose windows do not reach the end.
// CHECK-LABEL: func.func @conv
// CHECK-SAME: %[[X:.*]]: tensor<1x6x6x2xf32>
// CHECK: %[[Y:.*]] = tosa.conv2d %[[X]], {{.*}}pad = array<i64: 0, 1, 0, 1>, stride = array<i64: 2, 2>{{.*}} -> tensor<1x3x3x4xf32>
// CHECK: %[[CUT:.*]] = tosa.slice %[[Y]]
// CHECK: tosa.conv2d %[[CUT]], {{.*}}(tensor<1x2x2x4xf32>
func.func @conv(%x: tensor<1x6x6x2xf32>, %w: tensor<4x3x3x2xf32>, %v: tensor<4x2x2x4xf32>) -> tensor<1x1x1x4xf32> {
  %around = tosa.const_shape {values = dense<[0, 0, 0, 1, 0, 1, 0, 0]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %start = tosa.const_shape {values = dense<0> : tensor<4xindex>} : () -> !tosa.shape<4>
  %size = tosa.const_shape {values = dense<[1, 2, 2, 4]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %zero = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %bias = "tosa.const"() <{values = dense<0.0> : tensor<4xf32>}> : () -> tensor<4xf32>
  %0 = tosa.pad %x, %around, %zero : (tensor<1x6x6x2xf32>, !tosa.shape<8>, tensor<1xf32>) -> tensor<1x7x7x2xf32>
  %1 = tosa.conv2d %0, %w, %bias, %zero, %zero {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x7x7x2xf32>, tensor<4x3x3x2xf32>, tensor<4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x3x3x4xf32>
  %2 = tosa.slice %1, %start, %size : (tensor<1x3x3x4xf32>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x2x2x4xf32>
  %3 = tosa.conv2d %2, %v, %bias, %zero, %zero {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x2x2x4xf32>, tensor<4x2x2x4xf32>, tensor<4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x4xf32>
  return %3 : tensor<1x1x1x4xf32>
}

// Does not apply: a max pooling over zeros is not one without padding taps.
// CHECK-LABEL: func.func @max
// CHECK: tosa.pad
// CHECK: tosa.max_pool2d {{.*}}pad = array<i64: 0, 0, 0, 0>
func.func @max(%x: tensor<1x4x4x2xf32>) -> tensor<1x3x3x2xf32> {
  %around = tosa.const_shape {values = dense<[0, 0, 1, 1, 1, 1, 0, 0]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %zero = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %0 = tosa.pad %x, %around, %zero : (tensor<1x4x4x2xf32>, !tosa.shape<8>, tensor<1xf32>) -> tensor<1x6x6x2xf32>
  %1 = tosa.max_pool2d %0 {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x6x6x2xf32>) -> tensor<1x3x3x2xf32>
  return %1 : tensor<1x3x3x2xf32>
}
