// RUN: strum-opt %s --split-input-file --expand-operators | FileCheck %s

// A kernel as large as the stride, as decoders have it: every phase has one tap, and all are one convolution, whose results are
// interleaved. The rescale is applied before they move.
// CHECK-LABEL: func.func @decoder
// CHECK-SAME: (%[[X:.*]]: tensor<1x8x8x4xi8>)
// CHECK: %[[W:.*]] = "tosa.const"() <{values = dense<1> : tensor<8x1x1x4xi8>}>
// CHECK: %[[B:.*]] = "tosa.const"() <{values = dense<[5, 6, 5, 6, 5, 6, 5, 6]> : tensor<8xi32>}>
// CHECK: %[[SUMS:.*]] = tosa.conv2d %[[X]], %[[W]], %[[B]], %{{.*}}, %{{.*}} {{.*}} -> tensor<1x8x8x8xi32>
// CHECK: %[[CODES:.*]] = tosa.rescale %[[SUMS]], {{.*}} -> tensor<1x8x8x8xi8>
// CHECK: %[[PIXELS:.*]] = tosa.reshape %[[CODES]], %{{.*}} -> tensor<8x8x2x4xi8>
// CHECK: %[[ROWS:.*]] = tosa.transpose %[[PIXELS]] {perms = array<i32: 0, 2, 1, 3>}
func.func @decoder(%x: tensor<1x8x8x4xi8>) -> tensor<1x16x16x2xi8> {
  %w = "tosa.const"() <{values = dense<1> : tensor<2x2x2x4xi8>}> : () -> tensor<2x2x2x4xi8>
  %b = "tosa.const"() <{values = dense<[5, 6]> : tensor<2xi32>}> : () -> tensor<2xi32>
  %z = "tosa.const"() <{values = dense<-3> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zw = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %za = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %m = "tosa.const"() <{values = dense<[1073741824, 1200000000]> : tensor<2xi32>}> : () -> tensor<2xi32>
  %s = "tosa.const"() <{values = dense<[38, 39]> : tensor<2xi8>}> : () -> tensor<2xi8>
  %0 = tosa.transpose_conv2d %x, %w, %b, %z, %zw {acc_type = i32, out_pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x8x8x4xi8>, tensor<2x2x2x4xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x16x16x2xi32>
  %1 = tosa.rescale %0, %m, %s, %za, %z {input_unsigned = false, output_unsigned = false, per_channel = true, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<1x16x16x2xi32>, tensor<2xi32>, tensor<2xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<1x16x16x2xi8>
  return %1 : tensor<1x16x16x2xi8>
}

// -----

// Phases with 2 taps and with 1: four convolutions with the taps of each, the last one first. The cast is applied to each.
// CHECK-LABEL: func.func @overlap
// CHECK-DAG: %[[W01:.*]] = "tosa.const"() <{values = dense<{{\[\[\[\[8\]\], \[\[2\]\]\]\]}}> : tensor<1x2x1x1xi8>}>
// CHECK-DAG: %[[W00:.*]] = "tosa.const"() <{values = dense<{{\[\[\[\[9\], \[7\]\], \[\[3\], \[1\]\]\]\]}}> : tensor<1x2x2x1xi8>}>
// CHECK-DAG: %[[W11:.*]] = "tosa.const"() <{values = dense<5> : tensor<1x1x1x1xi8>}>
// CHECK-DAG: %[[W10:.*]] = "tosa.const"() <{values = dense<{{\[\[\[\[6\], \[4\]\]\]\]}}> : tensor<1x1x2x1xi8>}>
// CHECK: tosa.conv2d %{{.*}}, %[[W01]], {{.*}} pad = array<i64: 1, 0, 0, 0>
// CHECK: tosa.cast
// CHECK: tosa.conv2d %{{.*}}, %[[W00]], {{.*}} pad = array<i64: 1, 0, 0, 1>
// CHECK: tosa.cast
// CHECK: tosa.concat {{.*}} -> tensor<4x4x1x2xi8>
// CHECK: tosa.conv2d %{{.*}}, %[[W11]], {{.*}} pad = array<i64: 0, 0, 0, 0>
// CHECK: tosa.conv2d %{{.*}}, %[[W10]], {{.*}} pad = array<i64: 0, 0, 0, 1>
// CHECK: tosa.concat {{.*}} -> tensor<4x4x1x2xi8>
// CHECK: tosa.concat {{.*}} {axis = 2 : i32} {{.*}} -> tensor<1x4x2x8xi8>
// CHECK: %[[Y:.*]] = tosa.reshape {{.*}} -> tensor<1x8x8x1xi8>
// CHECK-NEXT: return %[[Y]]
func.func @overlap(%x: tensor<1x4x4x1xi8>) -> tensor<1x8x8x1xi8> {
  %w = "tosa.const"() <{values = dense<[[[[1], [2], [3]], [[4], [5], [6]], [[7], [8], [9]]]]> : tensor<1x3x3x1xi8>}> : () -> tensor<1x3x3x1xi8>
  %b = "tosa.const"() <{values = dense<5> : tensor<1xi32>}> : () -> tensor<1xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.transpose_conv2d %x, %w, %b, %z, %z {acc_type = i32, out_pad = array<i64: 0, -1, -1, 0>, stride = array<i64: 2, 2>} : (tensor<1x4x4x1xi8>, tensor<1x3x3x1xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x8x8x1xi32>
  %1 = tosa.cast %0 : (tensor<1x8x8x1xi32>) -> tensor<1x8x8x1xi8>
  return %1 : tensor<1x8x8x1xi8>
}

// -----

// Outputs that no tap reaches are the bias, which is a constant. Of the last phase, one output more is computed than there are.
// CHECK-LABEL: func.func @unreached
// CHECK-DAG: %[[REST:.*]] = "tosa.const"() <{values = dense<5> : tensor<2x1x1x2xi32>}>
// CHECK-DAG: %[[ROWS:.*]] = "tosa.const"() <{values = dense<5> : tensor<1x2x2x3xi32>}>
// CHECK: %[[SUMS:.*]] = tosa.conv2d {{.*}} -> tensor<1x2x1x1xi32>
// CHECK: %[[LINE:.*]] = tosa.concat %{{.*}}, %[[REST]] {axis = 3 : i32}
// CHECK: tosa.concat %{{.*}}, %[[ROWS]] {axis = 2 : i32} {{.*}} -> tensor<1x2x3x3xi32>
// CHECK: tosa.slice {{.*}} -> tensor<1x4x3x1xi32>
func.func @unreached(%x: tensor<1x2x1x1xi8>) -> tensor<1x4x3x1xi32> {
  %w = "tosa.const"() <{values = dense<7> : tensor<1x1x1x1xi8>}> : () -> tensor<1x1x1x1xi8>
  %b = "tosa.const"() <{values = dense<5> : tensor<1xi32>}> : () -> tensor<1xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.transpose_conv2d %x, %w, %b, %z, %z {acc_type = i32, out_pad = array<i64: 0, 0, 0, 2>, stride = array<i64: 3, 3>} : (tensor<1x2x1x1xi8>, tensor<1x1x1x1xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x3x1xi32>
  return %0 : tensor<1x4x3x1xi32>
}

// -----

// Weights that are computed are cut and put together again by ops.
// CHECK-LABEL: func.func @computed_weights
// CHECK-SAME: %[[W:[a-z0-9]*]]: tensor<1x1x3x1xi8>
// CHECK: %[[ROWS:.*]] = tosa.reshape %[[W]], {{.*}} -> tensor<1x1x1x3x1xi8>
// CHECK: %[[MIDDLE:.*]] = tosa.slice %[[ROWS]]
// CHECK: %[[TAP:.*]] = tosa.reshape %[[MIDDLE]], {{.*}} -> tensor<1x1x1x1xi8>
// CHECK: tosa.conv2d %{{.*}}, %[[TAP]]
// CHECK: %[[TAPS:.*]] = tosa.concat %{{.*}}, %{{.*}} {axis = 3 : i32} {{.*}} -> tensor<1x1x1x2x1x1xi8>
// CHECK: %[[BOTH:.*]] = tosa.reshape %[[TAPS]], {{.*}} -> tensor<1x1x2x1xi8>
// CHECK: tosa.conv2d %{{.*}}, %[[BOTH]]
func.func @computed_weights(%x: tensor<1x1x4x1xi8>, %w: tensor<1x1x3x1xi8>) -> tensor<1x1x8x1xi32> {
  %b = "tosa.const"() <{values = dense<5> : tensor<1xi32>}> : () -> tensor<1xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.transpose_conv2d %x, %w, %b, %z, %z {acc_type = i32, out_pad = array<i64: 0, 0, -1, 0>, stride = array<i64: 1, 2>} : (tensor<1x1x4x1xi8>, tensor<1x1x3x1xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x1x8x1xi32>
  return %0 : tensor<1x1x8x1xi32>
}

// -----

// The depths that the kernel covers become channels. In depth, too, padding is the zero point.
// CHECK-LABEL: func.func @volume
// CHECK-SAME: %[[X:.*]]: tensor<1x3x4x4x2xi8>
// CHECK-DAG: %[[W:.*]] = "tosa.const"() <{values = dense<{{.*}}> : tensor<1x1x1x4xi8>}>
// CHECK-DAG: %[[OUTSIDE:.*]] = "tosa.const"() <{values = dense<9> : tensor<1x1x4x4x2xi8>}>
// CHECK: %[[PADDED:.*]] = tosa.concat %[[OUTSIDE]], %[[X]] {axis = 1 : i32}
// CHECK: %[[STEPS:.*]] = tosa.reshape %[[PADDED]], {{.*}} -> tensor<1x2x2x32xi8>
// CHECK: tosa.slice %[[STEPS]], {{.*}} -> tensor<1x2x1x32xi8>
// CHECK: tosa.slice %[[STEPS]], {{.*}} -> tensor<1x2x1x32xi8>
// CHECK: %[[CHANNELS:.*]] = tosa.concat {{.*}} {axis = 3 : i32} {{.*}} -> tensor<2x4x4x4xi8>
// CHECK: %[[SUMS:.*]] = tosa.conv2d %[[CHANNELS]], %[[W]], {{.*}} pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 3>
// CHECK: tosa.reshape %[[SUMS]], {{.*}} -> tensor<1x2x4x2x1xi32>
func.func @volume(%x: tensor<1x3x4x4x2xi8>) -> tensor<1x2x4x2x1xi32> {
  %w = "tosa.const"() <{values = dense<[[[[[1, 2]]], [[[3, 4]]]]]> : tensor<1x2x1x1x2xi8>}> : () -> tensor<1x2x1x1x2xi8>
  %b = "tosa.const"() <{values = dense<5> : tensor<1xi32>}> : () -> tensor<1xi32>
  %z = "tosa.const"() <{values = dense<9> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.conv3d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1, 1>, pad = array<i64: 1, 0, 0, 0, 0, 0>, stride = array<i64: 2, 1, 3>} : (tensor<1x3x4x4x2xi8>, tensor<1x2x1x1x2xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x2x4x2x1xi32>
  return %0 : tensor<1x2x4x2x1xi32>
}

// -----

// Nothing moves where the kernel has one tap in depth.
// CHECK-LABEL: func.func @planes
// CHECK-SAME: %[[X:.*]]: tensor<1x3x4x4x2xi8>
// CHECK: %[[IMAGES:.*]] = tosa.reshape %[[X]], {{.*}} -> tensor<3x4x4x2xi8>
// CHECK-NEXT: %[[SUMS:.*]] = tosa.conv2d %[[IMAGES]], {{.*}} dilation = array<i64: 1, 2>, pad = array<i64: 1, 0, 0, 2>
// CHECK-NEXT: tosa.reshape %[[SUMS]], {{.*}} -> tensor<1x3x4x4x1xi32>
func.func @planes(%x: tensor<1x3x4x4x2xi8>) -> tensor<1x3x4x4x1xi32> {
  %w = "tosa.const"() <{values = dense<1> : tensor<1x1x2x2x2xi8>}> : () -> tensor<1x1x2x2x2xi8>
  %b = "tosa.const"() <{values = dense<5> : tensor<1xi32>}> : () -> tensor<1xi32>
  %z = "tosa.const"() <{values = dense<9> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.conv3d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1, 2>, pad = array<i64: 0, 0, 1, 0, 0, 2>, stride = array<i64: 1, 1, 1>} : (tensor<1x3x4x4x2xi8>, tensor<1x1x2x2x2xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x3x4x4x1xi32>
  return %0 : tensor<1x3x4x4x1xi32>
}

// -----

// Many copies are copies of copies.
// CHECK-LABEL: func.func @tile
// CHECK-SAME: %[[X:.*]]: tensor<2x3xi16>
// CHECK: %[[TWICE:.*]] = tosa.concat %[[X]], %[[X]] {axis = 1 : i32} {{.*}} -> tensor<2x6xi16>
// CHECK: %[[SIXTEEN:.*]] = tosa.concat %[[TWICE]], %[[TWICE]], %[[TWICE]], %[[TWICE]], %[[TWICE]], %[[TWICE]], %[[TWICE]], %[[TWICE]], %[[X]] {axis = 1 : i32} {{.*}} -> tensor<2x51xi16>
// CHECK: tosa.concat %[[SIXTEEN]], %[[SIXTEEN]], %[[SIXTEEN]] {axis = 0 : i32} {{.*}} -> tensor<6x51xi16>
func.func @tile(%x: tensor<2x3xi16>) -> tensor<6x51xi16> {
  %n = tosa.const_shape {values = dense<[3, 17]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.tile %x, %n : (tensor<2x3xi16>, !tosa.shape<2>) -> tensor<6x51xi16>
  return %0 : tensor<6x51xi16>
}

// -----

// CHECK-LABEL: func.func @reverse
// CHECK-SAME: %[[X:.*]]: tensor<2x3x4xi8>
// CHECK: %[[C:.*]] = tosa.slice
// CHECK: %[[B:.*]] = tosa.slice
// CHECK: %[[A:.*]] = tosa.slice
// CHECK: %[[Y:.*]] = tosa.concat %[[C]], %[[B]], %[[A]] {axis = 1 : i32}
// CHECK-NEXT: return %[[Y]]
func.func @reverse(%x: tensor<2x3x4xi8>) -> tensor<2x3x4xi8> {
  %0 = tosa.reverse %x {axis = 1 : i32} : (tensor<2x3x4xi8>) -> tensor<2x3x4xi8>
  return %0 : tensor<2x3x4xi8>
}

// -----

// Operators on shapes, and the extent of a tensor.
// CHECK-LABEL: func.func @shapes
// CHECK: %[[SHAPE:.*]] = tosa.const_shape {values = dense<[3, 8]> : tensor<2xindex>}
// CHECK-NEXT: %[[Y:.*]] = tosa.reshape %{{.*}}, %[[SHAPE]]
// CHECK-NEXT: return %[[Y]]
func.func @shapes(%x: tensor<2x3x4xi8>) -> tensor<3x8xi8> {
  %two = tosa.const_shape {values = dense<2> : tensor<1xindex>} : () -> !tosa.shape<1>
  %rows = tosa.dim %x {axis = 1 : i32} : (tensor<2x3x4xi8>) -> !tosa.shape<1>
  %four = tosa.add_shape %two, %two : (!tosa.shape<1>, !tosa.shape<1>) -> !tosa.shape<1>
  %eight = tosa.mul_shape %two, %four : (!tosa.shape<1>, !tosa.shape<1>) -> !tosa.shape<1>
  %shape = tosa.concat_shape %rows, %eight : (!tosa.shape<1>, !tosa.shape<1>) -> !tosa.shape<2>
  %0 = tosa.reshape %x, %shape : (tensor<2x3x4xi8>, !tosa.shape<2>) -> tensor<3x8xi8>
  return %0 : tensor<3x8xi8>
}

// -----

// A slice of a shape.
// CHECK-LABEL: func.func @part
// CHECK: tosa.const_shape {values = dense<[6, 4]> : tensor<2xindex>}
// CHECK-NOT: slice_shape
func.func @part(%x: tensor<2x3x4xi8>) -> tensor<6x4xi8> {
  %all = tosa.const_shape {values = dense<[2, 6, 4]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %start = "tosa.const"() <{values = dense<1> : tensor<1xi32>}> : () -> tensor<1xi32>
  %size = "tosa.const"() <{values = dense<2> : tensor<1xi32>}> : () -> tensor<1xi32>
  %shape = tosa.slice_shape %all, %start, %size : (!tosa.shape<3>, tensor<1xi32>, tensor<1xi32>) -> !tosa.shape<2>
  %0 = tosa.reshape %x, %shape : (tensor<2x3x4xi8>, !tosa.shape<2>) -> tensor<6x4xi8>
  return %0 : tensor<6x4xi8>
}

// -----

// 16-bit activations: one convolution of the high bytes and one of the low ones, whose sums fit 32 bits.
// CHECK-LABEL: func.func @int16
// CHECK-SAME: (%[[X:.*]]: tensor<1x4x4x2xi16>)
// CHECK: %[[H16:.*]] = tosa.arithmetic_right_shift %[[X]], %{{.*}} {round = false}
// CHECK: %[[H:.*]] = tosa.cast %[[H16]] : (tensor<1x4x4x2xi16>) -> tensor<1x4x4x2xi8>
// CHECK: %[[L16:.*]] = tosa.bitwise_xor %[[X]], %{{.*}}
// CHECK: %[[L:.*]] = tosa.cast %[[L16]] : (tensor<1x4x4x2xi16>) -> tensor<1x4x4x2xi8>
// CHECK: %[[HIGH:.*]] = tosa.conv2d %[[H]], %[[W:[^,]*]], %{{.*}} {acc_type = i32, {{.*}} -> tensor<1x4x4x2xi32>
// CHECK: %[[LOW:.*]] = tosa.conv2d %[[L]], %[[W]], %{{.*}} {acc_type = i32, {{.*}} -> tensor<1x4x4x2xi32>
// CHECK: %[[SHIFTED:.*]] = tosa.rescale %[[HIGH]], {{.*}} -> tensor<1x4x4x2xi32>
// CHECK: %[[SUMS:.*]] = tosa.add %[[SHIFTED]], %[[LOW]]
// CHECK: %[[CODES:.*]] = tosa.rescale %[[SUMS]], {{.*}} scale32 = false} {{.*}} -> tensor<1x4x4x2xi16>
// CHECK: return %[[CODES]]
func.func @int16(%x: tensor<1x4x4x2xi16>) -> tensor<1x4x4x2xi16> {
  %w = "tosa.const"() <{values = dense<3> : tensor<2x1x1x2xi8>}> : () -> tensor<2x1x1x2xi8>
  %b = "tosa.const"() <{values = dense<[-70000, 5]> : tensor<2xi48>}> : () -> tensor<2xi48>
  %z48 = "tosa.const"() <{values = dense<0> : tensor<1xi48>}> : () -> tensor<1xi48>
  %zx = "tosa.const"() <{values = dense<0> : tensor<1xi16>}> : () -> tensor<1xi16>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %m = "tosa.const"() <{values = dense<16384> : tensor<1xi16>}> : () -> tensor<1xi16>
  %s = "tosa.const"() <{values = dense<16> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.conv2d %x, %w, %b, %zx, %z {acc_type = i48, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x2xi16>, tensor<2x1x1x2xi8>, tensor<2xi48>, tensor<1xi16>, tensor<1xi8>) -> tensor<1x4x4x2xi48>
  %1 = tosa.rescale %0, %m, %s, %z48, %zx {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = false} : (tensor<1x4x4x2xi48>, tensor<1xi16>, tensor<1xi8>, tensor<1xi48>, tensor<1xi16>) -> tensor<1x4x4x2xi16>
  return %1 : tensor<1x4x4x2xi16>
}

// -----

// Weights of 4 bits become bytes, and the layer is marked; those that are an input stay, and are refused later.
// CHECK-LABEL: func.func @narrow
// CHECK-SAME: %[[V:[a-z0-9]+]]: tensor<1x1x1x2xi4>)
// CHECK: %[[W:.*]] = "tosa.const"() <{values = dense<{{.*}}> : tensor<1x2x1x1xi8>}>
// CHECK: tosa.conv2d {{.*}}strum.int4{{.*}} -> tensor<1x3x1x2xi32>
// CHECK: tosa.depthwise_conv2d %{{.*}}, %[[W]], {{.*}}strum.int4{{.*}} -> tensor<1x4x1x1xi32>
// CHECK: tosa.depthwise_conv2d %{{.*}}, %[[V]], {{.*}}stride = array<i64: 1, 1>} : {{.*}} -> tensor<1x4x2x2xi32>
func.func @narrow(%x: tensor<1x4x2x1xi8>, %y: tensor<1x2x4x2x1xi8>, %v: tensor<1x1x1x2xi4>) -> (tensor<1x1x3x1x2xi32>, tensor<1x4x1x1xi32>, tensor<1x4x2x2xi32>) {
  %w3 = "tosa.const"() <{values = dense<-1> : tensor<2x2x2x2x1xi4>}> : () -> tensor<2x2x2x2x1xi4>
  %w = "tosa.const"() <{values = dense<[[[[-8]], [[7]]]]> : tensor<1x2x1x1xi4>}> : () -> tensor<1x2x1x1xi4>
  %b = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %wz = "tosa.const"() <{values = dense<0> : tensor<1xi4>}> : () -> tensor<1xi4>
  %0 = tosa.conv3d %y, %w3, %b, %z, %wz {acc_type = i32, dilation = array<i64: 1, 1, 1>, pad = array<i64: 0, 0, 0, 0, 0, 0>, stride = array<i64: 1, 1, 1>} : (tensor<1x2x4x2x1xi8>, tensor<2x2x2x2x1xi4>, tensor<1xi32>, tensor<1xi8>, tensor<1xi4>) -> tensor<1x1x3x1x2xi32>
  %1 = tosa.depthwise_conv2d %x, %w, %b, %z, %wz {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x2x1xi8>, tensor<1x2x1x1xi4>, tensor<1xi32>, tensor<1xi8>, tensor<1xi4>) -> tensor<1x4x1x1xi32>
  %2 = tosa.depthwise_conv2d %x, %v, %b, %z, %wz {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x2x1xi8>, tensor<1x1x1x2xi4>, tensor<1xi32>, tensor<1xi8>, tensor<1xi4>) -> tensor<1x4x2x2xi32>
  return %0, %1, %2 : tensor<1x1x3x1x2xi32>, tensor<1x4x1x1xi32>, tensor<1x4x2x2xi32>
}
