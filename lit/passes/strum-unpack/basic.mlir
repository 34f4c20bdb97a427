// RUN: strum-opt %s --strum-unpack | FileCheck %s

// CHECK-LABEL: func.func @conv
func.func @conv(%x: tensor<1x2x2x16xi8>) -> tensor<1x2x2x2xi32> {
  // CHECK: %[[W:.*]] = "tosa.const"() <{values = dense<0> : tensor<2x1x1x16xi8>}>
  // CHECK-NOT: strum.constant
  // CHECK: strum.conv2d %{{.*}}, %[[W]] : (tensor<1x2x2x16xi8>, tensor<2x1x1x16xi8>) -> tensor<1x2x2x2xi32>
  %w = strum.constant dense<[-1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]> : tensor<32xi8> -> !strum.packed<2x1x1x16xi8, #strum.sparse<w = 16, low = 8>>
  %0 = strum.conv2d %x, %w : (tensor<1x2x2x16xi8>, !strum.packed<2x1x1x16xi8, #strum.sparse<w = 16, low = 8>>) -> tensor<1x2x2x2xi32>
  return %0 : tensor<1x2x2x2xi32>
}

// The weights of a depthwise layer get the shape back that TOSA has for them.
// CHECK-LABEL: func.func @depthwise
func.func @depthwise(%x: tensor<1x2x2x8xi8>) -> tensor<1x2x2x16xi32> {
  // CHECK: %[[W:.*]] = "tosa.const"() <{values = dense<0> : tensor<1x1x8x2xi8>}>
  // CHECK: strum.depthwise_conv2d %{{.*}}, %[[W]] : (tensor<1x2x2x8xi8>, tensor<1x1x8x2xi8>) -> tensor<1x2x2x16xi32>
  %w = strum.constant dense<[-1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]> : tensor<16xi8> -> !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>
  %0 = strum.depthwise_conv2d %x, %w : (tensor<1x2x2x8xi8>, !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>) -> tensor<1x2x2x16xi32>
  return %0 : tensor<1x2x2x16xi32>
}

// Does not apply: weights that are tensors already.
// CHECK-LABEL: func.func @dense
func.func @dense(%x: tensor<1x2x2x16xi8>, %w: tensor<2x1x1x16xi8>) -> tensor<1x2x2x2xi32> {
  // CHECK-NEXT: strum.conv2d
  %0 = strum.conv2d %x, %w : (tensor<1x2x2x16xi8>, tensor<2x1x1x16xi8>) -> tensor<1x2x2x2xi32>
  return %0 : tensor<1x2x2x2xi32>
}
