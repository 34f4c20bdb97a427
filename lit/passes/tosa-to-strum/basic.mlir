// RUN: strum-opt %s --split-input-file --tosa-to-strum | FileCheck %s

// A whole layer: convolution, bias, per-channel rescale, clamp and table.
// CHECK: #[[$PPE:.*]] = #strum.ppe<multiplier = [1073741824, 1073741825], shift = [38, 39], round = double, zp = -7, clamp = [-60, 5], table = dense<9> : tensor<256xi8>>
// CHECK-LABEL: func.func @layer
// CHECK-SAME: (%[[X:.*]]: tensor<1x8x8x4xi8>
func.func @layer(%x: tensor<1x8x8x4xi8>) -> tensor<1x4x4x2xi8> {
  // CHECK-DAG: %[[W:.*]] = "tosa.const"() <{values = dense<1> : tensor<2x3x3x4xi8>}>
  // CHECK-DAG: %[[B:.*]] = "tosa.const"() <{values = dense<[5, -6]> : tensor<2xi32>}>
  // CHECK: %[[Y:.*]] = strum.conv2d %[[X]], %[[W]], %[[B]] strides [2, 2] pads [1, 0, 1, 0] input_zp -3
  // CHECK-SAME: ppe(#[[$PPE]]) : (tensor<1x8x8x4xi8>, tensor<2x3x3x4xi8>, tensor<2xi32>) -> tensor<1x4x4x2xi8>
  // CHECK-NEXT: return %[[Y]]
  %w = "tosa.const"() <{values = dense<1> : tensor<2x3x3x4xi8>}> : () -> tensor<2x3x3x4xi8>
  %b = "tosa.const"() <{values = dense<[5, -6]> : tensor<2xi32>}> : () -> tensor<2xi32>
  %z = "tosa.const"() <{values = dense<-3> : tensor<1xi8>}> : () -> tensor<1xi8>
  %wz = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %m = "tosa.const"() <{values = dense<[1073741824, 1073741825]> : tensor<2xi32>}> : () -> tensor<2xi32>
  %s = "tosa.const"() <{values = dense<[38, 39]> : tensor<2xi8>}> : () -> tensor<2xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %zo = "tosa.const"() <{values = dense<-7> : tensor<1xi8>}> : () -> tensor<1xi8>
  %t = "tosa.const"() <{values = dense<9> : tensor<256xi8>}> : () -> tensor<256xi8>
  %0 = tosa.conv2d %x, %w, %b, %z, %wz {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 1, 0, 1, 0>, stride = array<i64: 2, 2>} : (tensor<1x8x8x4xi8>, tensor<2x3x3x4xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x4x2xi32>
  %1 = tosa.rescale %0, %m, %s, %zi, %zo {input_unsigned = false, output_unsigned = false, per_channel = true, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<1x4x4x2xi32>, tensor<2xi32>, tensor<2xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<1x4x4x2xi8>
  %2 = tosa.clamp %1 {max_val = 5 : i8, min_val = -60 : i8} : (tensor<1x4x4x2xi8>) -> tensor<1x4x4x2xi8>
  %3 = tosa.table %2, %t : (tensor<1x4x4x2xi8>, tensor<256xi8>) -> tensor<1x4x4x2xi8>
  return %3 : tensor<1x4x4x2xi8>
}

// -----

// Without a rescale the accumulators are the result; the second user of an accumulator keeps the rescale apart.
// CHECK-LABEL: func.func @accumulators
func.func @accumulators(%x: tensor<1x8x8x4xi8>, %w: tensor<2x1x1x4xi8>) -> (tensor<1x8x8x2xi32>, tensor<1x8x8x2xi8>) {
  // CHECK: %[[A:.*]] = strum.conv2d %{{.*}}, %{{.*}}, %{{.*}} weight_zp 4 : ({{.*}}) -> tensor<1x8x8x2xi32>
  // CHECK: %[[R:.*]] = tosa.rescale %[[A]]
  // CHECK: return %[[A]], %[[R]]
  %b = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %wz = "tosa.const"() <{values = dense<4> : tensor<1xi8>}> : () -> tensor<1xi8>
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<38> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %0 = tosa.conv2d %x, %w, %b, %z, %wz {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x8x8x4xi8>, tensor<2x1x1x4xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x8x8x2xi32>
  %1 = tosa.rescale %0, %m, %s, %zi, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<1x8x8x2xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<1x8x8x2xi8>
  return %0, %1 : tensor<1x8x8x2xi32>, tensor<1x8x8x2xi8>
}

// -----

// The slice that TOSA's exact-size rule requires before a strided 1x1 convolution is removed: the layer rounds down.
// CHECK-LABEL: func.func @floor
// CHECK-SAME: (%[[X:.*]]: tensor<1x16x16x4xi8>
func.func @floor(%x: tensor<1x16x16x4xi8>, %w: tensor<2x1x1x4xi8>) -> tensor<1x8x8x2xi32> {
  // CHECK-NOT: tosa.slice
  // CHECK: strum.conv2d %[[X]], {{.*}} strides [2, 2] : (tensor<1x16x16x4xi8>, tensor<2x1x1x4xi8>, tensor<1xi32>) -> tensor<1x8x8x2xi32>
  %b = "tosa.const"() <{values = dense<3> : tensor<1xi32>}> : () -> tensor<1xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %st = tosa.const_shape {values = dense<0> : tensor<4xindex>} : () -> !tosa.shape<4>
  %si = tosa.const_shape {values = dense<[1, 15, 15, 4]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = tosa.slice %x, %st, %si : (tensor<1x16x16x4xi8>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x15x15x4xi8>
  %1 = tosa.conv2d %0, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x15x15x4xi8>, tensor<2x1x1x4xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x8x8x2xi32>
  return %1 : tensor<1x8x8x2xi32>
}

// -----

// Does not apply: two more rows would make another output row; a slice that begins elsewhere; padding after the slice.
// CHECK-LABEL: func.func @slice_stays
func.func @slice_stays(%x: tensor<1x16x16x4xi8>, %w: tensor<2x1x1x4xi8>, %v: tensor<2x3x3x4xi8>) -> (tensor<1x7x7x2xi32>, tensor<1x8x8x2xi32>, tensor<1x8x8x2xi32>) {
  // CHECK-COUNT-3: tosa.slice
  %b = "tosa.const"() <{values = dense<3> : tensor<1xi32>}> : () -> tensor<1xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %s0 = tosa.const_shape {values = dense<0> : tensor<4xindex>} : () -> !tosa.shape<4>
  %s1 = tosa.const_shape {values = dense<[0, 1, 1, 0]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %i13 = tosa.const_shape {values = dense<[1, 13, 13, 4]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %i15 = tosa.const_shape {values = dense<[1, 15, 15, 4]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = tosa.slice %x, %s0, %i13 : (tensor<1x16x16x4xi8>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x13x13x4xi8>
  %1 = tosa.conv2d %0, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x13x13x4xi8>, tensor<2x1x1x4xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x7x7x2xi32>
  %2 = tosa.slice %x, %s1, %i15 : (tensor<1x16x16x4xi8>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x15x15x4xi8>
  %3 = tosa.conv2d %2, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x15x15x4xi8>, tensor<2x1x1x4xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x8x8x2xi32>
  %4 = tosa.slice %x, %s0, %i15 : (tensor<1x16x16x4xi8>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x15x15x4xi8>
  %5 = tosa.conv2d %4, %v, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 1, 1, 1, 1>, stride = array<i64: 2, 2>} : (tensor<1x15x15x4xi8>, tensor<2x3x3x4xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x8x8x2xi32>
  return %1, %3, %5 : tensor<1x7x7x2xi32>, tensor<1x8x8x2xi32>, tensor<1x8x8x2xi32>
}

// -----

// CHECK-LABEL: func.func @depthwise
func.func @depthwise(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x2xi8>) -> tensor<1x8x8x8xi16> {
  // CHECK: strum.depthwise_conv2d %{{.*}} pads [1, 1, 1, 1] ppe(#strum.ppe<multiplier = [20000], shift = [17], round = single, zp = 0, clamp = [-32768, 32767]>)
  // CHECK-SAME: -> tensor<1x8x8x8xi16>
  %b = "tosa.const"() <{values = dense<3> : tensor<8xi32>}> : () -> tensor<8xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %m = "tosa.const"() <{values = dense<20000> : tensor<1xi16>}> : () -> tensor<1xi16>
  %s = "tosa.const"() <{values = dense<17> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %zo = "tosa.const"() <{values = dense<0> : tensor<1xi16>}> : () -> tensor<1xi16>
  %0 = tosa.depthwise_conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 1, 1, 1, 1>, stride = array<i64: 1, 1>} : (tensor<1x8x8x4xi8>, tensor<3x3x4x2xi8>, tensor<8xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x8x8x8xi32>
  %1 = tosa.rescale %0, %m, %s, %zi, %zo {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = false} : (tensor<1x8x8x8xi32>, tensor<1xi16>, tensor<1xi8>, tensor<1xi32>, tensor<1xi16>) -> tensor<1x8x8x8xi16>
  return %1 : tensor<1x8x8x8xi16>
}

// -----

// A bias that is not constant is added by a layer of its own.
// CHECK-LABEL: func.func @dynamic_bias
// CHECK-SAME: %[[X:[^:]*]]: tensor<1x8x8x4xi8>, %[[W:[^:]*]]: tensor<2x1x1x4xi8>, %[[B:[^:]*]]: tensor<2xi32>
func.func @dynamic_bias(%x: tensor<1x8x8x4xi8>, %w: tensor<2x1x1x4xi8>, %b: tensor<2xi32>) -> tensor<1x8x8x2xi8> {
  // CHECK: %[[A:.*]] = strum.conv2d %[[X]], %[[W]] : (tensor<1x8x8x4xi8>, tensor<2x1x1x4xi8>) -> tensor<1x8x8x2xi32>
  // CHECK: %[[R:.*]] = tosa.reshape %[[B]], %{{.*}} -> tensor<1x1x1x2xi32>
  // CHECK: %[[Y:.*]] = strum.eltwise add %[[A]], %[[R]] ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>)
  // CHECK: return %[[Y]]
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<38> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %0 = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x8x8x4xi8>, tensor<2x1x1x4xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x8x8x2xi32>
  %1 = tosa.rescale %0, %m, %s, %zi, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<1x8x8x2xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<1x8x8x2xi8>
  return %1 : tensor<1x8x8x2xi8>
}
