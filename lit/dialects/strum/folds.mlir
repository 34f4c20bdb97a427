// RUN: strum-opt %s --canonicalize --cse | FileCheck %s

!weights = !strum.packed<1x1x1x16xi8, #strum.mip2q<w = 16, low = 8, L = 7>>

// Equal layers become one, layers that nothing uses go, and so do the constants that only those used.
// CHECK-LABEL: func.func @merge
func.func @merge(%x: tensor<1x8x8x16xi8>) -> (tensor<1x8x8x1xi32>, tensor<1x8x8x1xi32>) {
  // CHECK-COUNT-1: strum.constant
  // CHECK-NOT: strum.constant
  // CHECK: %[[Y:.*]] = strum.conv2d
  // CHECK-NOT: = strum.
  // CHECK: return %[[Y]], %[[Y]]
  %w0 = strum.constant dense<"0x55B49F0E29EADD76F4CEA13068120000"> : tensor<16xi8> -> !weights
  %w1 = strum.constant dense<"0x55B49F0E29EADD76F4CEA13068120000"> : tensor<16xi8> -> !weights
  %dead = strum.constant dense<"0x55B49F0E29EADD76F4CEA13068120000"> : tensor<16xi8> -> !weights
  %0 = strum.conv2d %x, %w0 : (tensor<1x8x8x16xi8>, !weights) -> tensor<1x8x8x1xi32>
  %1 = strum.conv2d %x, %w1 strides [1, 1] : (tensor<1x8x8x16xi8>, !weights) -> tensor<1x8x8x1xi32>
  %2 = strum.conv2d %x, %dead input_zp 3 : (tensor<1x8x8x16xi8>, !weights) -> tensor<1x8x8x1xi32>
  %3 = strum.eltwise add %2, %2 : (tensor<1x8x8x1xi32>, tensor<1x8x8x1xi32>) -> tensor<1x8x8x1xi32>
  return %0, %1 : tensor<1x8x8x1xi32>, tensor<1x8x8x1xi32>
}

// What differs in an attribute, or in the format of the same bytes, stays apart.
// CHECK-LABEL: func.func @differ
func.func @differ(%x: tensor<1x8x8x16xi8>) -> (tensor<1x8x8x1xi32>, tensor<1x8x8x1xi32>, tensor<1x8x8x1xi32>) {
  // CHECK-COUNT-2: strum.constant
  // CHECK-COUNT-3: strum.conv2d
  %w0 = strum.constant dense<0> : tensor<16xi8> -> !strum.packed<1x1x1x16xi8, #strum.dense>
  %w1 = strum.constant dense<0> : tensor<16xi8> -> !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 16>>
  %0 = strum.conv2d %x, %w0 : (tensor<1x8x8x16xi8>, !strum.packed<1x1x1x16xi8, #strum.dense>) -> tensor<1x8x8x1xi32>
  %1 = strum.conv2d %x, %w0 weight_zp 1 : (tensor<1x8x8x16xi8>, !strum.packed<1x1x1x16xi8, #strum.dense>) -> tensor<1x8x8x1xi32>
  %2 = strum.conv2d %x, %w1 : (tensor<1x8x8x16xi8>, !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 16>>) -> tensor<1x8x8x1xi32>
  return %0, %1, %2 : tensor<1x8x8x1xi32>, tensor<1x8x8x1xi32>, tensor<1x8x8x1xi32>
}

// Constants move out of regions to the front of their function, made again by the dialect's materializer.
// CHECK-LABEL: func.func @hoist
// CHECK-NEXT: strum.constant
// CHECK-NEXT: scf.if
func.func @hoist(%x: tensor<1x8x8x16xi8>, %c: i1) -> tensor<1x8x8x1xi32> {
  %r = scf.if %c -> tensor<1x8x8x1xi32> {
    %w = strum.constant dense<"0x55B49F0E29EADD76F4CEA13068120000"> : tensor<16xi8> -> !weights
    %0 = strum.conv2d %x, %w : (tensor<1x8x8x16xi8>, !weights) -> tensor<1x8x8x1xi32>
    scf.yield %0 : tensor<1x8x8x1xi32>
  } else {
    %w = strum.constant dense<"0x55B49F0E29EADD76F4CEA13068120000"> : tensor<16xi8> -> !weights
    %0 = strum.conv2d %x, %w input_zp 1 : (tensor<1x8x8x16xi8>, !weights) -> tensor<1x8x8x1xi32>
    scf.yield %0 : tensor<1x8x8x1xi32>
  }
  return %r : tensor<1x8x8x1xi32>
}
