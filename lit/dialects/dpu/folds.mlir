// RUN: strum-opt %s --canonicalize --cse | FileCheck %s

// Instructions, inputs, outputs, layers and barriers stay as they are, however equal; equal constants become one; memory that nothing
// uses goes.
// CHECK-LABEL: dpu.program @main
dpu.program @main machine "flexnn-16x16" stage draft {
  // CHECK-NEXT: dpu.input "a"
  // CHECK-NEXT: dpu.input "b"
  // CHECK-NEXT: dpu.output "y"
  %a = dpu.input "a" : !dpu.buffer<dram, 16xi8>
  %b = dpu.input "b" : !dpu.buffer<dram, 16xi8>
  %y = dpu.output "y" : !dpu.buffer<dram, 16xi8>
  // CHECK-NEXT: %[[W:.*]] = dpu.constant
  %w0 = dpu.constant dense<1> : tensor<16xi8> -> !dpu.buffer<dram, 16xi8>
  %w1 = dpu.constant dense<1> : tensor<16xi8> -> !dpu.buffer<dram, 16xi8>
  %w2 = dpu.constant dense<2> : tensor<16xi8> -> !dpu.buffer<dram, 16xi8>
  // CHECK-NEXT: %[[S:.*]] = dpu.alloc
  // CHECK-NEXT: %[[T:.*]] = dpu.alloc
  %s = dpu.alloc : !dpu.buffer<sram, 16xi8>
  %t = dpu.alloc : !dpu.buffer<sram, 16xi8>
  %u = dpu.alloc : !dpu.buffer<sram, 16xi8>
  // CHECK-NEXT: dpu.layer
  // CHECK-NEXT: dpu.layer
  dpu.layer "l" of "o" macs 0
  dpu.layer "l" of "o" macs 0
  // CHECK-NEXT: dpu.dma_copy element 16 src(%[[W]] : <dram, 16xi8>) dst(%[[S]] : <sram, 16xi8>)
  // CHECK-NEXT: dpu.dma_copy element 16 src(%[[W]] : <dram, 16xi8>) dst(%[[S]] : <sram, 16xi8>)
  // CHECK-NEXT: dpu.dma_copy element 16 src(%[[W]] : <dram, 16xi8>) dst(%[[T]] : <sram, 16xi8>)
  // CHECK-NEXT: dpu.conv_inv
  // CHECK-NEXT: dpu.conv_inv
  // CHECK-NEXT: }
  dpu.dma_copy element 16 src(%w0 : <dram, 16xi8>) dst(%s : <sram, 16xi8>)
  dpu.dma_copy element 16 src(%w1 : <dram, 16xi8>) dst(%s : <sram, 16xi8>)
  dpu.dma_copy element 16 src(%w1 : <dram, 16xi8>) dst(%t : <sram, 16xi8>)
  dpu.conv_inv
  dpu.conv_inv
}

// CHECK-LABEL: dpu.program @barriers
dpu.program @barriers machine "flexnn-16x16" stage scheduled {
  // CHECK-COUNT-2: dpu.bar_cfg barrier 1 producers 1 consumers 0
  // CHECK-NEXT: dpu.end
  %0 = dpu.bar_cfg barrier 1 producers 1 consumers 0
  %1 = dpu.bar_cfg barrier 1 producers 1 consumers 0
  dpu.end
}
