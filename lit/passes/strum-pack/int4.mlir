// RUN: strum-opt %s --split-input-file --expand-operators --tosa-to-strum --strum-pack=method=mip2q | FileCheck %s
// RUN: strum-opt %s --split-input-file --expand-operators --tosa-to-strum --strum-pack=method=dense | FileCheck %s
// RUN: strum-opt %s --split-input-file --expand-operators --tosa-to-strum --strum-pack --strum-unpack | FileCheck %s --check-prefix=BACK

// Weights of 4 bits are stored as they are, whatever the options: 32 in 16 bytes.
// CHECK-LABEL: func.func @conv
// CHECK: %[[W:.*]] = strum.constant dense_resource<conv_packed0> : tensor<16xi8> -> !strum.packed<1x1x1x32xi8, #strum.dliq<w = 16, low = 16, q = 4, shift = 0>>
// CHECK: strum.conv2d %{{.*}}, %[[W]], {{.*}}strum.int4
// CHECK: conv_packed0: "0x0100000010325476
// BACK-LABEL: func.func @conv
// BACK: dense<{{\[\[\[\[}}0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1]]]]> : tensor<1x1x1x32xi8>
func.func @conv(%x: tensor<1x2x2x32xi8>) -> tensor<1x2x2x1xi32> {
  %w = "tosa.const"() <{values = dense<[[[[0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1]]]]> : tensor<1x1x1x32xi4>}> : () -> tensor<1x1x1x32xi4>
  %b = "tosa.const"() <{values = dense<5> : tensor<1xi32>}> : () -> tensor<1xi32>
  %z = "tosa.const"() <{values = dense<-3> : tensor<1xi8>}> : () -> tensor<1xi8>
  %wz = "tosa.const"() <{values = dense<0> : tensor<1xi4>}> : () -> tensor<1xi4>
  %0 = tosa.conv2d %x, %w, %b, %z, %wz {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x2x2x32xi8>, tensor<1x1x1x32xi4>, tensor<1xi32>, tensor<1xi8>, tensor<1xi4>) -> tensor<1x2x2x1xi32>
  return %0 : tensor<1x2x2x1xi32>
}
