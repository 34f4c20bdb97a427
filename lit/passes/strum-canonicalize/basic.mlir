// RUN: strum-opt %s --split-input-file --strum-canonicalize | FileCheck %s

// TFLite flattens NCHW: the weights of the fully connected layer are put in the order of NHWC instead.
// CHECK-LABEL: func.func @fully_connected
// CHECK-SAME: (%[[X:.*]]: tensor<1x2x1x3xi8>
func.func @fully_connected(%x: tensor<1x2x1x3xi8>, %b: tensor<1xi32>) -> tensor<1x1x1x1xi32> {
  // CHECK-DAG: %[[W:.*]] = "tosa.const"() <{values = dense<{{\[\[\[\[}}1, 3, 5, 2, 4, 6]]]]> : tensor<1x1x1x6xi8>}>
  // CHECK-NOT: tosa.transpose
  // CHECK: %[[Y:.*]] = tosa.reshape %[[X]], %{{.*}} -> tensor<1x1x1x6xi8>
  // The calibration statistics are permuted with the input channels.
  // CHECK: tosa.conv2d %[[Y]], %[[W]],{{.*}} strum.input_mean = array<f64: 1.{{0*}}e+00, 3.{{0*}}e+00, 5.{{0*}}e+00, 2.{{0*}}e+00, 4.{{0*}}e+00, 6.{{0*}}e+00>
  // CHECK-NOT: strum.input_square
  %w = "tosa.const"() <{values = dense<[[[[1, 2, 3, 4, 5, 6]]]]> : tensor<1x1x1x6xi8>}> : () -> tensor<1x1x1x6xi8>
  %z = "tosa.const"() <{values = dense<-3> : tensor<1xi8>}> : () -> tensor<1xi8>
  %wz = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %s = tosa.const_shape {values = dense<[1, 1, 1, 6]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = tosa.transpose %x {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x2x1x3xi8>) -> tensor<1x3x2x1xi8>
  %1 = tosa.reshape %0, %s : (tensor<1x3x2x1xi8>, !tosa.shape<4>) -> tensor<1x1x1x6xi8>
  %2 = tosa.conv2d %1, %w, %b, %z, %wz {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, strum.input_mean = array<f64: 1.0, 2.0, 3.0, 4.0, 5.0, 6.0>, strum.input_square = array<f64: 1.0>} : (tensor<1x1x1x6xi8>, tensor<1x1x1x6xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x1x1x1xi32>
  return %2 : tensor<1x1x1x1xi32>
}

// -----

// Does not apply: the batch moves; the weights are not constant.
// CHECK-LABEL: func.func @stays
// CHECK-COUNT-2: tosa.transpose
func.func @stays(%x: tensor<2x3xi8>, %y: tensor<1x2x3xi8>, %v: tensor<1x1x1x6xi8>, %b: tensor<1xi32>) -> (tensor<3x1x1x1xi32>, tensor<1x1x1x1xi32>) {
  %w = "tosa.const"() <{values = dense<[[[[1, 2]]]]> : tensor<1x1x1x2xi8>}> : () -> tensor<1x1x1x2xi8>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %s = tosa.const_shape {values = dense<[3, 1, 1, 2]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %t = tosa.const_shape {values = dense<[1, 1, 1, 6]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = tosa.transpose %x {perms = array<i32: 1, 0>} : (tensor<2x3xi8>) -> tensor<3x2xi8>
  %1 = tosa.reshape %0, %s : (tensor<3x2xi8>, !tosa.shape<4>) -> tensor<3x1x1x2xi8>
  %2 = tosa.conv2d %1, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<3x1x1x2xi8>, tensor<1x1x1x2xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<3x1x1x1xi32>
  %3 = tosa.transpose %y {perms = array<i32: 0, 2, 1>} : (tensor<1x2x3xi8>) -> tensor<1x3x2xi8>
  %4 = tosa.reshape %3, %t : (tensor<1x3x2xi8>, !tosa.shape<4>) -> tensor<1x1x1x6xi8>
  %5 = tosa.conv2d %4, %v, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x1x6xi8>, tensor<1x1x1x6xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x1x1x1xi32>
  return %2, %5 : tensor<3x1x1x1xi32>, tensor<1x1x1x1xi32>
}
