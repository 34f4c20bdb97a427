// RUN: strum-opt %s --linalg-to-tosa --canonicalize-layout --fold-padding | FileCheck %s

// A max pooling of SqueezeNet that rounds its places up, with fewer channels, as torch-mlir exports it to linalg: padded by a
// stride, of which windows reach one row and one column. What the padding holds is part of no sum, and nothing of it stays.
// CHECK-LABEL: func.func @pool
// CHECK-NOT: tosa.pad
// CHECK: tosa.max_pool2d %{{.*}} {kernel = array<i64: 3, 3>, pad = array<i64: 0, 1, 0, 1>, stride = array<i64: 2, 2>} : (tensor<1x14x14x2xf32>) -> tensor<1x7x7x2xf32>
func.func @pool(%arg0: tensor<1x2x14x14xf32>) -> tensor<1x2x7x7xf32> {
  %cst = arith.constant 0xFF800000 : f32
  %padded = tensor.pad %arg0 low[0, 0, 0, 0] high[0, 0, 2, 2] {
  ^bb0(%arg1: index, %arg2: index, %arg3: index, %arg4: index):
    tensor.yield %cst : f32
  } : tensor<1x2x14x14xf32> to tensor<1x2x16x16xf32>
  %0 = tensor.empty() : tensor<1x2x7x7xf32>
  %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<1x2x7x7xf32>) -> tensor<1x2x7x7xf32>
  %2 = tensor.empty() : tensor<3x3xf32>
  %3 = linalg.pooling_nchw_max {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>} ins(%padded, %2 : tensor<1x2x16x16xf32>, tensor<3x3xf32>) outs(%1 : tensor<1x2x7x7xf32>) -> tensor<1x2x7x7xf32>
  return %3 : tensor<1x2x7x7xf32>
}
