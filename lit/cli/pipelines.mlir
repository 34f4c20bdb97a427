// Passes and pipelines with options, in every form that mlir-opt accepts.

// RUN: strum-opt %s --pass-pipeline="builtin.module(canonicalize,cse,func.func(strum-pack{w=8 method=sparse}))" --dump-pass-pipeline 2>&1 >/dev/null | FileCheck %s --check-prefix=DUMP
// DUMP: builtin.module(
// DUMP: canonicalize{
// DUMP: cse,
// DUMP: func.func(
// DUMP: strum-pack{{.*}} method=sparse {{.*}} w=8

// RUN: strum-opt --strum-pipeline="method=dliq q=3" --dump-pass-pipeline %s 2>&1 >/dev/null | FileCheck %s --check-prefix=NAMED
// RUN: strum-opt --pass-pipeline="builtin.module(strum-pipeline{method=dliq q=3})" --dump-pass-pipeline %s 2>&1 >/dev/null | FileCheck %s --check-prefix=NAMED
// NAMED: strum-canonicalize
// NAMED: tosa-to-strum
// NAMED: strum-pack{{.*}} method=dliq {{.*}} q=3
// NAMED: strum-to-dpu
// NAMED: dpu-allocate
// NAMED: dpu-assign-barriers

// A reproducer runs the same pipeline again, real numbers included.
// RUN: strum-opt %s --tosa-quantize="percentile=0.123456789 activations=percentile" --mlir-generate-reproducer=%t.again.mlir -o %t.out
// RUN: strum-opt %t.again.mlir --run-reproducer --dump-pass-pipeline 2>&1 >/dev/null | FileCheck %s --check-prefix=REAL
// REAL: tosa-quantize{activations=percentile {{.*}}percentile=0.123456789 {{.*}}weights=per-channel}

// RUN: strum-opt %s --cse --strum-pack="w=8 method=sparse" --dump-pass-pipeline 2>&1 >/dev/null | FileCheck %s --check-prefix=ORDER
// ORDER: cse,
// ORDER: strum-pack

// RUN: strum-opt %s --strum-pack --mlir-timing 2>&1 >/dev/null | FileCheck %s --check-prefix=TIMING
// TIMING: Execution time report
// TIMING: strum-pack

// RUN: strum-opt %s --cse --strum-pack --mlir-print-ir-after-all 2>&1 >/dev/null | FileCheck %s --check-prefix=AFTER
// AFTER: IR Dump After CSE
// AFTER: IR Dump After strum-pack (strum-pack)

// RUN: strum-opt %s --emit-bytecode -o %t.mlirbc
// RUN: strum-opt %t.mlirbc | FileCheck %s
// RUN: strum-opt --emit-bytecode < %s | strum-opt | FileCheck %s
// CHECK: func.func @f
// CHECK: strum.constant dense_resource<w>

func.func @f(%x: tensor<1x8x8x16xi8>) -> tensor<1x8x8x1xi32> {
  %w = strum.constant dense_resource<w> : tensor<16xi8> -> !strum.packed<1x1x1x16xi8, #strum.dense>
  %0 = strum.conv2d %x, %w : (tensor<1x8x8x16xi8>, !strum.packed<1x1x1x16xi8, #strum.dense>) -> tensor<1x8x8x1xi32>
  return %0 : tensor<1x8x8x1xi32>
}

{-#
  dialect_resources: { builtin: { w: "0x0100000001020304000000000000000000000000" } }
#-}
