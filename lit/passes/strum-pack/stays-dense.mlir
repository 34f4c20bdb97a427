// RUN: strum-opt %s --strum-log=info --split-input-file --verify-diagnostics --strum-pack | FileCheck %s
// No remarks unless requested.
// RUN: strum-opt %s --split-input-file --strum-pack 2>&1 | FileCheck %s --implicit-check-not='remark:'

// Does not apply: fewer input channels than a block has members.
// CHECK-LABEL: func.func @first_layer
func.func @first_layer(%x: tensor<1x2x2x3xi8>) -> tensor<1x2x2x1xi32> {
  // CHECK-NOT: strum.constant
  %w = "tosa.const"() <{values = dense<5> : tensor<1x1x1x3xi8>}> : () -> tensor<1x1x1x3xi8>
  // expected-remark@+1 {{weights stay dense: 3 input channels, fewer than min-channels = 16 (min-channels=3 packs it)}}
  %0 = strum.conv2d %x, %w : (tensor<1x2x2x3xi8>, tensor<1x1x1x3xi8>) -> tensor<1x2x2x1xi32>
  return %0 : tensor<1x2x2x1xi32>
}

// -----

// CHECK-LABEL: func.func @depthwise
func.func @depthwise(%x: tensor<1x2x2x16xi8>) -> tensor<1x2x2x16xi32> {
  // CHECK-NOT: strum.constant
  %w = "tosa.const"() <{values = dense<5> : tensor<1x1x16x1xi8>}> : () -> tensor<1x1x16x1xi8>
  // expected-remark@+1 {{weights stay dense: the layer is depthwise (depthwise=true packs it)}}
  %0 = strum.depthwise_conv2d %x, %w : (tensor<1x2x2x16xi8>, tensor<1x1x16x1xi8>) -> tensor<1x2x2x16xi32>
  return %0 : tensor<1x2x2x16xi32>
}

// -----

// CHECK-LABEL: func.func @zero_point
func.func @zero_point(%x: tensor<1x2x2x16xi8>) -> tensor<1x2x2x1xi32> {
  // CHECK-NOT: strum.constant
  %w = "tosa.const"() <{values = dense<5> : tensor<1x1x1x16xi8>}> : () -> tensor<1x1x1x16xi8>
  // expected-remark@+1 {{weights stay dense: the weight zero point is 4}}
  %0 = strum.conv2d %x, %w weight_zp 4 : (tensor<1x2x2x16xi8>, tensor<1x1x1x16xi8>) -> tensor<1x2x2x1xi32>
  return %0 : tensor<1x2x2x1xi32>
}

// -----

// CHECK-LABEL: func.func @not_constant
func.func @not_constant(%x: tensor<1x2x2x16xi8>, %w: tensor<1x1x1x16xi8>) -> tensor<1x2x2x1xi32> {
  // CHECK-NOT: strum.constant
  // expected-remark@+1 {{weights stay dense: the weights are not constant}}
  %0 = strum.conv2d %x, %w : (tensor<1x2x2x16xi8>, tensor<1x1x1x16xi8>) -> tensor<1x2x2x1xi32>
  return %0 : tensor<1x2x2x1xi32>
}
