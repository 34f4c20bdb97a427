// RUN: strum-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(dpu.program(dpu-assign-barriers))' | FileCheck %s

// The store waits for the load; two tasks of one engine need no barrier; the stream ends.
// CHECK-LABEL: dpu.program @main machine "flexnn-16x16" stage scheduled
// CHECK: %[[B:.*]] = dpu.bar_cfg barrier 0 producers 1 consumers 1
// CHECK-NEXT: dpu.dma_copy post(%[[B]]) element 16
// CHECK-NEXT: dpu.dma_copy wait(%[[B]]) engine 1 element 16
// CHECK-NEXT: dpu.dma_fill engine 1
// CHECK-NEXT: dpu.end
dpu.program @main machine "flexnn-16x16" stage allocated {
  %x = dpu.input "x" address 0 : !dpu.buffer<dram, 16xi8>
  %y = dpu.output "y" address 64 : !dpu.buffer<dram, 16xi8>
  %a = dpu.alloc address 0 : !dpu.buffer<sram, 16xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy element 16 src(%x : <dram, 16xi8>) dst(%a : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 element 16 src(%a : <sram, 16xi8>) dst(%y : <dram, 16xi8>) layer 0
  dpu.dma_fill engine 1 dst(%y : <dram, 16xi8>) layer 0
}

// -----

// Tasks that touch nothing in common are not ordered.
// CHECK-LABEL: dpu.program @apart
// CHECK-NOT: dpu.bar_cfg
// CHECK: dpu.end
dpu.program @apart machine "flexnn-16x16" stage allocated {
  %a = dpu.alloc address 0 : !dpu.buffer<sram, 16xi8>
  %b = dpu.alloc address 16 : !dpu.buffer<sram, 16xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_fill dst(%a : <sram, 16xi8>) layer 0
  dpu.dma_fill engine 1 dst(%b : <sram, 16xi8>) layer 0
}

// -----

// expected-error @+1 {{'dpu.program' op is at stage Draft, dpu-assign-barriers expects Allocated}}
dpu.program @early machine "flexnn-16x16" stage draft {
}
