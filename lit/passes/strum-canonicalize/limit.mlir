// RUN: strum-opt %s --strum-canonicalize=fold-limit=8 | FileCheck %s
// RUN: not strum-opt %s --strum-canonicalize=fold-limit=-1 2>&1 | FileCheck %s --check-prefix=NEGATIVE

// NEGATIVE: strum-opt: error: option 'fold-limit' of strum-canonicalize must be a whole number of at least 0, got '-1'

// Does not apply: the constant would be larger than the user allows. Splats need no memory.
// CHECK-LABEL: func.func @limit
func.func @limit() -> (tensor<3x3xi8>, tensor<2x4xi8>, tensor<64x2xi32>) {
  // CHECK: dense<{{\[\[}}1, 2, 3, 4], [5, 6, 7, 8]]> : tensor<2x4xi8>
  // CHECK: dense<7> : tensor<64x2xi32>
  // CHECK: tosa.reshape {{.*}} -> tensor<3x3xi8>
  // CHECK-NOT: tosa.{{reshape|transpose}}
  %a = "tosa.const"() <{values = dense<[1, 2, 3, 4, 5, 6, 7, 8, 9]> : tensor<9xi8>}> : () -> tensor<9xi8>
  %b = "tosa.const"() <{values = dense<[1, 2, 3, 4, 5, 6, 7, 8]> : tensor<8xi8>}> : () -> tensor<8xi8>
  %c = "tosa.const"() <{values = dense<7> : tensor<2x64xi32>}> : () -> tensor<2x64xi32>
  %s = tosa.const_shape {values = dense<[3, 3]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %t = tosa.const_shape {values = dense<[2, 4]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.reshape %a, %s : (tensor<9xi8>, !tosa.shape<2>) -> tensor<3x3xi8>
  %1 = tosa.reshape %b, %t : (tensor<8xi8>, !tosa.shape<2>) -> tensor<2x4xi8>
  %2 = tosa.transpose %c {perms = array<i32: 1, 0>} : (tensor<2x64xi32>) -> tensor<64x2xi32>
  return %0, %1, %2 : tensor<3x3xi8>, tensor<2x4xi8>, tensor<64x2xi32>
}
