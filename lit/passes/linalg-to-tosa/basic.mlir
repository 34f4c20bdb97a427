// RUN: strum-opt %s --linalg-to-tosa | FileCheck %s

// A max pooling in ceil mode, as torch-mlir exports it: the padded input has room for one window more.
// CHECK-LABEL: func.func @pool
// CHECK: %[[CUT:.*]] = tosa.slice %{{.*}} -> tensor<1x5x5x2xf32>
// CHECK: tosa.max_pool2d %[[CUT]] {{.*}}-> tensor<1x2x2x2xf32>
func.func @pool(%arg0: tensor<1x2x7x7xf32>) -> tensor<1x2x2x2xf32> {
  %cst = arith.constant 0xFF800000 : f32
  %0 = tensor.empty() : tensor<1x2x2x2xf32>
  %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %2 = tensor.empty() : tensor<3x3xf32>
  %3 = linalg.pooling_nchw_max {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>} ins(%arg0, %2 : tensor<1x2x7x7xf32>, tensor<3x3xf32>) outs(%1 : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  return %3 : tensor<1x2x2x2xf32>
}
