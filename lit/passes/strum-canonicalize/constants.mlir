// RUN: strum-opt %s --split-input-file --strum-canonicalize | FileCheck %s

// A fully connected layer as the TFLite converter writes it: the weights are reshaped.
// CHECK-LABEL: func.func @weights_behind_reshape
func.func @weights_behind_reshape() -> tensor<2x1x1x3xi8> {
  // CHECK: %[[W:.*]] = "tosa.const"() <{values = dense<{{\[\[\[\[}}1, 2, 3]]], {{\[\[\[}}4, 5, 6]]]]> : tensor<2x1x1x3xi8>}>
  // CHECK-NOT: tosa.reshape
  // CHECK: return %[[W]]
  %w = "tosa.const"() <{values = dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi8>}> : () -> tensor<2x3xi8>
  %s = tosa.const_shape {values = dense<[2, 1, 1, 3]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = tosa.reshape %w, %s : (tensor<2x3xi8>, !tosa.shape<4>) -> tensor<2x1x1x3xi8>
  return %0 : tensor<2x1x1x3xi8>
}

// -----

// CHECK-LABEL: func.func @slice
func.func @slice() -> tensor<2x2xi32> {
  // CHECK: dense<{{\[\[}}2, 3], [5, 6]]> : tensor<2x2xi32>
  // CHECK-NOT: tosa.slice
  %w = "tosa.const"() <{values = dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>}> : () -> tensor<2x3xi32>
  %a = tosa.const_shape {values = dense<[0, 1]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %b = tosa.const_shape {values = dense<[2, 2]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.slice %w, %a, %b : (tensor<2x3xi32>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<2x2xi32>
  return %0 : tensor<2x2xi32>
}

// -----

// CHECK-LABEL: func.func @transpose
func.func @transpose() -> tensor<3x2xi16> {
  // CHECK: dense<{{\[\[}}1, 4], [2, 5], [3, 6]]> : tensor<3x2xi16>
  // CHECK-NOT: tosa.transpose
  %w = "tosa.const"() <{values = dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi16>}> : () -> tensor<2x3xi16>
  %0 = tosa.transpose %w {perms = array<i32: 1, 0>} : (tensor<2x3xi16>) -> tensor<3x2xi16>
  return %0 : tensor<3x2xi16>
}

// -----

// CHECK-LABEL: func.func @pad_and_concat
func.func @pad_and_concat() -> tensor<2x5xi8> {
  // CHECK: dense<{{\[\[}}-7, 1, 2, 1, 2], [-7, 3, 4, 3, 4]]> : tensor<2x5xi8>
  // CHECK-NOT: tosa.{{pad|concat}}
  %w = "tosa.const"() <{values = dense<[[1, 2], [3, 4]]> : tensor<2x2xi8>}> : () -> tensor<2x2xi8>
  %v = "tosa.const"() <{values = dense<-7> : tensor<1xi8>}> : () -> tensor<1xi8>
  %p = tosa.const_shape {values = dense<[0, 0, 1, 0]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = tosa.pad %w, %p, %v : (tensor<2x2xi8>, !tosa.shape<4>, tensor<1xi8>) -> tensor<2x3xi8>
  %1 = tosa.concat %0, %w {axis = 1 : i32} : (tensor<2x3xi8>, tensor<2x2xi8>) -> tensor<2x5xi8>
  return %1 : tensor<2x5xi8>
}

// -----

// Splats stay splats, and arithmetic on constants is folded as well.
// CHECK-LABEL: func.func @arithmetic
func.func @arithmetic() -> (tensor<64x64xi32>, tensor<2xi8>, tensor<2xi8>, tensor<2xi32>) {
  // CHECK-DAG: dense<12> : tensor<64x64xi32>
  // CHECK-DAG: dense<[-56, 100]> : tensor<2xi8>
  // CHECK-DAG: dense<[-128, 127]> : tensor<2xi8>
  // CHECK-DAG: dense<[22, 31]> : tensor<2xi32>
  // CHECK-NOT: tosa.{{cast|add|negate|clz|maximum}}
  %a = "tosa.const"() <{values = dense<5> : tensor<64x64xi32>}> : () -> tensor<64x64xi32>
  %b = "tosa.const"() <{values = dense<7> : tensor<1x1xi32>}> : () -> tensor<1x1xi32>
  %0 = tosa.add %a, %b : (tensor<64x64xi32>, tensor<1x1xi32>) -> tensor<64x64xi32>
  %c = "tosa.const"() <{values = dense<[200, 100]> : tensor<2xi32>}> : () -> tensor<2xi32>
  %1 = tosa.cast %c : (tensor<2xi32>) -> tensor<2xi8>
  %d = "tosa.const"() <{values = dense<[127, -128]> : tensor<2xi8>}> : () -> tensor<2xi8>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %m = "tosa.const"() <{values = dense<-1> : tensor<1xi8>}> : () -> tensor<1xi8>
  %2 = tosa.negate %d, %z, %m : (tensor<2xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<2xi8>
  %e = "tosa.const"() <{values = dense<[1000, -3]> : tensor<2xi32>}> : () -> tensor<2xi32>
  %f = "tosa.const"() <{values = dense<[512, 1]> : tensor<2xi32>}> : () -> tensor<2xi32>
  %3 = tosa.maximum %e, %f : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
  %4 = tosa.clz %3 : (tensor<2xi32>) -> tensor<2xi32>
  return %0, %1, %2, %4 : tensor<64x64xi32>, tensor<2xi8>, tensor<2xi8>, tensor<2xi32>
}

// -----

// An overflow is unpredictable in TOSA: it is not folded.
// CHECK-LABEL: func.func @overflow_stays
func.func @overflow_stays() -> tensor<1xi32> {
  // CHECK: tosa.add
  %a = "tosa.const"() <{values = dense<2147483647> : tensor<1xi32>}> : () -> tensor<1xi32>
  %b = "tosa.const"() <{values = dense<1> : tensor<1xi32>}> : () -> tensor<1xi32>
  %0 = tosa.add %a, %b : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi32>
  return %0 : tensor<1xi32>
}

// -----

// Resources are read like other constants.
// CHECK-LABEL: func.func @resource
func.func @resource() -> tensor<1x4xi8> {
  // CHECK: "tosa.const"() <{values = dense<{{\[\[}}1, 2, 3, 4]]> : tensor<1x4xi8>}>
  // CHECK-NOT: tosa.reshape
  %w = "tosa.const"() <{values = dense_resource<w> : tensor<4xi8>}> : () -> tensor<4xi8>
  %s = tosa.const_shape {values = dense<[1, 4]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.reshape %w, %s : (tensor<4xi8>, !tosa.shape<2>) -> tensor<1x4xi8>
  return %0 : tensor<1x4xi8>
}
{-#
  dialect_resources: { builtin: { w: "0x0100000001020304" } }
#-}

// -----

// One scale for each channel, saturating.
// CHECK-LABEL: func.func @per_channel_rescale
func.func @per_channel_rescale() -> tensor<2x2xi8> {
  // CHECK: dense<{{\[\[}}52, 102], [127, -28]]> : tensor<2x2xi8>
  // CHECK-NOT: tosa.rescale
  %a = "tosa.const"() <{values = dense<[[100, 400], [1000, -120]]> : tensor<2x2xi32>}> : () -> tensor<2x2xi32>
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<2xi32>}> : () -> tensor<2xi32>
  %s = "tosa.const"() <{values = dense<[31, 32]> : tensor<2xi8>}> : () -> tensor<2xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %zo = "tosa.const"() <{values = dense<2> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.rescale %a, %m, %s, %zi, %zo {input_unsigned = false, output_unsigned = false, per_channel = true, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<2x2xi32>, tensor<2xi32>, tensor<2xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<2x2xi8>
  return %0 : tensor<2x2xi8>
}

// -----

// Does not apply: unsupported ops are left for the check.
// CHECK-LABEL: func.func @not_supported
func.func @not_supported() -> (tensor<2xi32>, tensor<2xi8>) {
  // CHECK: tosa.rescale
  // CHECK: tosa.add
  %a = "tosa.const"() <{values = dense<[1, 2]> : tensor<2xi8>}> : () -> tensor<2xi8>
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<30> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zo = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %0 = tosa.rescale %a, %m, %s, %zi, %zo {input_unsigned = true, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<2xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>, tensor<1xi32>) -> tensor<2xi32>
  %1 = tosa.add %a, %a : (tensor<2xi8>, tensor<2xi8>) -> tensor<2xi8>
  return %0, %1 : tensor<2xi32>, tensor<2xi8>
}
