// Buffers that cannot be placed.
// RUN: strum-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(dpu.program(dpu-allocate))'

// Constants, inputs and outputs are live from start to end. The smaller machine has 256 MB of DRAM.
// expected-error @+1 {{'dpu.program' op does not fit the machine: l: DRAM bytes: needs 268435520, the limit is 268435456}}
dpu.program @dram machine "flexnn-4x4" stage draft {
  %x = dpu.input "x" : !dpu.buffer<dram, 16xi8>
  %y = dpu.output "y" : !dpu.buffer<dram, 268435456xi8>
  %s = dpu.alloc : !dpu.buffer<dram, 16xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy element 16 src(%x : <dram, 16xi8>) dst(%s : <dram, 16xi8>) layer 0
  dpu.dma_copy element 16 src(%s : <dram, 16xi8>) dst(%y : <dram, 268435456xi8>) layer 0
}

// -----

// A buffer of the size of the SRAM leaves no room for another, not even for a single byte.
// expected-error @+1 {{'dpu.program' op does not fit the machine: l: SRAM bytes: needs 65552, the limit is 65536}}
dpu.program @sram machine "flexnn-4x4" stage draft {
  %a = dpu.alloc : !dpu.buffer<sram, 65536xi8>
  %b = dpu.alloc : !dpu.buffer<sram, 1xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy src(%a : <sram, 65536xi8>) dst(%b : <sram, 1xi8>) layer 0
}

// -----

// expected-error @+1 {{unsupported: buffer 0 is aligned to 2097152 bytes: must be a power of two up to 1048576}}
dpu.program @alignment machine "flexnn-16x16" stage draft {
  %a = dpu.alloc align 2097152 : !dpu.buffer<sram, 16xi8>
}

// -----

// The lookup table of an invariant is live until the last variant that uses the slot, although no later task names it. The other three
// buffers alone fill the SRAM.
// expected-error @+1 {{does not fit the machine: l: SRAM bytes: needs 2097408, the limit is 2097152}}
dpu.program @invariant machine "flexnn-16x16" stage draft {
  %x = dpu.input "x" : !dpu.buffer<dram, 1x4x4x16xi8>
  %y = dpu.output "y" : !dpu.buffer<dram, 1x4x4x16xi8>
  %t = dpu.constant dense<0> : tensor<256xi8> -> !dpu.buffer<dram, 256xi8>
  %w = dpu.constant dense<0> : tensor<512xi8> -> !dpu.buffer<dram, 512xi8>
  %table = dpu.alloc : !dpu.buffer<sram, 256xi8>
  %act = dpu.alloc : !dpu.buffer<sram, 2096384xi8>
  %weights = dpu.alloc : !dpu.buffer<sram, 512xi8>
  %out = dpu.alloc : !dpu.buffer<sram, 256xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_copy src(%t : <dram, 256xi8>) dst(%table : <sram, 256xi8>) layer 0
  dpu.conv_inv block 16 lut lut_addr(%table : <sram, 256xi8>) layer 0
  dpu.dma_copy src(%x : <dram, 1x4x4x16xi8>) dst(%act : <sram, 2096384xi8>) layer 0
  dpu.dma_copy src(%w : <dram, 512xi8>) dst(%weights : <sram, 512xi8>) layer 0
  dpu.conv_var act(%act : <sram, 2096384xi8>) weights(%weights + 256 : <sram, 512xi8>) table(%weights : <sram, 512xi8>) out(%out : <sram, 256xi8>) layer 0
  dpu.dma_copy src(%out : <sram, 256xi8>) dst(%y : <dram, 1x4x4x16xi8>) layer 0
}

// -----

// An argument of the program's block is not a declaration.
"dpu.program"() <{machine = "flexnn-16x16", stage = #dpu<stage draft>, sym_name = "argument"}> ({
^bb0(%a: !dpu.buffer<dram, 16xi8>):
  %y = dpu.output "y" : !dpu.buffer<dram, 16xi8>
  dpu.layer "l" of "test" macs 0
  // expected-error @+1 {{'dpu.dma_copy' op uses a buffer that its program does not declare}}
  dpu.dma_copy element 16 src(%a : <dram, 16xi8>) dst(%y : <dram, 16xi8>) layer 0
}) : () -> ()

// -----

dpu.program @no_invariant machine "flexnn-16x16" stage draft {
  %act = dpu.alloc : !dpu.buffer<sram, 4096xi8>
  %weights = dpu.alloc : !dpu.buffer<sram, 512xi8>
  %out = dpu.alloc : !dpu.buffer<sram, 256xi8>
  dpu.layer "l" of "test" macs 0
  // expected-error @+1 {{'dpu.conv_var' op slot 0 of tile 0 is empty}}
  dpu.conv_var act(%act : <sram, 4096xi8>) weights(%weights + 256 : <sram, 512xi8>) table(%weights : <sram, 512xi8>) out(%out : <sram, 256xi8>) layer 0
}
