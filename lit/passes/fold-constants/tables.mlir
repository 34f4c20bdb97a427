// Constants of other types, and tables of integers, as torch-mlir writes them to TOSA.
// RUN: strum-opt %s --fold-constants --canonicalize-layout | FileCheck %s

// CHECK-LABEL: func.func @types
// CHECK-DAG: dense<{{\[\[}}1.150000e+01, -1.400000e+01{{\]\]}}> : tensor<1x2xf32>
// CHECK-DAG: dense<{{\[\[}}2.500000e-01, 0xFF800000{{\]\]}}> : tensor<1x2xf32>
func.func @types(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %a = "tosa.const"() <{values = dense<[[1.5, -2.0]]> : tensor<1x2xf16>}> : () -> tensor<1x2xf16>
  %b = "tosa.const"() <{values = dense<[[3.0, -4.0]]> : tensor<1x2xbf16>}> : () -> tensor<1x2xbf16>
  %c = "tosa.const"() <{values = dense<[[7, -8]]> : tensor<1x2xi8>}> : () -> tensor<1x2xi8>
  %d = arith.constant dense<[[0.25, -1.7976931348623157E+308]]> : tensor<1x2xf64>
  %a32 = tosa.cast %a : (tensor<1x2xf16>) -> tensor<1x2xf32>
  %b32 = tosa.cast %b : (tensor<1x2xbf16>) -> tensor<1x2xf32>
  %c32 = tosa.cast %c : (tensor<1x2xi8>) -> tensor<1x2xf32>
  %d32 = tosa.cast %d : (tensor<1x2xf64>) -> tensor<1x2xf32>
  %0 = tosa.add %a32, %b32 : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %1 = tosa.add %0, %c32 : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %low = tosa.minimum %1, %d32 : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  // Constants are folded where they are read, and are written where the network changes: two reshapes are none.
  %column = tosa.const_shape {values = dense<[2, 1]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %row = tosa.const_shape {values = dense<[1, 2]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %turned = tosa.reshape %x, %column : (tensor<1x2xf32>, !tosa.shape<2>) -> tensor<2x1xf32>
  %back = tosa.reshape %turned, %row : (tensor<2x1xf32>, !tosa.shape<2>) -> tensor<1x2xf32>
  %2 = tosa.add %back, %1 : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %3 = tosa.maximum %2, %low : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  return %3 : tensor<1x2xf32>
}

// A gather from a list of pixels, at positions row · 2 + column: rows 1 and 0, columns 0, 0, 1.
// CHECK-LABEL: func.func @gather
// CHECK-NOT: tosa.gather
// CHECK: tosa.concat {{.*}} {axis = 0 : i32} {{.*}} -> tensor<2x2xf32>
// CHECK: tosa.concat {{.*}} {axis = 1 : i32} {{.*}} -> tensor<4x2x1xf32>
// CHECK: tosa.slice {{.*}} -> tensor<2x3xf32>
// CHECK-NEXT: return
func.func @gather(%x: tensor<2x2xf32>) -> tensor<2x3xf32> {
  %pairs = "tosa.const"() <{values = dense<[[1, 0], [1, 0], [1, 1], [0, 0], [0, 0], [0, 1]]> : tensor<6x2xi32>}> : () -> tensor<6x2xi32>
  %strides = "tosa.const"() <{values = dense<[[2, 1]]> : tensor<1x2xi32>}> : () -> tensor<1x2xi32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %list = tosa.const_shape {values = dense<[1, 4, 1]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %row = tosa.const_shape {values = dense<[1, 6]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %whole = tosa.const_shape {values = dense<[2, 3]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.reshape %x, %list : (tensor<2x2xf32>, !tosa.shape<3>) -> tensor<1x4x1xf32>
  %1 = tosa.mul %pairs, %strides, %shift : (tensor<6x2xi32>, tensor<1x2xi32>, tensor<1xi8>) -> tensor<6x2xi32>
  %2 = tosa.reduce_sum %1 {axis = 1 : i32} : (tensor<6x2xi32>) -> tensor<6x1xi32>
  %3 = tosa.reshape %2, %row : (tensor<6x1xi32>, !tosa.shape<2>) -> tensor<1x6xi32>
  %4 = tosa.gather %0, %3 : (tensor<1x4x1xf32>, tensor<1x6xi32>) -> tensor<1x6x1xf32>
  %5 = tosa.reshape %4, %whole : (tensor<1x6x1xf32>, !tosa.shape<2>) -> tensor<2x3xf32>
  return %5 : tensor<2x3xf32>
}

// A gather along an axis.
// CHECK-LABEL: func.func @shuffle
// CHECK: tosa.concat {{.*}} {axis = 1 : i32} {{.*}} -> tensor<1x3x2xf32>
// CHECK-NEXT: return
func.func @shuffle(%x: tensor<1x3x2xf32>) -> tensor<1x3x2xf32> {
  %flat = tosa.const_shape {values = dense<[1, 6, 1]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %whole = tosa.const_shape {values = dense<[1, 3, 2]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %list = "tosa.const"() <{values = dense<[[2, 0, 1]]> : tensor<1x3xi32>}> : () -> tensor<1x3xi32>
  %0 = tosa.reshape %x, %flat : (tensor<1x3x2xf32>, !tosa.shape<3>) -> tensor<1x6x1xf32>
  %1 = tosa.reshape %0, %whole : (tensor<1x6x1xf32>, !tosa.shape<3>) -> tensor<1x3x2xf32>
  %2 = tosa.gather %1, %list : (tensor<1x3x2xf32>, tensor<1x3xi32>) -> tensor<1x3x2xf32>
  return %2 : tensor<1x3x2xf32>
}

// The same value twice is computed once; a negated comparison exchanges what is selected.
// CHECK-LABEL: func.func @twice
// CHECK-SAME: %[[X:.*]]: tensor<1x4xf32>
// CHECK: %[[EXP:.*]] = tosa.exp %[[X]]
// CHECK-NOT: tosa.exp
// CHECK: %[[EQUAL:.*]] = tosa.equal %[[X]], %[[EXP]]
// CHECK: tosa.select %[[EQUAL]], %[[EXP]], %[[X]]
func.func @twice(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %0 = tosa.exp %x : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = tosa.exp %x : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %2 = tosa.equal %x, %0 : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xi1>
  %3 = tosa.logical_not %2 : (tensor<1x4xi1>) -> tensor<1x4xi1>
  %4 = tosa.select %3, %x, %1 : (tensor<1x4xi1>, tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  return %4 : tensor<1x4xf32>
}
