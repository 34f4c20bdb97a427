// Modules that cannot be translated to a binary.
// RUN: split-file %s %t

// RUN: not strum-translate --mlir-to-dpu %t/functions.mlir -o %t.dpu 2>&1 | FileCheck %s --check-prefix=FUNCTIONS
// FUNCTIONS: the module holds functions, but no dpu.program: run --strum-pipeline on it first
// RUN: not strum-translate --mlir-to-dpu %t/nothing.mlir -o %t.dpu 2>&1 | FileCheck %s --check-prefix=NOTHING
// NOTHING: the module holds no dpu.program
// RUN: not strum-translate --mlir-to-dpu %t/two.mlir -o %t.dpu 2>&1 | FileCheck %s --check-prefix=TWO
// TWO: a binary holds one program, and the module has 2: @a, @b
// RUN: not strum-translate --mlir-to-dpu %t/draft.mlir -o %t.dpu 2>&1 | FileCheck %s --check-prefix=DRAFT
// DRAFT: error: 'dpu.program' op is not scheduled: run dpu-allocate and dpu-assign-barriers on it first
// A constant at the end of the address space would make an image of a terabyte.
// RUN: sh -c 'ulimit -v 8000000; ! strum-translate --mlir-to-dpu %t/memory.mlir -o %t.dpu' 2>&1 | FileCheck %s --check-prefix=MEMORY
// MEMORY: memory.mlir:2:8: error: 'dpu.constant' op out of memory: the constants of the binary: 1099511627776 bytes are needed
// RUN: not ls %t.dpu

//--- functions.mlir
func.func @f() {
  return
}

//--- nothing.mlir
module {
}

//--- two.mlir
dpu.program @a machine "flexnn-16x16" stage draft {
}
dpu.program @b machine "flexnn-16x16" stage draft {
}

//--- draft.mlir
dpu.program @a machine "flexnn-16x16" stage draft {
}

//--- memory.mlir
dpu.program @a machine "flexnn-16x16" stage scheduled {
  %c = dpu.constant dense<0> : tensor<64xi8> address 1099511627712 -> !dpu.buffer<dram, 64xi8>
  dpu.end
}
