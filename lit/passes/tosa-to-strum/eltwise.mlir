// RUN: strum-opt %s --split-input-file --tosa-to-strum | FileCheck %s

// The addition of a residual block: both inputs widened, one scaled, the sum narrowed.
// CHECK-LABEL: func.func @residual
// CHECK-SAME: (%[[X:.*]]: tensor<1x4x4x8xi8>, %[[Y:.*]]: tensor<1x4x4x8xi8>)
func.func @residual(%x: tensor<1x4x4x8xi8>, %y: tensor<1x4x4x8xi8>) -> tensor<1x4x4x8xi8> {
  // CHECK: %[[W:.*]] = tosa.rescale %[[Y]]
  // CHECK: %[[Z:.*]] = strum.eltwise add %[[X]], %[[W]]
  // CHECK-SAME: lhs(#strum.rescale<zp = -4, multiplier = 1073741824, shift = 11, round = double>)
  // CHECK-SAME: rhs(#strum.rescale<zp = 0, multiplier = 1632849013, shift = 32, round = double>)
  // CHECK-SAME: ppe(#strum.ppe<multiplier = [1791826722], shift = [49], round = double, zp = -128, clamp = [-128, 127]>)
  // CHECK-SAME: (tensor<1x4x4x8xi8>, tensor<1x4x4x8xi32>) -> tensor<1x4x4x8xi8>
  // CHECK-NEXT: return %[[Z]]
  %one = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %m = "tosa.const"() <{values = dense<1632849013> : tensor<1xi32>}> : () -> tensor<1xi32>
  %mo = "tosa.const"() <{values = dense<1791826722> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s10 = "tosa.const"() <{values = dense<10> : tensor<1xi8>}> : () -> tensor<1xi8>
  %s11 = "tosa.const"() <{values = dense<11> : tensor<1xi8>}> : () -> tensor<1xi8>
  %s32 = "tosa.const"() <{values = dense<32> : tensor<1xi8>}> : () -> tensor<1xi8>
  %s49 = "tosa.const"() <{values = dense<49> : tensor<1xi8>}> : () -> tensor<1xi8>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %zx = "tosa.const"() <{values = dense<-4> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zo = "tosa.const"() <{values = dense<-128> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.rescale %x, %one, %s11, %zx, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<1x4x4x8xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>, tensor<1xi32>) -> tensor<1x4x4x8xi32>
  %1 = tosa.rescale %y, %one, %s10, %zo, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<1x4x4x8xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>, tensor<1xi32>) -> tensor<1x4x4x8xi32>
  %2 = tosa.rescale %1, %m, %s32, %z, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<1x4x4x8xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi32>) -> tensor<1x4x4x8xi32>
  %3 = tosa.add %0, %2 : (tensor<1x4x4x8xi32>, tensor<1x4x4x8xi32>) -> tensor<1x4x4x8xi32>
  %4 = tosa.rescale %3, %mo, %s49, %z, %zo {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<1x4x4x8xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<1x4x4x8xi8>
  return %4 : tensor<1x4x4x8xi8>
}

// -----

// The gate of squeeze-and-excite: a product with a broadcast side, whose cast is taken in as well.
// CHECK-LABEL: func.func @gate
func.func @gate(%x: tensor<1x4x4x8xi8>, %g: tensor<1x1x1x8xi8>) -> tensor<1x4x4x8xi32> {
  // CHECK: strum.eltwise mul %{{.*}}, %{{.*}} lhs(#strum.rescale<zp = 5, multiplier = 1073741824, shift = 30, round = double>) shift 7
  // CHECK-SAME: (tensor<1x4x4x8xi8>, tensor<1x1x1x8xi8>) -> tensor<1x4x4x8xi32>
  // CHECK-NEXT: return
  %one = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s30 = "tosa.const"() <{values = dense<30> : tensor<1xi8>}> : () -> tensor<1xi8>
  %s7 = "tosa.const"() <{values = dense<7> : tensor<1xi8>}> : () -> tensor<1xi8>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %zx = "tosa.const"() <{values = dense<5> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.rescale %x, %one, %s30, %zx, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<1x4x4x8xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>, tensor<1xi32>) -> tensor<1x4x4x8xi32>
  %1 = tosa.cast %g : (tensor<1x1x1x8xi8>) -> tensor<1x1x1x8xi32>
  %2 = tosa.mul %0, %1, %s7 : (tensor<1x4x4x8xi32>, tensor<1x1x1x8xi32>, tensor<1xi8>) -> tensor<1x4x4x8xi32>
  return %2 : tensor<1x4x4x8xi32>
}

// -----

// CHECK-LABEL: func.func @plain
func.func @plain(%x: tensor<4xi32>, %y: tensor<4xi32>, %a: tensor<2xi8>, %b: tensor<1xi8>) -> (tensor<4xi32>, tensor<2xi32>) {
  // CHECK: strum.eltwise sub %{{.*}}, %{{.*}} : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  // CHECK: strum.eltwise max
  // CHECK: strum.eltwise min
  // CHECK: strum.eltwise mul %{{.*}}, %{{.*}} : (tensor<2xi8>, tensor<1xi8>) -> tensor<2xi32>
  %s = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.sub %x, %y : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  %1 = tosa.maximum %0, %y : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  %2 = tosa.minimum %1, %x : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  %3 = tosa.mul %a, %b, %s : (tensor<2xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<2xi32>
  return %2, %3 : tensor<4xi32>, tensor<2xi32>
}

// -----

// Does not apply: a rescale with a second user, or with one multiplier for each channel, stays before the layer.
// CHECK-LABEL: func.func @rescales_stay
func.func @rescales_stay(%x: tensor<1x2xi8>, %y: tensor<1x2xi8>) -> (tensor<1x2xi32>, tensor<1x2xi32>) {
  // CHECK-COUNT-2: tosa.rescale
  // CHECK: strum.eltwise add %{{.*}}, %{{.*}} : (tensor<1x2xi32>, tensor<1x2xi32>) -> tensor<1x2xi32>
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<30> : tensor<1xi8>}> : () -> tensor<1xi8>
  %mc = "tosa.const"() <{values = dense<1073741824> : tensor<2xi32>}> : () -> tensor<2xi32>
  %sc = "tosa.const"() <{values = dense<[30, 31]> : tensor<2xi8>}> : () -> tensor<2xi8>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %zx = "tosa.const"() <{values = dense<5> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.rescale %x, %m, %s, %zx, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<1x2xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>, tensor<1xi32>) -> tensor<1x2xi32>
  %1 = tosa.rescale %y, %mc, %sc, %zx, %z {input_unsigned = false, output_unsigned = false, per_channel = true, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<1x2xi8>, tensor<2xi32>, tensor<2xi8>, tensor<1xi8>, tensor<1xi32>) -> tensor<1x2xi32>
  %2 = tosa.add %0, %1 : (tensor<1x2xi32>, tensor<1x2xi32>) -> tensor<1x2xi32>
  return %2, %0 : tensor<1x2xi32>, tensor<1x2xi32>
}
