// A pass that fails leaves a file with which the failure can be run again, options included.

// RUN: not strum-opt %s --cse --tosa-to-strum --mlir-pass-pipeline-crash-reproducer=%t.mlir 2>&1 | FileCheck %s --check-prefix=ERROR
// RUN: FileCheck %s --check-prefix=FILE < %t.mlir
// RUN: not strum-opt %t.mlir --run-reproducer 2>&1 | FileCheck %s --check-prefix=AGAIN

// ERROR: reproducer.mlir:[[#@LINE+9]]:{{[0-9]+}}: error: 'tosa.add' op
// ERROR: Failures have been detected while processing an MLIR pass pipeline
// FILE: func.func @f
// FILE: mlir_reproducer: {
// FILE: pipeline: "builtin.module(cse, {{.*}}tosa-to-strum
// AGAIN: error: 'tosa.add' op
// AGAIN-NOT: internal error

func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tosa.add %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
