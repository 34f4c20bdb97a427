// RUN: strum-opt %s --strum-pack=method=mip2q | FileCheck %s --check-prefix=MIP2Q
// RUN: strum-opt %s --strum-pack="method=dliq shift=channel" | FileCheck %s --check-prefix=CHANNEL
// RUN: strum-opt %s --strum-pack="method=dliq shift=3 q=4 p=0.25" | FileCheck %s --check-prefix=FIXED
// RUN: strum-opt %s --strum-pack="method=sparse w=8 p=0.75" | FileCheck %s --check-prefix=SPARSE
// RUN: strum-opt %s --strum-pack="method=mip2q L=5 zero=true select=magnitude" | FileCheck %s --check-prefix=ZERO
// RUN: strum-opt %s --strum-pack=method=dense | FileCheck %s --check-prefix=DENSE
// RUN: strum-opt %s --strum-pack=method=mip2q --strum-unpack | FileCheck %s --check-prefix=BACK

// The block of sixteen codes that the format's definition uses as its example.
// MIP2Q: %[[W:.*]] = strum.constant dense_resource<vector_packed0> : tensor<16xi8> -> !strum.packed<1x1x1x16xi8, #strum.mip2q<w = 16, low = 8, L = 7>>
// MIP2Q-NOT: tosa.const
// MIP2Q: strum.conv2d %{{.*}}, %[[W]] input_zp -128 : (tensor<1x2x2x16xi8>, !strum.packed<1x1x1x16xi8, #strum.mip2q<w = 16, low = 8, L = 7>>) -> tensor<1x2x2x1xi32>

// CHANNEL: !strum.packed<1x1x1x16xi8, #strum.dliq<w = 16, low = 8, q = 4, shift = per_channel>>
// FIXED: !strum.packed<1x1x1x16xi8, #strum.dliq<w = 16, low = 4, q = 4, shift = 3>>
// SPARSE: !strum.packed<1x1x1x16xi8, #strum.sparse<w = 8, low = 6>>
// ZERO: !strum.packed<1x1x1x16xi8, #strum.mip2q<w = 16, low = 8, L = 5, zero>>

// DENSE-NOT: strum.constant
// DENSE: strum.conv2d {{.*}} (tensor<1x2x2x16xi8>, tensor<1x1x1x16xi8>) -> tensor<1x2x2x1xi32>

// BACK: dense<{{\[\[\[\[}}-97, 2, 14, -4, 41, 1, -22, 8, -1, 64, -35, 4, 118, -12, 2, -50]]]]> : tensor<1x1x1x16xi8>
func.func @vector(%x: tensor<1x2x2x16xi8>) -> tensor<1x2x2x1xi32> {
  %w = "tosa.const"() <{values = dense<[[[[-97, 3, 14, -6, 41, 0, -22, 9, -1, 64, -35, 5, 118, -12, 2, -50]]]]> : tensor<1x1x1x16xi8>}> : () -> tensor<1x1x1x16xi8>
  %0 = strum.conv2d %x, %w input_zp -128 : (tensor<1x2x2x16xi8>, tensor<1x1x1x16xi8>) -> tensor<1x2x2x1xi32>
  return %0 : tensor<1x2x2x1xi32>
}
