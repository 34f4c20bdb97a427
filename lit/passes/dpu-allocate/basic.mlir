// RUN: strum-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(dpu.program(dpu-allocate))' | FileCheck %s

// Constants first, then inputs, outputs and scratch, each on 64 bytes of DRAM; buffers that are never in use together share memory.
// CHECK-LABEL: dpu.program @main machine "flexnn-16x16" stage allocated
// CHECK: dpu.input "x" address 64 : !dpu.buffer<dram, 16xi8>
// CHECK: dpu.output "y" address 128 : !dpu.buffer<dram, 16xi8>
// CHECK: dpu.constant dense<1> : tensor<16xi8> address 0
// CHECK: dpu.alloc address 0 : !dpu.buffer<sram, 1048576xi8>
// CHECK: dpu.alloc address 1048576 : !dpu.buffer<sram, 1048576xi8>
// CHECK: dpu.alloc address 0 : !dpu.buffer<sram, 1048576xi8>
dpu.program @main machine "flexnn-16x16" stage draft {
  %x = dpu.input "x" : !dpu.buffer<dram, 16xi8>
  %y = dpu.output "y" : !dpu.buffer<dram, 16xi8>
  %c = dpu.constant dense<1> : tensor<16xi8> -> !dpu.buffer<dram, 16xi8>
  %a = dpu.alloc : !dpu.buffer<sram, 1048576xi8>
  %b = dpu.alloc : !dpu.buffer<sram, 1048576xi8>
  %d = dpu.alloc : !dpu.buffer<sram, 1048576xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy element 16 src(%x : <dram, 16xi8>) dst(%a : <sram, 1048576xi8>) layer 0
  dpu.dma_copy element 16 src(%a : <sram, 1048576xi8>) dst(%b : <sram, 1048576xi8>) layer 0
  dpu.dma_copy element 16 src(%b : <sram, 1048576xi8>) dst(%d : <sram, 1048576xi8>) layer 0
  dpu.dma_copy element 16 src(%d : <sram, 1048576xi8>) dst(%y : <dram, 16xi8>) layer 0
  dpu.dma_copy element 16 src(%c : <dram, 16xi8>) dst(%y : <dram, 16xi8>) layer 0
}

// -----

// expected-error @+1 {{'dpu.program' op does not fit the machine: big: SRAM bytes: needs 3145728, the limit is 2097152}}
dpu.program @too_much machine "flexnn-16x16" stage draft {
  %a = dpu.alloc : !dpu.buffer<sram, 1048576xi8>
  %b = dpu.alloc : !dpu.buffer<sram, 1048576xi8>
  %d = dpu.alloc : !dpu.buffer<sram, 1048576xi8>
  dpu.layer "big" of "test" macs 0
  dpu.dma_fill dst(%a : <sram, 1048576xi8>) layer 0
  dpu.dma_fill dst(%b : <sram, 1048576xi8>) layer 0
  dpu.dma_copy src(%a : <sram, 1048576xi8>) dst(%d : <sram, 1048576xi8>) layer 0
  dpu.dma_copy src(%b : <sram, 1048576xi8>) dst(%d : <sram, 1048576xi8>) layer 0
}

// -----

// expected-error @+1 {{'dpu.program' op is at stage Allocated, dpu-allocate expects Draft}}
dpu.program @again machine "flexnn-16x16" stage allocated {
}
