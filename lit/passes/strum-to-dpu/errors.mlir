// RUN: strum-opt %s --split-input-file --verify-diagnostics --strum-to-dpu -o /dev/null
// RUN: not strum-opt %s --split-input-file --strum-to-dpu=machine=nope 2>&1 | FileCheck %s --check-prefix=MACHINE
// RUN: not strum-opt %s --split-input-file --strum-to-dpu=machine=nope.toml 2>&1 | FileCheck %s --check-prefix=FILE

// MACHINE: unknown machine 'nope': name a built-in one (flexnn-16x16, {{.*}}) or a .toml file
// FILE: machine file 'nope.toml': No such file or directory

func.func @unknown(%x: tensor<4xi8>) -> tensor<4xi8> {
  // expected-error @+2 {{'tosa.bitwise_not' op unsupported: the DPU has no such op}}
  // expected-note @+1 {{supported ops of the tosa dialect: }}
  %0 = tosa.bitwise_not %x : (tensor<4xi8>) -> tensor<4xi8>
  return %0 : tensor<4xi8>
}

// -----

// expected-error @+1 {{'func.func' op unsupported: argument #0 of type 'tensor<4xf32>' has element type f32; the DPU holds i8, i16 and i32}}
func.func @float(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'func.func' op has no body of one block: there is nothing to run}}
func.func private @declaration(tensor<4xi8>) -> tensor<4xi8>

// -----

func.func @too_large() -> tensor<8589934592xi8> {
  // expected-error @+1 {{'tosa.const' op does not fit the machine: a tensor of type 'tensor<8589934592xi8>' has 8589934592 bytes, the DRAM of 'flexnn-16x16' has 4294967296}}
  %c = "tosa.const"() <{values = dense<1> : tensor<8589934592xi8>}> : () -> tensor<8589934592xi8>
  %0 = tosa.clamp %c {min_val = 0 : i8, max_val = 6 : i8} : (tensor<8589934592xi8>) -> tensor<8589934592xi8>
  return %0 : tensor<8589934592xi8>
}
