// RUN: strum-opt %s --split-input-file --tosa-to-strum | FileCheck %s

// A constant right side makes a 1x1 convolution with the transposed matrix as weights.
// CHECK-LABEL: func.func @constant_right_side
// CHECK-SAME: (%[[A:.*]]: tensor<1x4x3xi8>)
func.func @constant_right_side(%a: tensor<1x4x3xi8>) -> tensor<1x4x2xi8> {
  // CHECK-DAG: %[[W:.*]] = "tosa.const"() <{values = dense<{{\[\[\[\[}}1, 3, 5]]], {{\[\[\[}}2, 4, 6]]]]> : tensor<2x1x1x3xi8>}>
  // CHECK: %[[X:.*]] = tosa.reshape %[[A]], %{{.*}} : (tensor<1x4x3xi8>, !tosa.shape<4>) -> tensor<1x4x1x3xi8>
  // CHECK: %[[Y:.*]] = strum.conv2d %[[X]], %[[W]] input_zp -3 weight_zp 4 ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = -3, clamp = [-128, 127]>)
  // CHECK-SAME: (tensor<1x4x1x3xi8>, tensor<2x1x1x3xi8>) -> tensor<1x4x1x2xi8>
  // CHECK: %[[C:.*]] = tosa.reshape %[[Y]], %{{.*}} -> tensor<1x4x2xi8>
  // CHECK: return %[[C]]
  %b = "tosa.const"() <{values = dense<[[[1, 2], [3, 4], [5, 6]]]> : tensor<1x3x2xi8>}> : () -> tensor<1x3x2xi8>
  %az = "tosa.const"() <{values = dense<-3> : tensor<1xi8>}> : () -> tensor<1xi8>
  %bz = "tosa.const"() <{values = dense<4> : tensor<1xi8>}> : () -> tensor<1xi8>
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<38> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %0 = tosa.matmul %a, %b, %az, %bz : (tensor<1x4x3xi8>, tensor<1x3x2xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x2xi32>
  %1 = tosa.rescale %0, %m, %s, %zi, %az {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<1x4x2xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<1x4x2xi8>
  return %1 : tensor<1x4x2xi8>
}

// -----

// CHECK-LABEL: func.func @dynamic
func.func @dynamic(%a: tensor<2x4x3xi8>, %b: tensor<2x3x5xi8>) -> tensor<2x4x5xi8> {
  // CHECK: strum.matmul %{{.*}}, %{{.*}} a_zp -3 b_zp 4 ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = single, zp = -3, clamp = [-128, 127]>)
  // CHECK-SAME: (tensor<2x4x3xi8>, tensor<2x3x5xi8>) -> tensor<2x4x5xi8>
  %az = "tosa.const"() <{values = dense<-3> : tensor<1xi8>}> : () -> tensor<1xi8>
  %bz = "tosa.const"() <{values = dense<4> : tensor<1xi8>}> : () -> tensor<1xi8>
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<38> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %0 = tosa.matmul %a, %b, %az, %bz : (tensor<2x4x3xi8>, tensor<2x3x5xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<2x4x5xi32>
  %1 = tosa.rescale %0, %m, %s, %zi, %az {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<2x4x5xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<2x4x5xi8>
  return %1 : tensor<2x4x5xi8>
}

// -----

// Does not apply: one multiplier for each column is more than a matmul layer supports, so the rescale stays.
// CHECK-LABEL: func.func @per_channel
func.func @per_channel(%a: tensor<2x4x3xi8>, %b: tensor<2x3x2xi8>) -> tensor<2x4x2xi8> {
  // CHECK: %[[C:.*]] = strum.matmul %{{.*}}, %{{.*}} : (tensor<2x4x3xi8>, tensor<2x3x2xi8>) -> tensor<2x4x2xi32>
  // CHECK: tosa.rescale %[[C]]
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<2xi32>}> : () -> tensor<2xi32>
  %s = "tosa.const"() <{values = dense<[38, 39]> : tensor<2xi8>}> : () -> tensor<2xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %0 = tosa.matmul %a, %b, %z, %z : (tensor<2x4x3xi8>, tensor<2x3x2xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<2x4x2xi32>
  %1 = tosa.rescale %0, %m, %s, %zi, %z {input_unsigned = false, output_unsigned = false, per_channel = true, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<2x4x2xi32>, tensor<2xi32>, tensor<2xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<2x4x2xi8>
  return %1 : tensor<2x4x2xi8>
}
