// RUN: strum-opt %s --strum-to-tosa | FileCheck %s

// Packed weights are decoded once, and each layer gets them in its own shape.
// CHECK-LABEL: func.func @shared
func.func @shared(%x: tensor<1x2x2x16xi8>, %y: tensor<1x2x2x8xi8>) -> (tensor<1x2x2x1xi32>, tensor<1x2x2x1xi32>, tensor<1x2x2x16xi32>) {
  // CHECK-DAG: %[[W:.*]] = "tosa.const"() <{values = dense<0> : tensor<1x1x1x16xi8>}>
  // CHECK-DAG: %[[D:.*]] = "tosa.const"() <{values = dense<0> : tensor<1x1x8x2xi8>}>
  // CHECK-NOT: strum.
  // CHECK: tosa.conv2d %{{[^,]*}}, %[[W]],
  // CHECK: tosa.conv2d %{{[^,]*}}, %[[W]],
  // CHECK: tosa.depthwise_conv2d %{{[^,]*}}, %[[D]],
  %w = strum.constant dense<[-1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]> : tensor<16xi8> -> !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>
  %0 = strum.conv2d %x, %w : (tensor<1x2x2x16xi8>, !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>) -> tensor<1x2x2x1xi32>
  %1 = strum.conv2d %x, %w input_zp 5 : (tensor<1x2x2x16xi8>, !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>) -> tensor<1x2x2x1xi32>
  %2 = strum.depthwise_conv2d %y, %w : (tensor<1x2x2x8xi8>, !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>) -> tensor<1x2x2x16xi32>
  return %0, %1, %2 : tensor<1x2x2x1xi32>, tensor<1x2x2x1xi32>, tensor<1x2x2x16xi32>
}
