// Forms of named linalg operators and of tensor operators that are not supported.
// RUN: strum-opt %s --linalg-to-tosa --split-input-file --verify-diagnostics

// A matrix product whose indexing map transposes its left operand.
func.func @transposed(%x: tensor<2x3xf32>, %y: tensor<2x4xf32>) -> tensor<3x4xf32> {
  %zero = arith.constant dense<0.0> : tensor<3x4xf32>
  // expected-error@+1 {{unsupported: custom indexing maps are not supported: [affine_map<(d0, d1, d2) -> (d2, d0)>}}
  %0 = linalg.matmul indexing_maps = [affine_map<(d0, d1, d2) -> (d2, d0)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>]
    ins(%x, %y : tensor<2x3xf32>, tensor<2x4xf32>) outs(%zero : tensor<3x4xf32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// -----

func.func @dynamic_window(%x: tensor<1x4x4x2xf32>) -> tensor<1x2x2x2xf32> {
  %c3 = arith.constant 3 : index
  %zero = arith.constant dense<0.0> : tensor<1x2x2x2xf32>
  %window = tensor.empty(%c3, %c3) : tensor<?x?xf32>
  // expected-error@+1 {{unsupported: the window of a pooling must be a static 2-D tensor}}
  %0 = linalg.pooling_nhwc_max ins(%x, %window : tensor<1x4x4x2xf32>, tensor<?x?xf32>) outs(%zero : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  return %0 : tensor<1x2x2x2xf32>
}

// -----

func.func @every_other(%x: tensor<1x8xf32>) -> tensor<1x4xf32> {
  // expected-error@+1 {{unsupported: a slice with a stride or a dynamic offset is not supported}}
  %0 = tensor.extract_slice %x[0, 0] [1, 4] [1, 2] : tensor<1x8xf32> to tensor<1x4xf32>
  return %0 : tensor<1x4xf32>
}

// -----

func.func @padding(%x: tensor<1x4xf32>) -> tensor<1x6xf32> {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  // expected-error@+1 {{unsupported: padding amounts must be constant}}
  %0 = tensor.pad %x low[0, %c1] high[0, %c1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<1x4xf32> to tensor<1x6xf32>
  return %0 : tensor<1x6xf32>
}

// -----

func.func @padding_value(%x: tensor<1x4xf32>) -> tensor<1x6xf32> {
  %one = arith.constant 1.0 : f32
  // expected-error@+1 {{unsupported: the padding value must be constant}}
  %0 = tensor.pad %x low[0, 1] high[0, 1] {
  ^bb0(%i: index, %j: index):
    %2 = arith.addf %one, %one : f32
    tensor.yield %2 : f32
  } : tensor<1x4xf32> to tensor<1x6xf32>
  return %0 : tensor<1x6xf32>
}

// -----

// An uninitialized tensor that is read.
func.func @empty() -> tensor<4x1xf32> {
  %0 = tensor.empty() : tensor<1x4xf32>
  %1 = tensor.empty() : tensor<4x1xf32>
  // expected-error@+1 {{operand #0 of type 'tensor<1x4xf32>' (from tensor.empty) is uninitialized}}
  %2 = linalg.transpose ins(%0 : tensor<1x4xf32>) outs(%1 : tensor<4x1xf32>) permutation = [1, 0]
  return %2 : tensor<4x1xf32>
}
