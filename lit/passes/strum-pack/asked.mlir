// RUN: strum-opt %s --strum-pack="depthwise=true min-channels=1" | FileCheck %s

// CHECK-LABEL: func.func @asked
func.func @asked(%x: tensor<1x2x2x3xi8>) -> tensor<1x2x2x6xi32> {
  // CHECK: !strum.packed<3x1x1x3xi8, #strum.mip2q<w = 16, low = 8, L = 7>>
  // CHECK: !strum.packed<1x2x2x6xi8, #strum.mip2q<w = 16, low = 8, L = 7>>
  // CHECK: strum.conv2d {{.*}} !strum.packed<3x1x1x3xi8
  // CHECK: strum.depthwise_conv2d {{.*}} !strum.packed<1x2x2x6xi8
  %w = "tosa.const"() <{values = dense<5> : tensor<3x1x1x3xi8>}> : () -> tensor<3x1x1x3xi8>
  %v = "tosa.const"() <{values = dense<7> : tensor<2x2x3x2xi8>}> : () -> tensor<2x2x3x2xi8>
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1073741824], shift = [31], round = single, zp = 0, clamp = [-128, 127]>) : (tensor<1x2x2x3xi8>, tensor<3x1x1x3xi8>) -> tensor<1x2x2x3xi8>
  %1 = strum.depthwise_conv2d %0, %v pads [0, 1, 0, 1] : (tensor<1x2x2x3xi8>, tensor<2x2x3x2xi8>) -> tensor<1x2x2x6xi32>
  return %1 : tensor<1x2x2x6xi32>
}
