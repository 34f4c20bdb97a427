// Alignment, and reuse of memory by buffers whose live ranges do not overlap.
// RUN: strum-opt %s --split-input-file --pass-pipeline='builtin.module(dpu.program(dpu-allocate))' | FileCheck %s

// SRAM is allocated in granules of 16 bytes unless a buffer asks for a larger alignment, DRAM in granules of 64. The two scratch buffers in
// DRAM are never live at the same time and share an address. A buffer that no task uses is at address 0.
// CHECK-LABEL: dpu.program @alignment
// CHECK: dpu.alloc address 0 : !dpu.buffer<sram, 20xi8>
// CHECK: dpu.alloc address 32 : !dpu.buffer<sram, 20xi8>
// CHECK: dpu.alloc address 256 align 256 : !dpu.buffer<sram, 24xi8>
// CHECK: dpu.alloc address 0 : !dpu.buffer<sram, 1000xi8>
// CHECK: dpu.alloc address 128 : !dpu.buffer<dram, 100xi8>
// CHECK: dpu.alloc address 128 : !dpu.buffer<dram, 90xi8>
dpu.program @alignment machine "flexnn-16x16" stage draft {
  %x = dpu.input "x" : !dpu.buffer<dram, 20xi8>
  %y = dpu.output "y" : !dpu.buffer<dram, 20xi8>
  %a = dpu.alloc : !dpu.buffer<sram, 20xi8>
  %b = dpu.alloc : !dpu.buffer<sram, 20xi8>
  %c = dpu.alloc align 256 : !dpu.buffer<sram, 24xi8>
  %unused = dpu.alloc : !dpu.buffer<sram, 1000xi8>
  %s = dpu.alloc : !dpu.buffer<dram, 100xi8>
  %t = dpu.alloc : !dpu.buffer<dram, 90xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy src(%x : <dram, 20xi8>) dst(%a : <sram, 20xi8>) layer 0
  dpu.dma_copy src(%x : <dram, 20xi8>) dst(%b : <sram, 20xi8>) layer 0
  dpu.dma_copy src(%x : <dram, 20xi8>) dst(%c : <sram, 24xi8>) layer 0
  dpu.dma_copy src(%a : <sram, 20xi8>) dst(%s : <dram, 100xi8>) layer 0
  dpu.dma_copy src(%b : <sram, 20xi8>) dst(%s : <dram, 100xi8>) layer 0
  dpu.dma_copy src(%s : <dram, 100xi8>) dst(%c : <sram, 24xi8>) layer 0
  dpu.dma_copy src(%c : <sram, 24xi8>) dst(%t : <dram, 90xi8>) layer 0
  dpu.dma_copy src(%t : <dram, 90xi8>) dst(%y : <dram, 20xi8>) layer 0
}

// -----

// In place: an instruction that overwrites its operand names one buffer twice. The copy, which is still needed, gets an address of its own.
// CHECK-LABEL: dpu.program @in_place
// CHECK: %[[A:.*]] = dpu.alloc address 0 : !dpu.buffer<sram, 64xi8>
// CHECK: %[[B:.*]] = dpu.alloc address 64 : !dpu.buffer<sram, 64xi8>
// CHECK: dpu.vec_unary op clz src(%[[A]] : {{.*}}) out(%[[A]] :
dpu.program @in_place machine "flexnn-16x16" stage draft {
  %x = dpu.input "x" : !dpu.buffer<dram, 64xi8>
  %y = dpu.output "y" : !dpu.buffer<dram, 64xi8>
  %a = dpu.alloc : !dpu.buffer<sram, 64xi8>
  %b = dpu.alloc : !dpu.buffer<sram, 64xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy src(%x : <dram, 64xi8>) dst(%a : <sram, 64xi8>) layer 0
  dpu.dma_copy src(%a : <sram, 64xi8>) dst(%b : <sram, 64xi8>) layer 0
  dpu.vec_unary op clz src(%a : <sram, 64xi8>) out(%a : <sram, 64xi8>) layer 0
  dpu.dma_copy src(%a : <sram, 64xi8>) dst(%y : <dram, 64xi8>) layer 0
  dpu.dma_copy src(%b : <sram, 64xi8>) dst(%y : <dram, 64xi8>) layer 0
}

// -----

// Two slots are enough for three tiles: the third is loaded after the first has been stored.
// CHECK-LABEL: dpu.program @slots
// CHECK-COUNT-2: dpu.alloc address 0 : !dpu.buffer<sram, 1048576xi8>
// CHECK: dpu.alloc address 1048576 : !dpu.buffer<sram, 1048576xi8>
dpu.program @slots machine "flexnn-16x16" stage draft {
  %x = dpu.input "x" : !dpu.buffer<dram, 3145728xi8>
  %y = dpu.output "y" : !dpu.buffer<dram, 3145728xi8>
  %a = dpu.alloc : !dpu.buffer<sram, 1048576xi8>
  %c = dpu.alloc : !dpu.buffer<sram, 1048576xi8>
  %b = dpu.alloc : !dpu.buffer<sram, 1048576xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy src(%x : <dram, 3145728xi8>) dst(%a : <sram, 1048576xi8>) layer 0
  dpu.dma_copy src(%x + 1048576 : <dram, 3145728xi8>) dst(%b : <sram, 1048576xi8>) layer 0
  dpu.dma_copy src(%a : <sram, 1048576xi8>) dst(%y : <dram, 3145728xi8>) layer 0
  dpu.dma_copy src(%x + 2097152 : <dram, 3145728xi8>) dst(%c : <sram, 1048576xi8>) layer 0
  dpu.dma_copy src(%b : <sram, 1048576xi8>) dst(%y + 1048576 : <dram, 3145728xi8>) layer 0
  dpu.dma_copy src(%c : <sram, 1048576xi8>) dst(%y + 2097152 : <dram, 3145728xi8>) layer 0
}
