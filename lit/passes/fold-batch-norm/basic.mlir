// RUN: strum-opt %s --fold-batch-norm | FileCheck %s

// A convolution of a ResNet-20 as torch-mlir exports it to TOSA with batch normalization not folded, with fewer channels and
// pixels: eight operators and four reshapes. Standard deviations are 2 and 4.
// CHECK-LABEL: func.func @layer
// CHECK-SAME: %[[X:.*]]: tensor<1x4x4x1xf32>
// CHECK-DAG: %[[W:.*]] = "tosa.const"() <{values = dense<{{\[\[\[\[}}5.000000e-01]]], {{\[\[\[}}2.500000e-01]]]]> : tensor<2x1x1x1xf32>}>
// CHECK-DAG: %[[BIAS:.*]] = "tosa.const"() <{values = dense<[3.000000e+00, 3.750000e+00]> : tensor<2xf32>}>
// CHECK: %[[Y:.*]] = tosa.conv2d %[[X]], %[[W]], %[[BIAS]]
// CHECK-NEXT: return %[[Y]]
func.func @layer(%arg0: tensor<1x4x4x1xf32>) -> tensor<1x4x4x2xf32> {
  %weights = "tosa.const"() <{values = dense<1.0> : tensor<2x1x1x1xf32>}> : () -> tensor<2x1x1x1xf32>
  %bias = "tosa.const"() <{values = dense<0.0> : tensor<2xf32>}> : () -> tensor<2xf32>
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-05> : tensor<1xf32>}> : () -> tensor<1xf32>
  %half = "tosa.const"() <{values = dense<0.5> : tensor<1xf32>}> : () -> tensor<1xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %variance = "tosa.const"() <{values = dense<[3.99999, 15.99999]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %mean = "tosa.const"() <{values = dense<[-4.0, 1.0]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %gamma = "tosa.const"() <{values = dense<1.0> : tensor<2xf32>}> : () -> tensor<2xf32>
  %beta = "tosa.const"() <{values = dense<[1.0, 4.0]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %shape = tosa.const_shape {values = dense<[1, 1, 1, 2]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = tosa.conv2d %arg0, %weights, %bias, %zp, %zp {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x1xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x4x2xf32>
  %1 = tosa.add %eps, %variance : (tensor<1xf32>, tensor<2xf32>) -> tensor<2xf32>
  %2 = tosa.pow %1, %half : (tensor<2xf32>, tensor<1xf32>) -> tensor<2xf32>
  %3 = tosa.reciprocal %2 : (tensor<2xf32>) -> tensor<2xf32>
  %4 = tosa.reshape %mean, %shape : (tensor<2xf32>, !tosa.shape<4>) -> tensor<1x1x1x2xf32>
  %5 = tosa.sub %0, %4 : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>) -> tensor<1x4x4x2xf32>
  %6 = tosa.reshape %3, %shape : (tensor<2xf32>, !tosa.shape<4>) -> tensor<1x1x1x2xf32>
  %7 = tosa.mul %5, %6, %shift : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x4x2xf32>
  %8 = tosa.reshape %gamma, %shape : (tensor<2xf32>, !tosa.shape<4>) -> tensor<1x1x1x2xf32>
  %9 = tosa.mul %7, %8, %shift : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x4x2xf32>
  %10 = tosa.reshape %beta, %shape : (tensor<2xf32>, !tosa.shape<4>) -> tensor<1x1x1x2xf32>
  %11 = tosa.add %9, %10 : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>) -> tensor<1x4x4x2xf32>
  return %11 : tensor<1x4x4x2xf32>
}

// A sum with another use stays before its scale.
// CHECK-LABEL: func.func @shared
// CHECK: %[[SUM:.*]] = tosa.conv2d
// CHECK: %[[SCALED:.*]] = tosa.mul %[[SUM]]
// CHECK: return %[[SUM]], %[[SCALED]]
func.func @shared(%arg0: tensor<1x4x4x1xf32>) -> (tensor<1x4x4x2xf32>, tensor<1x4x4x2xf32>) {
  %weights = "tosa.const"() <{values = dense<1.0> : tensor<2x1x1x1xf32>}> : () -> tensor<2x1x1x1xf32>
  %bias = "tosa.const"() <{values = dense<0.0> : tensor<2xf32>}> : () -> tensor<2xf32>
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %scale = "tosa.const"() <{values = dense<2.0> : tensor<1x1x1x2xf32>}> : () -> tensor<1x1x1x2xf32>
  %0 = tosa.conv2d %arg0, %weights, %bias, %zp, %zp {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x1xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x4x2xf32>
  %1 = tosa.mul %0, %scale, %shift : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x4x2xf32>
  return %0, %1 : tensor<1x4x4x2xf32>, tensor<1x4x4x2xf32>
}
