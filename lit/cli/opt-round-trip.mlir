// Text that cannot be read again, since an option of MLIR's leaves regions out.

// RUN: not strum-opt %s --verify-roundtrip --mlir-print-skip-regions 2>&1 | FileCheck %s

// CHECK: error: 'builtin.module' op is not preserved by a round trip through text
// CHECK: note: written:
// CHECK-NEXT: "builtin.module"() ({...}) : () -> ()

func.func @main(%x: tensor<2xi8>) -> tensor<2xi8> {
  return %x : tensor<2xi8>
}
