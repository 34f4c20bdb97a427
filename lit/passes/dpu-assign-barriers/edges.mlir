// How edges between engines become barriers: chains, several producers, several consumers, and edges that need none.
// RUN: strum-opt %s --split-input-file --pass-pipeline='builtin.module(dpu.program(dpu-assign-barriers))' | FileCheck %s

// Load, convolution, vector engine, store: each waits for the one before. The load of the weights posts to no barrier, since the load of the
// image comes after it on the same engine; the invariant of the layer needs no edge.
// CHECK-LABEL: dpu.program @chain
// CHECK: dpu.dma_copy src(%const
// CHECK-NEXT: %[[LOADED:.*]] = dpu.bar_cfg barrier 0 producers 1 consumers 1
// CHECK-NEXT: dpu.dma_copy post(%[[LOADED]]) src(
// CHECK-NEXT: dpu.conv_inv block
// CHECK-NEXT: %[[SUMMED:.*]] = dpu.bar_cfg barrier 1 producers 1 consumers 1
// CHECK-NEXT: dpu.conv_var wait(%[[LOADED]]) post(%[[SUMMED]])
// CHECK-NEXT: %[[DONE:.*]] = dpu.bar_cfg barrier 2 producers 1 consumers 1
// CHECK-NEXT: dpu.vec_unary wait(%[[SUMMED]]) post(%[[DONE]])
// CHECK-NEXT: dpu.dma_copy wait(%[[DONE]]) engine 1
// CHECK-NEXT: dpu.end
dpu.program @chain machine "flexnn-16x16" stage allocated {
  %x = dpu.input "x" address 512 : !dpu.buffer<dram, 256xi8>
  %y = dpu.output "y" address 768 : !dpu.buffer<dram, 256xi8>
  %w = dpu.constant dense<0> : tensor<512xi8> address 0 -> !dpu.buffer<dram, 512xi8>
  %act = dpu.alloc address 512 : !dpu.buffer<sram, 256xi8>
  %weights = dpu.alloc address 0 : !dpu.buffer<sram, 512xi8>
  %a = dpu.alloc address 768 : !dpu.buffer<sram, 256xi8>
  %b = dpu.alloc address 1024 : !dpu.buffer<sram, 256xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy src(%w : <dram, 512xi8>) dst(%weights : <sram, 512xi8>) dims [1, 1, 1, 1, 1, 512] src_strides [0, 0, 0, 0, 0, 1] dst_strides [0, 0, 0, 0, 0, 1] layer 0
  dpu.dma_copy src(%x : <dram, 256xi8>) dst(%act : <sram, 256xi8>) dims [1, 1, 1, 1, 1, 256] src_strides [0, 0, 0, 0, 0, 1] dst_strides [0, 0, 0, 0, 0, 1] layer 0
  dpu.conv_inv block 16 scale clamp_lo -128 clamp_hi 127 sched_oc 16 sched_ox 16 layer 0
  dpu.conv_var act(%act : <sram, 256xi8>) in_w 16 in_c 16 act_row 256 act_pixel 16 weights(%weights + 256 : <sram, 512xi8>) table(%weights : <sram, 512xi8>) out(%a : <sram, 256xi8>) out_w 16 out_c 16 out_row 256 out_pixel 16 layer 0
  dpu.vec_unary op abs dims [1, 1, 1, 1, 1, 256] src(%a : <sram, 256xi8>) src_strides [0, 0, 0, 0, 0, 1] out(%b : <sram, 256xi8>) out_strides [0, 0, 0, 0, 0, 1] layer 0
  dpu.dma_copy engine 1 src(%b : <sram, 256xi8>) dst(%y : <dram, 256xi8>) dims [1, 1, 1, 1, 1, 256] src_strides [0, 0, 0, 0, 0, 1] dst_strides [0, 0, 0, 0, 0, 1] layer 0
}

// -----

// A task that waits for two engines needs one barrier with two producers.
// CHECK-LABEL: dpu.program @fan_in
// CHECK: %[[B:.*]] = dpu.bar_cfg barrier 0 producers 2 consumers 1
// CHECK-NEXT: dpu.dma_fill post(%[[B]]) dst
// CHECK-NEXT: dpu.dma_fill post(%[[B]]) engine 1
// CHECK-NEXT: dpu.vec_binary wait(%[[B]])
// CHECK-NEXT: dpu.end
dpu.program @fan_in machine "flexnn-16x16" stage allocated {
  %y = dpu.output "y" address 0 : !dpu.buffer<dram, 32xi8>
  %a = dpu.alloc address 0 : !dpu.buffer<sram, 16xi8>
  %b = dpu.alloc address 16 : !dpu.buffer<sram, 16xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_fill dst(%a : <sram, 16xi8>) layer 0
  dpu.dma_fill engine 1 dst(%b : <sram, 16xi8>) layer 0
  dpu.vec_binary op add a(%a : <sram, 16xi8>) b(%b : <sram, 16xi8>) out(%a : <sram, 16xi8>) layer 0
}

// -----

// Two engines that wait for the same task share a barrier with two consumers.
// CHECK-LABEL: dpu.program @fan_out
// CHECK: %[[B:.*]] = dpu.bar_cfg barrier 0 producers 1 consumers 2
// CHECK-NEXT: dpu.dma_fill post(%[[B]])
// CHECK-NEXT: dpu.vec_unary wait(%[[B]])
// CHECK-NEXT: dpu.dma_copy wait(%[[B]]) engine 1
// CHECK-NEXT: dpu.end
dpu.program @fan_out machine "flexnn-16x16" stage allocated {
  %y = dpu.output "y" address 0 : !dpu.buffer<dram, 32xi8>
  %a = dpu.alloc address 0 : !dpu.buffer<sram, 16xi8>
  %b = dpu.alloc address 16 : !dpu.buffer<sram, 16xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_fill dst(%a : <sram, 16xi8>) layer 0
  dpu.vec_unary op abs src(%a : <sram, 16xi8>) out(%b : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 src(%a : <sram, 16xi8>) dst(%y : <dram, 32xi8>) layer 0
}

// -----

// The last store reads what the fill wrote, but comes after a store that waits for the vector engine, which waits for the fill.
// CHECK-LABEL: dpu.program @transitive
// CHECK: dpu.dma_fill post(%[[FILLED:b[0-9]+]])
// CHECK: dpu.vec_unary wait(%[[FILLED]]) post(%[[DONE:b[0-9]+]])
// CHECK-NEXT: dpu.dma_copy wait(%[[DONE]]) engine 1
// CHECK-NEXT: dpu.dma_copy engine 1
// CHECK-NEXT: dpu.end
dpu.program @transitive machine "flexnn-16x16" stage allocated {
  %y = dpu.output "y" address 0 : !dpu.buffer<dram, 32xi8>
  %a = dpu.alloc address 0 : !dpu.buffer<sram, 16xi8>
  %b = dpu.alloc address 16 : !dpu.buffer<sram, 16xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_fill dst(%a : <sram, 16xi8>) layer 0
  dpu.vec_unary op abs src(%a : <sram, 16xi8>) out(%b : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 src(%b : <sram, 16xi8>) dst(%y : <dram, 32xi8>) layer 0
  dpu.dma_copy engine 1 src(%a : <sram, 16xi8>) dst(%y + 16 : <dram, 32xi8>) layer 0
}

// -----

// Bytes count and not buffers: the first store reads the half that the fill leaves alone, the second overlaps it by eight bytes.
// CHECK-LABEL: dpu.program @bytes
// CHECK: dpu.dma_fill post(%[[FILLED:.*]]) dst
// CHECK-NEXT: dpu.dma_copy engine 1 src(%{{.*}} + 16 :
// CHECK-NEXT: dpu.dma_copy wait(%[[FILLED]]) engine 1 src(%{{.*}} + 8 :
// CHECK-NEXT: dpu.end
dpu.program @bytes machine "flexnn-16x16" stage allocated {
  %y = dpu.output "y" address 0 : !dpu.buffer<dram, 32xi8>
  %a = dpu.alloc address 0 : !dpu.buffer<sram, 32xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_fill dst(%a : <sram, 32xi8>) dims [1, 1, 1, 1, 1, 16] dst_strides [0, 0, 0, 0, 0, 1] layer 0
  dpu.dma_copy engine 1 src(%a + 16 : <sram, 32xi8>) dst(%y : <dram, 32xi8>) dims [1, 1, 1, 1, 1, 16] src_strides [0, 0, 0, 0, 0, 1] dst_strides [0, 0, 0, 0, 0, 1] layer 0
  dpu.dma_copy engine 1 src(%a + 8 : <sram, 32xi8>) dst(%y : <dram, 32xi8>) dims [1, 1, 1, 1, 1, 16] src_strides [0, 0, 0, 0, 0, 1] dst_strides [0, 0, 0, 0, 0, 1] layer 0
}

// -----

// Two engines may read the same bytes at the same time.
// CHECK-LABEL: dpu.program @reads
// CHECK-NOT: dpu.bar_cfg
// CHECK: dpu.end
dpu.program @reads machine "flexnn-16x16" stage allocated {
  %x = dpu.input "x" address 0 : !dpu.buffer<dram, 32xi8>
  %a = dpu.alloc address 0 : !dpu.buffer<sram, 16xi8>
  %b = dpu.alloc address 16 : !dpu.buffer<sram, 16xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy src(%x : <dram, 32xi8>) dst(%a : <sram, 16xi8>) layer 0
  dpu.dma_copy engine 1 src(%x : <dram, 32xi8>) dst(%b : <sram, 16xi8>) layer 0
}
