// Errors of strumc have the place in the source, the line with a caret, and an exit code that says whose fault it is.

// RUN: split-file %s %t

// RUN: sh -c 'strumc compile %t/unsupported.mlir -o %t/out.dpu; echo "exit $?"' 2>&1 | FileCheck %s --check-prefix=LIMIT
// LIMIT: unsupported.mlir:2:8: error: 'tosa.custom' op unsupported: not implemented by the DPU
// LIMIT-NEXT:   %0 = tosa.custom %x
// LIMIT-NEXT:        ^
// LIMIT-NEXT: unsupported.mlir:2:8: note: supported ops of the tosa dialect:
// LIMIT: exit 3

// RUN: sh -c 'strumc compile %t/invalid.mlir -o %t/out.dpu; echo "exit $?"' 2>&1 | FileCheck %s --check-prefix=INVALID
// INVALID: invalid.mlir:2:8: error: 'tosa.abs' op
// INVALID: exit 1

// RUN: sh -c 'strumc compile %t/huge.mlir -o %t/out.dpu; echo "exit $?"' 2>&1 | FileCheck %s --check-prefix=HUGE
// HUGE: huge.mlir:1:1: error: 'func.func' op does not fit the machine: a tensor of type 'tensor<1000000x1000000xi8>' has 1000000000000 bytes, the DRAM of 'flexnn-16x16' has 4294967296
// HUGE: exit 4

// RUN: not ls %t/out.dpu

//--- unsupported.mlir
func.func @main(%x: tensor<4x8xi8>) -> tensor<4xi32> {
  %0 = tosa.custom %x {domain_name = "acme", implementation_attrs = "", operator_name = "sort"} : (tensor<4x8xi8>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}

//--- invalid.mlir
func.func @main(%x: tensor<4x8xi32>) -> tensor<4x9xi32> {
  %0 = tosa.abs %x : (tensor<4x8xi32>) -> tensor<4x9xi32>
  return %0 : tensor<4x9xi32>
}

//--- huge.mlir
func.func @main(%x: tensor<1000000x1000000xi8>) -> tensor<1000000x1000000xi8> {
  return %x : tensor<1000000x1000000xi8>
}
