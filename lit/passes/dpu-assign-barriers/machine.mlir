// RUN: strum-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(dpu.program(dpu-assign-barriers))'

// A program carries the text of its machine file, which may be invalid.
// expected-error @+1 {{has a machine file that cannot be used: not a machine file: TOML parse error}}
dpu.program @no_machine machine "mine" stage allocated attributes {machine_toml = "rows = many"} {
}

// -----

// expected-error @+1 {{no built-in machine 'mine' (there are: flexnn-16x16, }}
dpu.program @unknown machine "mine" stage allocated {
}

// -----

// Only tile 0 is supported.
// expected-error @+1 {{unsupported: task 0: only tile 0 is supported}}
dpu.program @tile machine "flexnn-16x16" stage allocated {
  %a = dpu.alloc address 0 : !dpu.buffer<sram, 16xi8>
  dpu.layer "l" of "test" macs 0
  dpu.dma_fill tile 1 dst(%a : <sram, 16xi8>) layer 0
}
