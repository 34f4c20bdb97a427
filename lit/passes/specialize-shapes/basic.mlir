// RUN: strum-opt %s --split-input-file --specialize-shapes=batch=2 | FileCheck %s

// As Keras and the converter of TFLite export: the batch is dynamic, and a slice reaches to its end.
// CHECK-LABEL: func.func @batch
// CHECK-SAME: (%[[X:.*]]: tensor<2x5x5x3xi8>) -> tensor<2x12xi8>
// CHECK: %[[FLAT:.*]] = tosa.const_shape {values = dense<[2, 12]> : tensor<2xindex>}
// CHECK: %[[ALL:.*]] = tosa.const_shape {values = dense<[2, 2, 2, 3]> : tensor<4xindex>}
// CHECK: %[[POOL:.*]] = tosa.max_pool2d %[[X]] {{.*}} -> tensor<2x3x3x3xi8>
// CHECK: %[[CUT:.*]] = tosa.slice %[[POOL]], %{{.*}}, %[[ALL]] : {{.*}} -> tensor<2x2x2x3xi8>
// CHECK: tosa.reshape %[[CUT]], %[[FLAT]] : {{.*}} -> tensor<2x12xi8>
func.func @batch(%x: tensor<?x5x5x3xi8>) -> tensor<?x12xi8> {
  %start = tosa.const_shape {values = dense<0> : tensor<4xindex>} : () -> !tosa.shape<4>
  %size = tosa.const_shape {values = dense<[-1, 2, 2, 3]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %flat = tosa.const_shape {values = dense<[-1, 12]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.max_pool2d %x {kernel = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<?x5x5x3xi8>) -> tensor<?x3x3x3xi8>
  %1 = tosa.slice %0, %start, %size : (tensor<?x3x3x3xi8>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<?x2x2x3xi8>
  %2 = tosa.reshape %1, %flat : (tensor<?x2x2x3xi8>, !tosa.shape<2>) -> tensor<?x12xi8>
  return %2 : tensor<?x12xi8>
}

// -----

// CHECK-LABEL: func.func @operators
// CHECK-SAME: -> (tensor<2x6x6x4xi32>, tensor<2x6x6x6xi32>, tensor<2x13x13x4xi32>, tensor<2x1x6x3xi8>, tensor<2x6x12x6xi8>, tensor<2x3x8x6xi8>, tensor<2x6x6xi32>, tensor<2x6x6x3xi1>, tensor<2x12x12x3xi8>)
func.func @operators(%x: tensor<?x6x6x3xi8>) -> (tensor<?x6x6x4xi32>, tensor<?x6x6x6xi32>, tensor<?x?x?x4xi32>, tensor<?x1x6x3xi8>, tensor<?x6x12x6xi8>, tensor<?x3x8x6xi8>, tensor<?x6x6xi32>, tensor<?x6x6x3xi1>, tensor<?x12x12x3xi8>) {
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %w = "tosa.const"() <{values = dense<1> : tensor<4x3x3x3xi8>}> : () -> tensor<4x3x3x3xi8>
  %b = "tosa.const"() <{values = dense<1> : tensor<1xi32>}> : () -> tensor<1xi32>
  %d = "tosa.const"() <{values = dense<1> : tensor<3x3x3x2xi8>}> : () -> tensor<3x3x3x2xi8>
  %one = "tosa.const"() <{values = dense<1> : tensor<1x1x1x1xi8>}> : () -> tensor<1x1x1x1xi8>
  %twice = tosa.const_shape {values = dense<[1, 1, 2, 2]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %around = tosa.const_shape {values = dense<[0, 0, 0, 0, 1, 1, 0, 0]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %scale = tosa.const_shape {values = dense<[4, 2, 4, 2]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %offset = tosa.const_shape {values = dense<[-1, -1]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %border = tosa.const_shape {values = dense<[1, 1]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 1, 1, 1, 1>, stride = array<i64: 1, 1>} : (tensor<?x6x6x3xi8>, tensor<4x3x3x3xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<?x6x6x4xi32>
  %1 = tosa.depthwise_conv2d %x, %d, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 1, 1, 1, 1>, stride = array<i64: 1, 1>} : (tensor<?x6x6x3xi8>, tensor<3x3x3x2xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<?x6x6x6xi32>
  %2 = tosa.transpose_conv2d %x, %w, %b, %z, %z {acc_type = i32, out_pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<?x6x6x3xi8>, tensor<4x3x3x3xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<?x?x?x4xi32>
  %3 = tosa.reduce_max %x {axis = 1 : i32} : (tensor<?x6x6x3xi8>) -> tensor<?x1x6x3xi8>
  %4 = tosa.tile %x, %twice : (tensor<?x6x6x3xi8>, !tosa.shape<4>) -> tensor<?x6x12x6xi8>
  %5 = tosa.transpose %x {perms = array<i32: 0, 3, 1, 2>} : (tensor<?x6x6x3xi8>) -> tensor<?x3x6x6xi8>
  %6 = tosa.pad %5, %around, %z : (tensor<?x3x6x6xi8>, !tosa.shape<8>, tensor<1xi8>) -> tensor<?x3x8x6xi8>
  %7 = tosa.argmax %x {axis = 3 : i32} : (tensor<?x6x6x3xi8>) -> tensor<?x6x6xi32>
  %8 = tosa.greater %one, %x : (tensor<1x1x1x1xi8>, tensor<?x6x6x3xi8>) -> tensor<?x6x6x3xi1>
  %9 = tosa.resize %x, %scale, %offset, %border {mode = NEAREST_NEIGHBOR} : (tensor<?x6x6x3xi8>, !tosa.shape<4>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<?x12x12x3xi8>
  return %0, %1, %2, %3, %4, %6, %7, %8, %9 : tensor<?x6x6x4xi32>, tensor<?x6x6x6xi32>, tensor<?x?x?x4xi32>, tensor<?x1x6x3xi8>, tensor<?x6x12x6xi8>, tensor<?x3x8x6xi8>, tensor<?x6x6xi32>, tensor<?x6x6x3xi1>, tensor<?x12x12x3xi8>
}

// -----

// CHECK-LABEL: func.func @products
// CHECK-SAME: -> (tensor<2x3x5xi32>, tensor<2x8x4xi8>, tensor<2x3x4xi8>)
func.func @products(%a: tensor<?x3x4xi8>, %b: tensor<?x4x5xi8>, %i: tensor<?x3xi32>) -> (tensor<?x3x5xi32>, tensor<?x8x4xi8>, tensor<?x3x4xi8>) {
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %more = "tosa.const"() <{values = dense<0> : tensor<2x5x4xi8>}> : () -> tensor<2x5x4xi8>
  %0 = tosa.matmul %a, %b, %z, %z : (tensor<?x3x4xi8>, tensor<?x4x5xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<?x3x5xi32>
  %1 = tosa.concat %a, %more {axis = 1 : i32} : (tensor<?x3x4xi8>, tensor<2x5x4xi8>) -> tensor<?x8x4xi8>
  %2 = tosa.gather %a, %i : (tensor<?x3x4xi8>, tensor<?x3xi32>) -> tensor<?x3x4xi8>
  return %0, %1, %2 : tensor<?x3x5xi32>, tensor<?x8x4xi8>, tensor<?x3x4xi8>
}
