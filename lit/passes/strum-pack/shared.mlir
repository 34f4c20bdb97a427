// RUN: strum-opt %s --strum-pack | FileCheck %s

// Two layers with the same weights share one packed constant; a user other than a layer keeps the tensor.
// CHECK-LABEL: func.func @shared
func.func @shared(%x: tensor<1x2x2x16xi8>) -> (tensor<1x2x2x1xi32>, tensor<1x2x2x1xi32>, tensor<1x1x1x16xi8>) {
  // CHECK: %[[P:.*]] = strum.constant
  // CHECK-NOT: strum.constant
  // CHECK: %[[W:.*]] = "tosa.const"
  // CHECK: strum.conv2d %{{.*}}, %[[P]] :
  // CHECK: strum.conv2d %{{.*}}, %[[P]] input_zp 3
  // CHECK: return %{{.*}}, %{{.*}}, %[[W]]
  %w = "tosa.const"() <{values = dense<5> : tensor<1x1x1x16xi8>}> : () -> tensor<1x1x1x16xi8>
  %0 = strum.conv2d %x, %w : (tensor<1x2x2x16xi8>, tensor<1x1x1x16xi8>) -> tensor<1x2x2x1xi32>
  %1 = strum.conv2d %x, %w input_zp 3 : (tensor<1x2x2x16xi8>, tensor<1x1x1x16xi8>) -> tensor<1x2x2x1xi32>
  return %0, %1, %w : tensor<1x2x2x1xi32>, tensor<1x2x2x1xi32>, tensor<1x1x1x16xi8>
}
