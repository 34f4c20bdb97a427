// Functions, arguments and constants that are not those of a float network.
// RUN: strum-opt %s --fold-constants --split-input-file --verify-diagnostics

// expected-error@+1 {{a float network must be a function with a single block}}
func.func @blocks(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  cf.br ^next
^next:
  return %x : tensor<1x4xf32>
}

// -----

// expected-error@+1 {{argument #0: 'tensor<*xf32>' is not a ranked tensor}}
func.func @unranked(%x: tensor<*xf32>) -> tensor<*xf32> {
  return %x : tensor<*xf32>
}

// -----

// expected-error@+1 {{argument #0: 'tensor<1x4xcomplex<f32>>' is not a tensor of numbers}}
func.func @complex(%x: tensor<1x4xcomplex<f32>>) -> tensor<1x4xcomplex<f32>> {
  return %x : tensor<1x4xcomplex<f32>>
}

// -----

// expected-error@+1 {{argument #0: 'tensor<1x4xf16>' is not a tensor of f32}}
func.func @half(%x: tensor<1x4xf16>) -> tensor<1x4xf16> {
  return %x : tensor<1x4xf16>
}

// -----

func.func @missing() -> tensor<4xf32> {
  // expected-error@+1 {{the resource 'gone' is not in the file}}
  %0 = "tosa.const"() <{values = dense_resource<gone> : tensor<4xf32>}> : () -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// A splat whose size in bytes overflows 64 bits.
func.func @too_large() -> tensor<4611686018427387904x4xf32> {
  // expected-error@+1 {{out of memory: to compile 18446744073709551615 bytes of constants}}
  %0 = "tosa.const"() <{values = dense<1.0> : tensor<4611686018427387904x4xf32>}> : () -> tensor<4611686018427387904x4xf32>
  return %0 : tensor<4611686018427387904x4xf32>
}
