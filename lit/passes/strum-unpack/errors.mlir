// RUN: strum-opt %s --verify-diagnostics --strum-unpack

func.func @argument(%x: tensor<1x1x1x16xi8>, %w: !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>) -> tensor<1x1x1x1xi32> {
  // expected-error@+1 {{the packed weights are not a strum.constant}}
  %0 = strum.conv2d %x, %w : (tensor<1x1x1x16xi8>, !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>) -> tensor<1x1x1x1xi32>
  return %0 : tensor<1x1x1x1xi32>
}
