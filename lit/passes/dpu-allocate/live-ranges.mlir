// Which buffers may share memory: live ranges that overlap, that meet in one task, and that leave a hole.
// RUN: strum-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(dpu.program(dpu-allocate))' | FileCheck %s

// A full SRAM. What the second buffer leaves between its neighbors is filled by two buffers that are half as large.
// CHECK-LABEL: dpu.program @hole
// CHECK: dpu.alloc address 0 : !dpu.buffer<sram, 16384xi8>
// CHECK: dpu.alloc address 16384 : !dpu.buffer<sram, 16384xi8>
// CHECK: dpu.alloc address 32768 : !dpu.buffer<sram, 32768xi8>
// CHECK: dpu.alloc address 16384 : !dpu.buffer<sram, 8192xi8>
// CHECK: dpu.alloc address 24576 : !dpu.buffer<sram, 8192xi8>
dpu.program @hole machine "flexnn-4x4" stage draft {
  %x = dpu.input "x" : !dpu.buffer<dram, 32768xi8>
  %y = dpu.output "y" : !dpu.buffer<dram, 32768xi8>
  %a = dpu.alloc : !dpu.buffer<sram, 16384xi8>
  %b = dpu.alloc : !dpu.buffer<sram, 16384xi8>
  %c = dpu.alloc : !dpu.buffer<sram, 32768xi8>
  %d = dpu.alloc : !dpu.buffer<sram, 8192xi8>
  %e = dpu.alloc : !dpu.buffer<sram, 8192xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy src(%x : <dram, 32768xi8>) dst(%a : <sram, 16384xi8>) layer 0
  dpu.dma_copy src(%x : <dram, 32768xi8>) dst(%b : <sram, 16384xi8>) layer 0
  dpu.dma_copy src(%x : <dram, 32768xi8>) dst(%c : <sram, 32768xi8>) layer 0
  dpu.dma_copy src(%b : <sram, 16384xi8>) dst(%y : <dram, 32768xi8>) layer 0
  dpu.dma_copy src(%a : <sram, 16384xi8>) dst(%d : <sram, 8192xi8>) layer 0
  dpu.dma_copy src(%c : <sram, 32768xi8>) dst(%e : <sram, 8192xi8>) layer 0
  dpu.dma_copy src(%a : <sram, 16384xi8>) dst(%y : <dram, 32768xi8>) layer 0
  dpu.dma_copy src(%d : <sram, 8192xi8>) dst(%y : <dram, 32768xi8>) layer 0
  dpu.dma_copy src(%e : <sram, 8192xi8>) dst(%y : <dram, 32768xi8>) layer 0
}

// -----

// The range of an operand ends with the task that writes the result, so they do not share an address. The third buffer could have the first
// one's, but memory that nothing has used yet is preferred: its writers need not wait.
// CHECK-LABEL: dpu.program @meet
// CHECK: %[[A:.*]] = dpu.alloc address 0 :
// CHECK: %[[B:.*]] = dpu.alloc address 64 :
// CHECK: %[[C:.*]] = dpu.alloc address 128 :
// CHECK: dpu.vec_unary op abs src(%[[A]] : {{.*}} out(%[[B]] :
// CHECK: dpu.vec_unary op negate src(%[[B]] : {{.*}} out(%[[C]] :
dpu.program @meet machine "flexnn-16x16" stage draft {
  %x = dpu.input "x" : !dpu.buffer<dram, 64xi8>
  %y = dpu.output "y" : !dpu.buffer<dram, 64xi8>
  %a = dpu.alloc : !dpu.buffer<sram, 64xi8>
  %b = dpu.alloc : !dpu.buffer<sram, 64xi8>
  %c = dpu.alloc : !dpu.buffer<sram, 64xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy src(%x : <dram, 64xi8>) dst(%a : <sram, 64xi8>) layer 0
  dpu.vec_unary op abs src(%a : <sram, 64xi8>) out(%b : <sram, 64xi8>) layer 0
  dpu.vec_unary op negate src(%b : <sram, 64xi8>) out(%c : <sram, 64xi8>) layer 0
  dpu.dma_copy src(%c : <sram, 64xi8>) dst(%y : <dram, 64xi8>) layer 0
}

// -----

// The sizes of these three add up to the 65536 bytes of the SRAM, but their alignment leaves gaps between them.
// expected-error @+1 {{'dpu.program' op does not fit the machine: l: SRAM bytes: needs 81904, the limit is 65536}}
dpu.program @padding machine "flexnn-4x4" stage draft {
  %x = dpu.input "x" : !dpu.buffer<dram, 32768xi8>
  %a = dpu.alloc align 16384 : !dpu.buffer<sram, 16400xi8>
  %b = dpu.alloc align 32768 : !dpu.buffer<sram, 32768xi8>
  %c = dpu.alloc align 16384 : !dpu.buffer<sram, 16368xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy src(%x : <dram, 32768xi8>) dst(%a : <sram, 16400xi8>) layer 0
  dpu.dma_copy src(%a : <sram, 16400xi8>) dst(%b : <sram, 32768xi8>) layer 0
  dpu.dma_copy src(%b : <sram, 32768xi8>) dst(%c : <sram, 16368xi8>) layer 0
  dpu.dma_copy src(%a : <sram, 16400xi8>) dst(%c : <sram, 16368xi8>) layer 0
}
