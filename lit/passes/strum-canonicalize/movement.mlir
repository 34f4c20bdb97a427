// RUN: strum-opt %s --split-input-file --strum-canonicalize | FileCheck %s

// CHECK-LABEL: func.func @transposes_cancel
// CHECK-SAME: (%[[X:.*]]: tensor<1x4x5x6xi8>)
func.func @transposes_cancel(%x: tensor<1x4x5x6xi8>) -> tensor<1x4x5x6xi8> {
  // CHECK-NEXT: return %[[X]]
  %0 = tosa.transpose %x {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x5x6xi8>) -> tensor<1x6x4x5xi8>
  %1 = tosa.transpose %0 {perms = array<i32: 0, 2, 3, 1>} : (tensor<1x6x4x5xi8>) -> tensor<1x4x5x6xi8>
  return %1 : tensor<1x4x5x6xi8>
}

// -----

// CHECK-LABEL: func.func @transposes_compose
func.func @transposes_compose(%x: tensor<2x3x4xi8>) -> tensor<4x2x3xi8> {
  // CHECK: tosa.transpose %{{.*}} {perms = array<i32: 2, 0, 1>}
  // CHECK-NOT: tosa.transpose
  %0 = tosa.transpose %x {perms = array<i32: 1, 2, 0>} : (tensor<2x3x4xi8>) -> tensor<3x4x2xi8>
  %1 = tosa.transpose %0 {perms = array<i32: 1, 2, 0>} : (tensor<3x4x2xi8>) -> tensor<4x2x3xi8>
  return %1 : tensor<4x2x3xi8>
}

// -----

// A transpose that moves only dimensions of size 1 is a reshape; two reshapes are one.
// CHECK-LABEL: func.func @unit_transpose
func.func @unit_transpose(%x: tensor<1x1x7x64xi8>) -> tensor<7x64xi8> {
  // CHECK: %[[S:.*]] = tosa.const_shape {values = dense<[7, 64]> : tensor<2xindex>}
  // CHECK: %[[Y:.*]] = tosa.reshape %{{.*}}, %[[S]] : (tensor<1x1x7x64xi8>, !tosa.shape<2>) -> tensor<7x64xi8>
  // CHECK-NEXT: return %[[Y]]
  %0 = tosa.transpose %x {perms = array<i32: 2, 0, 3, 1>} : (tensor<1x1x7x64xi8>) -> tensor<7x1x64x1xi8>
  %s = tosa.const_shape {values = dense<[7, 64]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %1 = tosa.reshape %0, %s : (tensor<7x1x64x1xi8>, !tosa.shape<2>) -> tensor<7x64xi8>
  return %1 : tensor<7x64xi8>
}

// -----

// CHECK-LABEL: func.func @reshapes_cancel
// CHECK-SAME: (%[[X:.*]]: tensor<4x6xi8>)
func.func @reshapes_cancel(%x: tensor<4x6xi8>) -> tensor<4x6xi8> {
  // CHECK-NEXT: return %[[X]]
  %s = tosa.const_shape {values = dense<[2, 12]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %t = tosa.const_shape {values = dense<[4, 6]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.reshape %x, %s : (tensor<4x6xi8>, !tosa.shape<2>) -> tensor<2x12xi8>
  %1 = tosa.reshape %0, %t : (tensor<2x12xi8>, !tosa.shape<2>) -> tensor<4x6xi8>
  return %1 : tensor<4x6xi8>
}

// -----

// CHECK-LABEL: func.func @identities
// CHECK-SAME: (%[[X:.*]]: tensor<4x6xi8>)
func.func @identities(%x: tensor<4x6xi8>) -> tensor<4x6xi8> {
  // CHECK-NEXT: return %[[X]]
  %a = tosa.const_shape {values = dense<[0, 0]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %b = tosa.const_shape {values = dense<[4, 6]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %p = tosa.const_shape {values = dense<0> : tensor<4xindex>} : () -> !tosa.shape<4>
  %v = "tosa.const"() <{values = dense<1> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.slice %x, %a, %b : (tensor<4x6xi8>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<4x6xi8>
  %1 = tosa.pad %0, %p, %v : (tensor<4x6xi8>, !tosa.shape<4>, tensor<1xi8>) -> tensor<4x6xi8>
  %2 = tosa.identity %1 : (tensor<4x6xi8>) -> tensor<4x6xi8>
  %3 = tosa.transpose %2 {perms = array<i32: 0, 1>} : (tensor<4x6xi8>) -> tensor<4x6xi8>
  %4 = tosa.concat %3 {axis = 1 : i32} : (tensor<4x6xi8>) -> tensor<4x6xi8>
  %5 = tosa.reshape %4, %b : (tensor<4x6xi8>, !tosa.shape<2>) -> tensor<4x6xi8>
  return %5 : tensor<4x6xi8>
}

// -----

// CHECK-LABEL: func.func @slices_compose
func.func @slices_compose(%x: tensor<8x6xi8>) -> tensor<2x3xi8> {
  // CHECK: %[[A:.*]] = tosa.const_shape {values = dense<[4, 2]> : tensor<2xindex>}
  // CHECK: tosa.slice %{{.*}}, %[[A]], %{{.*}} : (tensor<8x6xi8>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<2x3xi8>
  // CHECK-NOT: tosa.slice
  %a = tosa.const_shape {values = dense<[3, 1]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %b = tosa.const_shape {values = dense<[5, 5]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.slice %x, %a, %b : (tensor<8x6xi8>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<5x5xi8>
  %c = tosa.const_shape {values = dense<[1, 1]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %d = tosa.const_shape {values = dense<[2, 3]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %1 = tosa.slice %0, %c, %d : (tensor<5x5xi8>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<2x3xi8>
  return %1 : tensor<2x3xi8>
}

// -----

// Dead code is removed; the unused argument stays.
// CHECK-LABEL: func.func @dead
// CHECK-SAME: (%[[X:.*]]: tensor<4xi32>, %{{.*}}: tensor<4xi32>)
func.func @dead(%x: tensor<4xi32>, %y: tensor<4xi32>) -> tensor<4xi32> {
  // CHECK-NEXT: return %[[X]]
  %0 = tosa.add %x, %y : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  %1 = tosa.clz %0 : (tensor<4xi32>) -> tensor<4xi32>
  return %x : tensor<4xi32>
}

// -----

// Does not apply: the transposes do not cancel for the second user, which keeps the first one alive.
// CHECK-LABEL: func.func @two_users
func.func @two_users(%x: tensor<4x5x6xi8>) -> (tensor<4x5x6xi8>, tensor<6x4x5xi8>) {
  // CHECK: %[[T:.*]] = tosa.transpose
  // CHECK-NOT: tosa.transpose
  // CHECK: return %{{.*}}, %[[T]]
  %0 = tosa.transpose %x {perms = array<i32: 2, 0, 1>} : (tensor<4x5x6xi8>) -> tensor<6x4x5xi8>
  %1 = tosa.transpose %0 {perms = array<i32: 1, 2, 0>} : (tensor<6x4x5xi8>) -> tensor<4x5x6xi8>
  return %1, %0 : tensor<4x5x6xi8>, tensor<6x4x5xi8>
}

// -----

// CHECK-LABEL: func.func @slice_of_concat
// CHECK-SAME: (%[[X:.*]]: tensor<2x3xi8>, %[[Y:.*]]: tensor<2x4xi8>)
func.func @slice_of_concat(%x: tensor<2x3xi8>, %y: tensor<2x4xi8>) -> (tensor<2x3xi8>, tensor<1x2xi8>, tensor<2x2xi8>) {
  // CHECK-DAG: %[[A:.*]] = tosa.const_shape {values = dense<1> : tensor<2xindex>}
  // CHECK: %[[C:.*]] = tosa.concat
  // CHECK: %[[P:.*]] = tosa.slice %[[Y]], %[[A]], %{{.*}} : (tensor<2x4xi8>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<1x2xi8>
  // A slice over the seam stays.
  // CHECK: %[[Q:.*]] = tosa.slice %[[C]]
  // CHECK: return %[[X]], %[[P]], %[[Q]]
  %c = tosa.concat %x, %y {axis = 1 : i32} : (tensor<2x3xi8>, tensor<2x4xi8>) -> tensor<2x7xi8>
  %a0 = tosa.const_shape {values = dense<0> : tensor<2xindex>} : () -> !tosa.shape<2>
  %a1 = tosa.const_shape {values = dense<[1, 4]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %a2 = tosa.const_shape {values = dense<[0, 2]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %s0 = tosa.const_shape {values = dense<[2, 3]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %s1 = tosa.const_shape {values = dense<[1, 2]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %s2 = tosa.const_shape {values = dense<2> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.slice %c, %a0, %s0 : (tensor<2x7xi8>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<2x3xi8>
  %1 = tosa.slice %c, %a1, %s1 : (tensor<2x7xi8>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<1x2xi8>
  %2 = tosa.slice %c, %a2, %s2 : (tensor<2x7xi8>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<2x2xi8>
  return %0, %1, %2 : tensor<2x3xi8>, tensor<1x2xi8>, tensor<2x2xi8>
}

// -----

// CHECK-LABEL: func.func @concats_merge
// CHECK-SAME: (%[[X:.*]]: tensor<2x3xi8>, %[[Y:.*]]: tensor<2x4xi8>)
func.func @concats_merge(%x: tensor<2x3xi8>, %y: tensor<2x4xi8>) -> (tensor<2x10xi8>, tensor<4x7xi8>) {
  // CHECK: tosa.concat %[[X]], %[[Y]], %[[X]] {axis = 1 : i32} : {{.*}} -> tensor<2x10xi8>
  // Along another axis, two stay two.
  // CHECK: %[[C:.*]] = tosa.concat %[[X]], %[[Y]]
  // CHECK: tosa.concat %[[C]], %[[C]] {axis = 0 : i32}
  %0 = tosa.concat %x, %y {axis = 1 : i32} : (tensor<2x3xi8>, tensor<2x4xi8>) -> tensor<2x7xi8>
  %1 = tosa.concat %0, %x {axis = 1 : i32} : (tensor<2x7xi8>, tensor<2x3xi8>) -> tensor<2x10xi8>
  %2 = tosa.concat %x, %y {axis = 1 : i32} : (tensor<2x3xi8>, tensor<2x4xi8>) -> tensor<2x7xi8>
  %3 = tosa.concat %2, %2 {axis = 0 : i32} : (tensor<2x7xi8>, tensor<2x7xi8>) -> tensor<4x7xi8>
  return %1, %3 : tensor<2x10xi8>, tensor<4x7xi8>
}

// -----

// CHECK-LABEL: func.func @pads_merge
// CHECK-SAME: (%[[X:.*]]: tensor<2x3xi8>)
func.func @pads_merge(%x: tensor<2x3xi8>) -> (tensor<4x6xi8>, tensor<4x6xi8>) {
  // CHECK-DAG: %[[P:.*]] = tosa.const_shape {values = dense<[1, 1, 2, 1]> : tensor<4xindex>}
  // CHECK: tosa.pad %[[X]], %[[P]], %{{.*}} : (tensor<2x3xi8>, !tosa.shape<4>, tensor<1xi8>) -> tensor<4x6xi8>
  // A pad with another value is not merged.
  // CHECK: tosa.pad
  // CHECK: tosa.pad
  %p = tosa.const_shape {values = dense<[0, 1, 1, 1]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %q = tosa.const_shape {values = dense<[1, 0, 1, 0]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %v = "tosa.const"() <{values = dense<7> : tensor<1xi8>}> : () -> tensor<1xi8>
  %u = "tosa.const"() <{values = dense<8> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.pad %x, %p, %v : (tensor<2x3xi8>, !tosa.shape<4>, tensor<1xi8>) -> tensor<3x5xi8>
  %1 = tosa.pad %0, %q, %v : (tensor<3x5xi8>, !tosa.shape<4>, tensor<1xi8>) -> tensor<4x6xi8>
  %2 = tosa.pad %x, %p, %v : (tensor<2x3xi8>, !tosa.shape<4>, tensor<1xi8>) -> tensor<3x5xi8>
  %3 = tosa.pad %2, %q, %u : (tensor<3x5xi8>, !tosa.shape<4>, tensor<1xi8>) -> tensor<4x6xi8>
  return %1, %3 : tensor<4x6xi8>, tensor<4x6xi8>
}
