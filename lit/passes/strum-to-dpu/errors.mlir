// RUN: strum-opt %s --split-input-file --verify-diagnostics --strum-to-dpu -o /dev/null
// RUN: not strum-opt %s --split-input-file --strum-to-dpu=machine=nope 2>&1 | FileCheck %s --check-prefix=MACHINE
// RUN: not strum-opt %s --split-input-file --strum-to-dpu=machine=nope.toml 2>&1 | FileCheck %s --check-prefix=FILE

// MACHINE: unknown machine 'nope': name a built-in one (flexnn-16x16, {{.*}}) or a .toml file
// FILE: machine file 'nope.toml': No such file or directory

func.func @unknown(%x: tensor<4xi8>) -> tensor<4xi8> {
  // expected-error @+2 {{'tosa.custom' op unsupported: not implemented by the DPU}}
  // expected-note @+1 {{supported ops of the tosa dialect: }}
  %0 = tosa.custom %x {domain_name = "acme", implementation_attrs = "", operator_name = "sort"} : (tensor<4xi8>) -> tensor<4xi8>
  return %0 : tensor<4xi8>
}

// -----

// expected-error @+1 {{'func.func' op unsupported: argument #0 of type 'tensor<4xf32>' has element type f32; supported are i1, i8, i16 and i32}}
func.func @float(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'func.func' op must have a single block that ends with func.return}}
func.func private @declaration(tensor<4xi8>) -> tensor<4xi8>

// -----

func.func @too_large() -> tensor<8589934592xi8> {
  // expected-error @+1 {{'tosa.const' op does not fit the machine: a tensor of type 'tensor<8589934592xi8>' has 8589934592 bytes, the DRAM of 'flexnn-16x16' has 4294967296}}
  %c = "tosa.const"() <{values = dense<1> : tensor<8589934592xi8>}> : () -> tensor<8589934592xi8>
  // expected-error @+1 {{'tosa.clamp' op does not fit the machine: a tensor of type 'tensor<8589934592xi8>' has 8589934592 bytes, the DRAM of 'flexnn-16x16' has 4294967296}}
  %0 = tosa.clamp %c {min_val = 0 : i8, max_val = 6 : i8} : (tensor<8589934592xi8>) -> tensor<8589934592xi8>
  return %0 : tensor<8589934592xi8>
}

// -----

// expected-error @+1 {{a tensor of type 'tensor<0x4xi8>' has no elements: in TOSA every extent is at least 1}}
func.func @empty(%x: tensor<0x4xi8>) -> tensor<0x4xi8> {
  return %x : tensor<0x4xi8>
}

// -----

func.func @extent(%x: tensor<1x2147483648x1x1xi8>) -> tensor<1x2147483648x1x1xi8> {
  // expected-error @+1 {{'tosa.max_pool2d' op unsupported: the input has an extent of 2147483648: must be 1 to 2^31 - 1}}
  %0 = tosa.max_pool2d %x {kernel = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x2147483648x1x1xi8>) -> tensor<1x2147483648x1x1xi8>
  return %0 : tensor<1x2147483648x1x1xi8>
}

// -----

// expected-error@+1 {{'func.func' op expects 'tosa.tensor_name' in arg_attrs to be a string, got 3 : i64}}
func.func @name(%x: tensor<4x4xi8> {tosa.tensor_name = 3}) -> tensor<4x4xi8> {
  return %x : tensor<4x4xi8>
}

// -----

// expected-error @+1 {{'func.func' op does not fit the machine: a tensor of type 'tensor<2147483648x2147483648x2147483648xi8>' has 18446744073709551615 bytes or more}}
func.func @overflow(%x: tensor<2147483648x2147483648x2147483648xi8>) -> tensor<2147483648x2147483648x2147483648xi8> {
  return %x : tensor<2147483648x2147483648x2147483648xi8>
}

// -----

func.func @not_fused(%a: tensor<1x2x2xi8>) -> tensor<1x2x2xi32> {
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  // expected-error @+1 {{'tosa.matmul' op unsupported: only as a layer of the strum dialect: run tosa-to-strum first}}
  %0 = tosa.matmul %a, %a, %z, %z : (tensor<1x2x2xi8>, tensor<1x2x2xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x2x2xi32>
  return %0 : tensor<1x2x2xi32>
}

// -----

// expected-error @+1 {{'func.func' op unsupported: a value of type !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>, expected a static tensor of i1, i8, i16 or i32}}
func.func @packed(%x: tensor<1x1x1x16xi8>, %w: !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>) -> tensor<1x1x1x1xi32> {
  %0 = strum.conv2d %x, %w : (tensor<1x1x1x16xi8>, !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>) -> tensor<1x1x1x1xi32>
  return %0 : tensor<1x1x1x1xi32>
}
