// A machine with a single barrier.
// RUN: sed 's/^name = .*/name = "one"/; s/^barriers = .*/barriers = 1/' %root/dialects/isa/machines/flexnn-4x4.toml > %t.toml
// RUN: not strum-opt %s --pass-pipeline="builtin.module(strum-to-dpu{machine=%t.toml},dpu.program(dpu-allocate,dpu-assign-barriers))" 2>&1 | FileCheck %s

// A barrier must be idle before it is armed again, so ordering two engines requires two barriers.
// CHECK: error: 'dpu.program' op does not fit the machine: barriers of the machine: needs 2, the limit is 1
func.func @order(%x: tensor<4x4xi8>) -> tensor<4x4xi8> {
  %0 = tosa.clamp %x {min_val = 0 : i8, max_val = 6 : i8} : (tensor<4x4xi8>) -> tensor<4x4xi8>
  return %0 : tensor<4x4xi8>
}
