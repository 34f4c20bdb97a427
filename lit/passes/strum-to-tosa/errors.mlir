// RUN: strum-opt %s --split-input-file --verify-diagnostics --strum-to-tosa

// expected-error@+1 {{argument #1 has type '!strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>': TOSA has no packed weights}}
func.func @argument(%x: tensor<1x1x1x16xi8>, %w: !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>) -> tensor<1x1x1x1xi32> {
  // expected-error@+1 {{the packed weights are not a strum.constant}}
  %0 = strum.conv2d %x, %w : (tensor<1x1x1x16xi8>, !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>) -> tensor<1x1x1x1xi32>
  return %0 : tensor<1x1x1x1xi32>
}

// -----

func.func @result() -> !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>> {
  // expected-error@+1 {{'strum.constant' op has a user other than a layer: TOSA cannot represent packed weights}}
  %w = strum.constant dense<[-1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]> : tensor<16xi8> -> !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>
  return %w : !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>
}
