// RUN: strum-opt %s --fold-batch-norm --split-input-file --verify-diagnostics

func.func @fourier(%x: tensor<1x4x4xf32>) -> (tensor<1x4x3xf32>, tensor<1x4x3xf32>) {
  // expected-error@+1 {{'tosa.rfft2d' op unsupported: operation is not supported in a float network}}
  %0, %1 = tosa.rfft2d %x {local_bound = false} : (tensor<1x4x4xf32>) -> (tensor<1x4x3xf32>, tensor<1x4x3xf32>)
  return %0, %1 : tensor<1x4x3xf32>, tensor<1x4x3xf32>
}

// -----

// f32 does not hold 2^24 + 1.
func.func @integers() -> tensor<1xf32> {
  %0 = "tosa.const"() <{values = dense<16777217> : tensor<1xi64>}> : () -> tensor<1xi64>
  // expected-error@+1 {{'tosa.cast' op unsupported: operand #0 of type 'tensor<1xi64>' (from tosa.const): integers of a float network must be constant, or computed from constants, up to 2^24}}
  %1 = tosa.cast %0 : (tensor<1xi64>) -> tensor<1xf32>
  return %1 : tensor<1xf32>
}

// -----

func.func @sum_of_integers() -> tensor<1xf32> {
  %0 = "tosa.const"() <{values = dense<16777216> : tensor<1xi32>}> : () -> tensor<1xi32>
  // expected-error@+1 {{unsupported: result of type 'tensor<1xi32>': integers of a float network must be constant, or computed from constants, up to 2^24}}
  %1 = tosa.add %0, %0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi32>
  %2 = tosa.cast %1 : (tensor<1xi32>) -> tensor<1xf32>
  return %2 : tensor<1xf32>
}

// -----

func.func @rounded(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  // expected-error@+1 {{'tosa.cast' op unsupported: only constants are converted to integers}}
  %0 = tosa.cast %x : (tensor<1x4xf32>) -> tensor<1x4xi32>
  %1 = tosa.cast %0 : (tensor<1x4xi32>) -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}

// -----

func.func @too_large() -> tensor<1xf32> {
  %0 = "tosa.const"() <{values = dense<200.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  // expected-error@+1 {{a number does not fit 8 bits}}
  %1 = tosa.cast %0 : (tensor<1xf32>) -> tensor<1xi8>
  %2 = tosa.cast %1 : (tensor<1xi8>) -> tensor<1xf32>
  return %2 : tensor<1xf32>
}

// -----

func.func @shifted() -> tensor<1xf32> {
  %0 = "tosa.const"() <{values = dense<3> : tensor<1xi32>}> : () -> tensor<1xi32>
  %shift = "tosa.const"() <{values = dense<1> : tensor<1xi8>}> : () -> tensor<1xi8>
  // expected-error@+1 {{unsupported: a product of integers with a shift is not supported}}
  %1 = tosa.mul %0, %0, %shift : (tensor<1xi32>, tensor<1xi32>, tensor<1xi8>) -> tensor<1xi32>
  %2 = tosa.cast %1 : (tensor<1xi32>) -> tensor<1xf32>
  return %2 : tensor<1xf32>
}

// -----

func.func @gather_from_a_batch(%x: tensor<2x4x1xf32>) -> tensor<2x1x1xf32> {
  %0 = "tosa.const"() <{values = dense<[[1], [2]]> : tensor<2x1xi32>}> : () -> tensor<2x1xi32>
  // expected-error@+1 {{unsupported: a gather from a batch of 2, 1 is supported}}
  %1 = tosa.gather %x, %0 : (tensor<2x4x1xf32>, tensor<2x1xi32>) -> tensor<2x1x1xf32>
  return %1 : tensor<2x1x1xf32>
}

// -----

func.func @gather_out_of_bounds(%x: tensor<1x4x1xf32>) -> tensor<1x1x1xf32> {
  %0 = "tosa.const"() <{values = dense<4> : tensor<1x1xi32>}> : () -> tensor<1x1xi32>
  // expected-error@+1 {{a position of a gather is out of bounds}}
  %1 = tosa.gather %x, %0 : (tensor<1x4x1xf32>, tensor<1x1xi32>) -> tensor<1x1x1xf32>
  return %1 : tensor<1x1x1xf32>
}

// -----

func.func @largest(%x: tensor<1x4xf32>) -> tensor<1xi32> {
  // expected-error@+1 {{'tosa.argmax' op unsupported: the index of the largest value (argmax) is not computed by the DPU: end the network before it, with the values that it compares as the output, and take the index from those}}
  %0 = tosa.argmax %x {axis = 1 : i32} : (tensor<1x4xf32>) -> tensor<1xi32>
  return %0 : tensor<1xi32>
}

// -----

// expected-error@+1 {{argument #0: 'tensor<?x4x4x2xf32>' has a dynamic dimension: export the network with static shapes, for example with a batch size of 1}}
func.func @dynamic(%x: tensor<?x4x4x2xf32>) -> tensor<?x4x4x2xf32> {
  %0 = tosa.abs %x : (tensor<?x4x4x2xf32>) -> tensor<?x4x4x2xf32>
  return %0 : tensor<?x4x4x2xf32>
}
