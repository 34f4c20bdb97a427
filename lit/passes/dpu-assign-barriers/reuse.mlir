// Barrier numbers are reused, and edges are folded where there are more edges than barriers.
// RUN: strum-opt %s --split-input-file --pass-pipeline='builtin.module(dpu.program(dpu-assign-barriers))' | FileCheck %s

// The smaller machine has 8 barriers, and nine loads are each followed by a store that waits for it: the ninth pair reuses barrier 0.
// CHECK-LABEL: dpu.program @nine_pairs
// CHECK: dpu.bar_cfg barrier 0 producers 1 consumers 1
// CHECK: dpu.bar_cfg barrier 1 producers 1 consumers 1
// CHECK: dpu.bar_cfg barrier 2 producers 1 consumers 1
// CHECK: dpu.bar_cfg barrier 3 producers 1 consumers 1
// CHECK: dpu.bar_cfg barrier 4 producers 1 consumers 1
// CHECK: dpu.bar_cfg barrier 5 producers 1 consumers 1
// CHECK: dpu.bar_cfg barrier 6 producers 1 consumers 1
// CHECK: dpu.bar_cfg barrier 7 producers 1 consumers 1
// CHECK: %[[AGAIN:.*]] = dpu.bar_cfg barrier 0 producers 1 consumers 1
// CHECK-NEXT: dpu.dma_copy {{.*}}post(%[[AGAIN]])
// CHECK-NEXT: dpu.dma_copy {{.*}}wait(%[[AGAIN]])
// CHECK-NEXT: dpu.end
dpu.program @nine_pairs machine "flexnn-4x4" stage allocated {
  %x = dpu.input "x" address 0 : !dpu.buffer<dram, 256xi8>
  %y = dpu.output "y" address 256 : !dpu.buffer<dram, 256xi8>
  %a = dpu.alloc address 0 : !dpu.buffer<sram, 16xi8>
  %b = dpu.alloc address 16 : !dpu.buffer<sram, 16xi8>
  %c = dpu.alloc address 32 : !dpu.buffer<sram, 16xi8>
  %d = dpu.alloc address 48 : !dpu.buffer<sram, 16xi8>
  %e = dpu.alloc address 64 : !dpu.buffer<sram, 16xi8>
  %f = dpu.alloc address 80 : !dpu.buffer<sram, 16xi8>
  %g = dpu.alloc address 96 : !dpu.buffer<sram, 16xi8>
  %h = dpu.alloc address 112 : !dpu.buffer<sram, 16xi8>
  %i = dpu.alloc address 128 : !dpu.buffer<sram, 16xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy element 16 src(%x : <dram, 256xi8>) dst(%a : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%a : <sram, 16xi8>) dst(%y : <dram, 256xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 16 : <dram, 256xi8>) dst(%b : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%b : <sram, 16xi8>) dst(%y + 16 : <dram, 256xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 32 : <dram, 256xi8>) dst(%c : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%c : <sram, 16xi8>) dst(%y + 32 : <dram, 256xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 48 : <dram, 256xi8>) dst(%d : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%d : <sram, 16xi8>) dst(%y + 48 : <dram, 256xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 64 : <dram, 256xi8>) dst(%e : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%e : <sram, 16xi8>) dst(%y + 64 : <dram, 256xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 80 : <dram, 256xi8>) dst(%f : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%f : <sram, 16xi8>) dst(%y + 80 : <dram, 256xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 96 : <dram, 256xi8>) dst(%g : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%g : <sram, 16xi8>) dst(%y + 96 : <dram, 256xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 112 : <dram, 256xi8>) dst(%h : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%h : <sram, 16xi8>) dst(%y + 112 : <dram, 256xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 128 : <dram, 256xi8>) dst(%i : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%i : <sram, 16xi8>) dst(%y + 128 : <dram, 256xi8>) layer 0
}

// -----

// Ten loads in flight at once. An engine executes its tasks in order, so a store may wait for a later load than its own: two edges are folded
// into others, and 8 barriers are enough.
// CHECK-LABEL: dpu.program @ten_in_flight
// CHECK-NOT: dpu.bar_cfg
// CHECK: dpu.dma_copy element 16 src(%x : <dram, 256xi8>)
// CHECK-NEXT: dpu.dma_copy element 16 src(%x + 16 :
// CHECK-COUNT-7: dpu.bar_cfg
// CHECK: %[[LATER:.*]] = dpu.bar_cfg barrier 1 producers 1 consumers 1
// CHECK-NEXT: dpu.dma_copy post(%[[LATER]]) element 16 src(%x + 144 :
// CHECK-NOT: dpu.bar_cfg
// CHECK: dpu.dma_copy engine 1 {{.*}} dst(%y + 128 :
// CHECK-NEXT: dpu.dma_copy wait(%[[LATER]]) engine 1 {{.*}} dst(%y + 144 :
// CHECK-NEXT: dpu.end
dpu.program @ten_in_flight machine "flexnn-4x4" stage allocated {
  %x = dpu.input "x" address 0 : !dpu.buffer<dram, 256xi8>
  %y = dpu.output "y" address 256 : !dpu.buffer<dram, 256xi8>
  %a = dpu.alloc address 0 : !dpu.buffer<sram, 16xi8>
  %b = dpu.alloc address 16 : !dpu.buffer<sram, 16xi8>
  %c = dpu.alloc address 32 : !dpu.buffer<sram, 16xi8>
  %d = dpu.alloc address 48 : !dpu.buffer<sram, 16xi8>
  %e = dpu.alloc address 64 : !dpu.buffer<sram, 16xi8>
  %f = dpu.alloc address 80 : !dpu.buffer<sram, 16xi8>
  %g = dpu.alloc address 96 : !dpu.buffer<sram, 16xi8>
  %h = dpu.alloc address 112 : !dpu.buffer<sram, 16xi8>
  %i = dpu.alloc address 128 : !dpu.buffer<sram, 16xi8>
  %j = dpu.alloc address 144 : !dpu.buffer<sram, 16xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy element 16 src(%x : <dram, 256xi8>) dst(%a : <sram, 16xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 16 : <dram, 256xi8>) dst(%b : <sram, 16xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 32 : <dram, 256xi8>) dst(%c : <sram, 16xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 48 : <dram, 256xi8>) dst(%d : <sram, 16xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 64 : <dram, 256xi8>) dst(%e : <sram, 16xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 80 : <dram, 256xi8>) dst(%f : <sram, 16xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 96 : <dram, 256xi8>) dst(%g : <sram, 16xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 112 : <dram, 256xi8>) dst(%h : <sram, 16xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 128 : <dram, 256xi8>) dst(%i : <sram, 16xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 144 : <dram, 256xi8>) dst(%j : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%a : <sram, 16xi8>) dst(%y : <dram, 256xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%b : <sram, 16xi8>) dst(%y + 16 : <dram, 256xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%c : <sram, 16xi8>) dst(%y + 32 : <dram, 256xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%d : <sram, 16xi8>) dst(%y + 48 : <dram, 256xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%e : <sram, 16xi8>) dst(%y + 64 : <dram, 256xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%f : <sram, 16xi8>) dst(%y + 80 : <dram, 256xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%g : <sram, 16xi8>) dst(%y + 96 : <dram, 256xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%h : <sram, 16xi8>) dst(%y + 112 : <dram, 256xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%i : <sram, 16xi8>) dst(%y + 128 : <dram, 256xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%j : <sram, 16xi8>) dst(%y + 144 : <dram, 256xi8>) layer 0
}

// -----

// With fewer edges than barriers, every store waits for its own load.
// CHECK-LABEL: dpu.program @three_in_flight
// CHECK: %[[A:.*]] = dpu.bar_cfg barrier 0 producers 1 consumers 1
// CHECK-NEXT: dpu.dma_copy post(%[[A]])
// CHECK-NEXT: %[[B:.*]] = dpu.bar_cfg barrier 1 producers 1 consumers 1
// CHECK-NEXT: dpu.dma_copy post(%[[B]])
// CHECK-NEXT: %[[C:.*]] = dpu.bar_cfg barrier 2 producers 1 consumers 1
// CHECK-NEXT: dpu.dma_copy post(%[[C]])
// CHECK-NEXT: dpu.dma_copy wait(%[[A]]) engine 1
// CHECK-NEXT: dpu.dma_copy wait(%[[B]]) engine 1
// CHECK-NEXT: dpu.dma_copy wait(%[[C]]) engine 1
// CHECK-NEXT: dpu.end
dpu.program @three_in_flight machine "flexnn-16x16" stage allocated {
  %x = dpu.input "x" address 0 : !dpu.buffer<dram, 256xi8>
  %y = dpu.output "y" address 256 : !dpu.buffer<dram, 256xi8>
  %a = dpu.alloc address 0 : !dpu.buffer<sram, 16xi8>
  %b = dpu.alloc address 16 : !dpu.buffer<sram, 16xi8>
  %c = dpu.alloc address 32 : !dpu.buffer<sram, 16xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy element 16 src(%x : <dram, 256xi8>) dst(%a : <sram, 16xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 16 : <dram, 256xi8>) dst(%b : <sram, 16xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 32 : <dram, 256xi8>) dst(%c : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%a : <sram, 16xi8>) dst(%y : <dram, 256xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%b : <sram, 16xi8>) dst(%y + 16 : <dram, 256xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%c : <sram, 16xi8>) dst(%y + 32 : <dram, 256xi8>) layer 0
}

// -----

// Two buffers at the same address: the second load overwrites what the first store reads, so it waits for that store.
// CHECK-LABEL: dpu.program @overwritten
// CHECK: %[[FULL:.*]] = dpu.bar_cfg
// CHECK: dpu.dma_copy post(%[[FULL]])
// CHECK: %[[FREE:.*]] = dpu.bar_cfg
// CHECK: dpu.dma_copy wait(%[[FULL]]) post(%[[FREE]]) engine 1
// CHECK: dpu.dma_copy wait(%[[FREE]])
dpu.program @overwritten machine "flexnn-16x16" stage allocated {
  %x = dpu.input "x" address 0 : !dpu.buffer<dram, 256xi8>
  %y = dpu.output "y" address 256 : !dpu.buffer<dram, 256xi8>
  %a = dpu.alloc address 0 : !dpu.buffer<sram, 16xi8>
  %b = dpu.alloc address 0 : !dpu.buffer<sram, 16xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy element 16 src(%x : <dram, 256xi8>) dst(%a : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%a : <sram, 16xi8>) dst(%y : <dram, 256xi8>) layer 0
  dpu.dma_copy element 16 src(%x + 16 : <dram, 256xi8>) dst(%b : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%b : <sram, 16xi8>) dst(%y + 16 : <dram, 256xi8>) layer 0
}
