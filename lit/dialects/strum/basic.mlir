// RUN: strum-opt %s | FileCheck %s
// RUN: strum-opt %s | strum-opt | FileCheck %s
// RUN: strum-opt %s --mlir-print-op-generic | strum-opt | FileCheck %s
// RUN: strum-opt %s --emit-bytecode | strum-opt | FileCheck %s
// RUN: strum-opt %s --verify-roundtrip

// Lists for more than four channels, and tables, are named at the head.
// CHECK-DAG: #[[$EIGHT:.*]] = #strum.ppe<multiplier = [1, 2, 3, 4, 5, 6, 7, 8], shift = [30, 31, 32, 33, 34, 35, 36, 62], round = double, zp = 3, clamp = [0, 127]>
// CHECK-DAG: #[[$TABLE:.*]] = #strum.ppe<multiplier = [5], shift = [2], round = single, zp = 0, clamp = [-128, 127], table = dense<7> : tensor<256xi8>>

// CHECK-LABEL: func.func private @types(
// CHECK-SAME: !strum.packed<64x3x3x64xi8, #strum.dense>,
// CHECK-SAME: !strum.packed<64x3x3x64xi8, #strum.sparse<w = 4, low = 3>>,
// CHECK-SAME: !strum.packed<64x3x3x64xi8, #strum.dliq<w = 8, low = 0, q = 4, shift = 4>>,
// CHECK-SAME: !strum.packed<64x3x3x64xi8, #strum.dliq<w = 16, low = 16, q = 8, shift = per_channel>>,
// CHECK-SAME: !strum.packed<64x3x3x64xi8, #strum.mip2q<w = 32, low = 8, L = 7>>,
// CHECK-SAME: !strum.packed<64x3x3x64xi8, #strum.mip2q<w = 16, low = 8, L = 6, zero>>)
func.func private @types(
  !strum.packed<64x3x3x64xi8, #strum.dense>,
  !strum.packed<64x3x3x64xi8, #strum.sparse<w = 4, low = 3>>,
  !strum.packed<64x3x3x64xi8, #strum.dliq<w = 8, low = 0, q = 4, shift = 4>>,
  !strum.packed<64x3x3x64xi8, #strum.dliq<w = 16, low = 16, q = 8, shift = per_channel>>,
  !strum.packed<64x3x3x64xi8, #strum.mip2q<w = 32, low = 8, L = 7>>,
  !strum.packed<64x3x3x64xi8, #strum.mip2q<low = 8, L = 6, w = 16, zero>>)

// The worked example of the format: mip2q, L = 7, one block of 16.
// CHECK-LABEL: func.func @constant
func.func @constant() -> (!strum.packed<1x1x1x16xi8, #strum.mip2q<w = 16, low = 8, L = 7>>, !strum.packed<1x1x1x4xi8, #strum.dense>) {
  // CHECK: strum.constant dense<[85, {{.*}}]> : tensor<16xi8> -> !strum.packed<1x1x1x16xi8, #strum.mip2q<w = 16, low = 8, L = 7>>
  %0 = strum.constant dense<"0x55B49F0E29EADD76F4CEA13068120000"> : tensor<16xi8> -> !strum.packed<1x1x1x16xi8, #strum.mip2q<w = 16, low = 8, L = 7>>
  // CHECK: strum.constant dense_resource<w> : tensor<16xi8> -> !strum.packed<1x1x1x4xi8, #strum.dense>
  %1 = strum.constant dense_resource<w> : tensor<16xi8> -> !strum.packed<1x1x1x4xi8, #strum.dense>
  return %0, %1 : !strum.packed<1x1x1x16xi8, #strum.mip2q<w = 16, low = 8, L = 7>>, !strum.packed<1x1x1x4xi8, #strum.dense>
}

// CHECK-LABEL: func.func @conv2d
func.func @conv2d(%x: tensor<1x8x8x16xi8>, %w: tensor<8x3x3x16xi8>, %p: !strum.packed<8x3x3x16xi8, #strum.sparse<w = 16, low = 8>>,
                  %b: tensor<8xi32>, %b1: tensor<1xi32>) {
  // Defaults are left out.
  // CHECK: strum.conv2d %{{[^ ]*}}, %{{[^ ]*}} : (tensor<1x8x8x16xi8>, tensor<8x3x3x16xi8>) -> tensor<1x6x6x8xi32>
  %0 = strum.conv2d %x, %w strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] input_zp 0 weight_zp 0
       : (tensor<1x8x8x16xi8>, tensor<8x3x3x16xi8>) -> tensor<1x6x6x8xi32>
  // CHECK: strum.conv2d %{{.*}}, %{{.*}}, %{{.*}} strides [2, 2] pads [1, 1, 1, 1] dilations [2, 1] input_zp -128 weight_zp 127
  // CHECK-SAME: ppe(#[[$EIGHT]]) : (tensor<1x8x8x16xi8>, tensor<8x3x3x16xi8>, tensor<8xi32>) -> tensor<1x3x4x8xi8>
  %1 = strum.conv2d %x, %w, %b strides [2, 2] pads [1, 1, 1, 1] dilations [2, 1] input_zp -128 weight_zp 127
       ppe(#strum.ppe<multiplier = [1, 2, 3, 4, 5, 6, 7, 8], shift = [30, 31, 32, 33, 34, 35, 36, 62], round = double, zp = 3, clamp = [0, 127]>)
       : (tensor<1x8x8x16xi8>, tensor<8x3x3x16xi8>, tensor<8xi32>) -> tensor<1x3x4x8xi8>
  // CHECK: ppe(#strum.ppe<multiplier = [5], shift = [2], round = single, zp = 0, clamp = [0, 255], unsigned>)
  %2 = strum.conv2d %x, %p, %b1
       ppe(#strum.ppe<multiplier = [5], shift = [2], round = single, zp = 0, clamp = [0, 255], unsigned>)
       : (tensor<1x8x8x16xi8>, !strum.packed<8x3x3x16xi8, #strum.sparse<w = 16, low = 8>>, tensor<1xi32>) -> tensor<1x6x6x8xi8>
  // CHECK: ppe(#[[$TABLE]])
  %3 = strum.conv2d %x, %p
       ppe(#strum.ppe<multiplier = [5], shift = [2], round = single, zp = 0, clamp = [-128, 127], table = dense<7> : tensor<256xi8>>)
       : (tensor<1x8x8x16xi8>, !strum.packed<8x3x3x16xi8, #strum.sparse<w = 16, low = 8>>) -> tensor<1x6x6x8xi8>
  // CHECK: -> tensor<1x6x6x8xi16>
  %4 = strum.conv2d %x, %p
       ppe(#strum.ppe<multiplier = [5], shift = [2], round = single, zp = -300, clamp = [-32768, 32767]>)
       : (tensor<1x8x8x16xi8>, !strum.packed<8x3x3x16xi8, #strum.sparse<w = 16, low = 8>>) -> tensor<1x6x6x8xi16>
  return
}

// CHECK-LABEL: func.func @depthwise
func.func @depthwise(%x: tensor<2x9x9x4xi8>, %w: tensor<3x3x4x2xi8>, %p: !strum.packed<1x3x3x8xi8, #strum.dliq<w = 8, low = 4, q = 4, shift = 1>>) {
  // CHECK: strum.depthwise_conv2d %{{.*}}, %{{.*}} strides [2, 2] : (tensor<2x9x9x4xi8>, tensor<3x3x4x2xi8>) -> tensor<2x4x4x8xi32>
  %0 = strum.depthwise_conv2d %x, %w strides [2, 2] : (tensor<2x9x9x4xi8>, tensor<3x3x4x2xi8>) -> tensor<2x4x4x8xi32>
  // What TOSA calls an inexact size: the last row and column are left over.
  // CHECK: strum.depthwise_conv2d {{.*}} strides [3, 3] {{.*}} -> tensor<2x3x3x8xi32>
  %1 = strum.depthwise_conv2d %x, %p strides [3, 3] : (tensor<2x9x9x4xi8>, !strum.packed<1x3x3x8xi8, #strum.dliq<w = 8, low = 4, q = 4, shift = 1>>) -> tensor<2x3x3x8xi32>
  return
}

// CHECK-LABEL: func.func @matmul
func.func @matmul(%a: tensor<4x16x32xi8>, %b: tensor<4x32x8xi8>) {
  // CHECK: strum.matmul %{{.*}}, %{{.*}} a_zp -3 b_zp 4 : (tensor<4x16x32xi8>, tensor<4x32x8xi8>) -> tensor<4x16x8xi32>
  %0 = strum.matmul %a, %b a_zp -3 b_zp 4 : (tensor<4x16x32xi8>, tensor<4x32x8xi8>) -> tensor<4x16x8xi32>
  // CHECK: strum.matmul %{{[^ ]*}}, %{{[^ ]*}} ppe(#strum.ppe<{{[^>]*}}>) : {{.*}} -> tensor<4x16x8xi32>
  %1 = strum.matmul %a, %b ppe(#strum.ppe<multiplier = [5], shift = [2], round = single, zp = 0, clamp = [-2147483648, 2147483647]>)
       : (tensor<4x16x32xi8>, tensor<4x32x8xi8>) -> tensor<4x16x8xi32>
  return
}

// CHECK-LABEL: func.func @eltwise
func.func @eltwise(%a: tensor<1x8x1x16xi8>, %b: tensor<1x1x8x16xi16>, %c: tensor<1x8x8x16xi32>, %s: tensor<i32>) {
  // CHECK: strum.eltwise add %{{.*}}, %{{.*}} lhs(#strum.rescale<zp = -4, multiplier = 1073741824, shift = 10, round = double>)
  // CHECK-SAME: rhs(#strum.rescale<zp = 60000, multiplier = 7, shift = 2, round = single, unsigned>) ppe(#strum.ppe<{{[^>]*}}>)
  // CHECK-SAME: : (tensor<1x8x1x16xi8>, tensor<1x1x8x16xi16>) -> tensor<1x8x8x16xi8>
  %0 = strum.eltwise add %a, %b
       lhs(#strum.rescale<zp = -4, multiplier = 1073741824, shift = 10, round = double>)
       rhs(#strum.rescale<zp = 60000, multiplier = 7, shift = 2, round = single, unsigned>)
       ppe(#strum.ppe<multiplier = [1073741824], shift = [49], round = double, zp = -128, clamp = [-128, 127]>)
       : (tensor<1x8x1x16xi8>, tensor<1x1x8x16xi16>) -> tensor<1x8x8x16xi8>
  // CHECK: strum.eltwise sub %{{.*}}, %{{.*}} : (tensor<1x8x8x16xi32>, tensor<1x8x8x16xi32>) -> tensor<1x8x8x16xi32>
  %1 = strum.eltwise sub %c, %c : (tensor<1x8x8x16xi32>, tensor<1x8x8x16xi32>) -> tensor<1x8x8x16xi32>
  // CHECK: strum.eltwise mul %{{.*}}, %{{.*}} shift 63 :
  %2 = strum.eltwise mul %c, %a shift 63 : (tensor<1x8x8x16xi32>, tensor<1x8x1x16xi8>) -> tensor<1x8x8x16xi32>
  // CHECK: strum.eltwise max
  %3 = strum.eltwise max %c, %c : (tensor<1x8x8x16xi32>, tensor<1x8x8x16xi32>) -> tensor<1x8x8x16xi32>
  // CHECK: strum.eltwise min %{{.*}} : (tensor<i32>, tensor<i32>) -> tensor<i32>
  %4 = strum.eltwise min %s, %s : (tensor<i32>, tensor<i32>) -> tensor<i32>
  return
}

{-#
  dialect_resources: { builtin: { w: "0x0100000001020304000000000000000000000000" } }
#-}
