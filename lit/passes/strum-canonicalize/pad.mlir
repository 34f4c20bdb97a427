// RUN: strum-opt %s --split-input-file --strum-canonicalize | FileCheck %s

// TFLite's PAD before a VALID convolution, with the input's zero point.
// CHECK-LABEL: func.func @pad_into_conv
// CHECK-SAME: (%[[X:.*]]: tensor<1x6x6x4xi8>
func.func @pad_into_conv(%x: tensor<1x6x6x4xi8>, %w: tensor<8x3x3x4xi8>, %b: tensor<8xi32>) -> tensor<1x4x5x8xi32> {
  // CHECK-NOT: tosa.pad
  // CHECK: tosa.conv2d %[[X]], {{.*}}pad = array<i64: 1, 2, 2, 3>, stride = array<i64: 2, 2>
  %p = tosa.const_shape {values = dense<[0, 0, 0, 2, 1, 3, 0, 0]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %z = "tosa.const"() <{values = dense<-3> : tensor<1xi8>}> : () -> tensor<1xi8>
  %wz = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.pad %x, %p, %z : (tensor<1x6x6x4xi8>, !tosa.shape<8>, tensor<1xi8>) -> tensor<1x8x10x4xi8>
  %1 = tosa.conv2d %0, %w, %b, %z, %wz {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 1, 0, 1, 0>, stride = array<i64: 2, 2>} : (tensor<1x8x10x4xi8>, tensor<8x3x3x4xi8>, tensor<8xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x5x8xi32>
  return %1 : tensor<1x4x5x8xi32>
}

// -----

// CHECK-LABEL: func.func @pad_into_depthwise
func.func @pad_into_depthwise(%x: tensor<1x6x6x4xi8>, %w: tensor<3x3x4x1xi8>, %b: tensor<4xi32>) -> tensor<1x6x6x4xi32> {
  // CHECK-NOT: tosa.pad
  // CHECK: tosa.depthwise_conv2d {{.*}}pad = array<i64: 1, 1, 1, 1>
  %p = tosa.const_shape {values = dense<[0, 0, 1, 1, 1, 1, 0, 0]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %z = "tosa.const"() <{values = dense<5> : tensor<1xi8>}> : () -> tensor<1xi8>
  %wz = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.pad %x, %p, %z : (tensor<1x6x6x4xi8>, !tosa.shape<8>, tensor<1xi8>) -> tensor<1x8x8x4xi8>
  %1 = tosa.depthwise_conv2d %0, %w, %b, %z, %wz {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x8x8x4xi8>, tensor<3x3x4x1xi8>, tensor<4xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x6x6x4xi32>
  return %1 : tensor<1x6x6x4xi32>
}

// -----

// A maximum ignores padding with the smallest value.
// CHECK-LABEL: func.func @pad_into_max_pool
func.func @pad_into_max_pool(%x: tensor<1x6x6x4xi8>) -> tensor<1x7x7x4xi8> {
  // CHECK-NOT: tosa.pad
  // CHECK: tosa.max_pool2d {{.*}}pad = array<i64: 1, 1, 1, 1>
  %p = tosa.const_shape {values = dense<[0, 0, 1, 1, 1, 1, 0, 0]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %z = "tosa.const"() <{values = dense<-128> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.pad %x, %p, %z : (tensor<1x6x6x4xi8>, !tosa.shape<8>, tensor<1xi8>) -> tensor<1x8x8x4xi8>
  %1 = tosa.max_pool2d %0 {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x8x8x4xi8>) -> tensor<1x7x7x4xi8>
  return %1 : tensor<1x7x7x4xi8>
}

// -----

// Does not apply: the value is not the zero point; the padding is not of height or width; the pool would see a value
// that is not the smallest; a window would lie in the padding alone; an average counts what it pads.
// CHECK-LABEL: func.func @stays
// CHECK-COUNT-5: tosa.pad
func.func @stays(%x: tensor<1x6x6x4xi8>, %w: tensor<8x3x3x4xi8>, %u: tensor<8x3x3x6xi8>, %b: tensor<8xi32>) -> (tensor<1x6x6x8xi32>, tensor<1x4x4x8xi32>, tensor<1x7x7x4xi8>, tensor<1x9x9x4xi8>, tensor<1x7x7x4xi8>) {
  %p = tosa.const_shape {values = dense<[0, 0, 1, 1, 1, 1, 0, 0]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %q = tosa.const_shape {values = dense<[0, 0, 0, 0, 0, 0, 1, 1]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %r = tosa.const_shape {values = dense<[0, 0, 2, 2, 2, 2, 0, 0]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %z = "tosa.const"() <{values = dense<5> : tensor<1xi8>}> : () -> tensor<1xi8>
  %low = "tosa.const"() <{values = dense<-128> : tensor<1xi8>}> : () -> tensor<1xi8>
  %wz = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.pad %x, %p, %wz : (tensor<1x6x6x4xi8>, !tosa.shape<8>, tensor<1xi8>) -> tensor<1x8x8x4xi8>
  %1 = tosa.conv2d %0, %w, %b, %z, %wz {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x8x8x4xi8>, tensor<8x3x3x4xi8>, tensor<8xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x6x6x8xi32>
  %2 = tosa.pad %x, %q, %z : (tensor<1x6x6x4xi8>, !tosa.shape<8>, tensor<1xi8>) -> tensor<1x6x6x6xi8>
  %3 = tosa.conv2d %2, %u, %b, %z, %wz {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x6x6x6xi8>, tensor<8x3x3x6xi8>, tensor<8xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x4x8xi32>
  %4 = tosa.pad %x, %p, %z : (tensor<1x6x6x4xi8>, !tosa.shape<8>, tensor<1xi8>) -> tensor<1x8x8x4xi8>
  %5 = tosa.max_pool2d %4 {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x8x8x4xi8>) -> tensor<1x7x7x4xi8>
  %6 = tosa.pad %x, %r, %low : (tensor<1x6x6x4xi8>, !tosa.shape<8>, tensor<1xi8>) -> tensor<1x10x10x4xi8>
  %7 = tosa.max_pool2d %6 {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x10x10x4xi8>) -> tensor<1x9x9x4xi8>
  %8 = tosa.pad %x, %p, %low : (tensor<1x6x6x4xi8>, !tosa.shape<8>, tensor<1xi8>) -> tensor<1x8x8x4xi8>
  %9 = tosa.avg_pool2d %8, %low, %low {acc_type = i32, kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x8x8x4xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x7x7x4xi8>
  return %1, %3, %5, %7, %9 : tensor<1x6x6x8xi32>, tensor<1x4x4x8xi32>, tensor<1x7x7x4xi8>, tensor<1x9x9x4xi8>, tensor<1x7x7x4xi8>
}
