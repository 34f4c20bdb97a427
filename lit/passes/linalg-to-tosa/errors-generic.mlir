// Indexing maps, bodies and reductions of linalg.generic that are not supported.
// RUN: strum-opt %s --linalg-to-tosa --split-input-file --verify-diagnostics

#map = affine_map<(d0) -> (d0)>

// The output operand is an uninitialized tensor.
func.func @nothing_to_add_to(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    // expected-error@+1 {{operand #1 of 'arith.addf' (defined by an argument) is not a supported value}}
    %2 = arith.addf %in, %out : f32
    linalg.yield %2 : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

#map = affine_map<(d0) -> (d0)>

// A select by two comparisons.
func.func @choice(%x: tensor<4xf32>) -> tensor<4xf32> {
  %two = arith.constant 2.0 : f32
  %zero = arith.constant 0.0 : f32
  %0 = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %positive = arith.cmpf ogt, %in, %zero : f32
    %small = arith.cmpf olt, %in, %two : f32
    %first = arith.andi %positive, %small : i1
    // expected-error@+1 {{unsupported: the condition of arith.select must be an arith.cmpf, or computed from constants}}
    %2 = arith.select %first, %in, %zero : f32
    linalg.yield %2 : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

#map = affine_map<(d0) -> (d0)>

// An unordered comparison.
func.func @comparison(%x: tensor<4xf32>) -> tensor<4xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    // expected-error@+1 {{unsupported: comparison predicate 'uno' is not supported}}
    %nan = arith.cmpf uno, %in, %in : f32
    %2 = arith.select %nan, %zero, %in : f32
    linalg.yield %2 : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

#map = affine_map<(d0) -> (d0)>

func.func @assertion_on_positions(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c4 = arith.constant 4 : index
  %0 = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %i = linalg.index 0 : index
    %inside = arith.cmpi slt, %i, %c4 : index
    // expected-error@+1 {{unsupported: the condition of cf.assert must be an arith.cmpf: index out of range}}
    cf.assert %inside, "index out of range"
    linalg.yield %in : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

#map = affine_map<(d0) -> (d0)>

func.func @assertion_on_data(%x: tensor<4xf32>) -> tensor<4xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %positive = arith.cmpf ogt, %in, %zero : f32
    // expected-error@+1 {{unsupported: cf.assert on a non-constant value is not supported: negative}}
    cf.assert %positive, "negative"
    linalg.yield %in : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

#map = affine_map<(d0) -> (d0)>

// Integer arithmetic on loop indices that the reader does not evaluate.
func.func @integer() -> tensor<4xf32> {
  %c1 = arith.constant 1 : i64
  %0 = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%0 : tensor<4xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %2 = arith.index_cast %i : index to i64
    %3 = arith.xori %2, %c1 : i64
    // expected-error@+1 {{unsupported: integer computed by arith.xori: only +, -, *, /, %, min, max, comparison and selection of loop indices and constants are supported}}
    %4 = arith.sitofp %3 : i64 to f32
    linalg.yield %4 : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

#map = affine_map<(d0, d1) -> (d0, d1)>

func.func @several_loops(%x: tensor<16xf32>) -> tensor<4x4xf32> {
  %0 = tensor.empty() : tensor<4x4xf32>
  %1 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel", "parallel"]} outs(%0 : tensor<4x4xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %2 = arith.addi %i, %j : index
    // expected-error@+1 {{unsupported: the index along axis 0 depends on more than one loop}}
    %3 = tensor.extract %x[%2] : tensor<16xf32>
    linalg.yield %3 : f32
  } -> tensor<4x4xf32>
  return %1 : tensor<4x4xf32>
}

// -----

#diagonal = affine_map<(d0) -> (d0, d0)>
#map = affine_map<(d0) -> (d0)>

func.func @diagonal(%x: tensor<4x4xf32>) -> tensor<4xf32> {
  %0 = tensor.empty() : tensor<4xf32>
  // expected-error@+1 {{unsupported: reading the diagonal of a tensor is not supported}}
  %1 = linalg.generic {indexing_maps = [#diagonal, #map], iterator_types = ["parallel"]} ins(%x : tensor<4x4xf32>) outs(%0 : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

#map = affine_map<(d0) -> (d0)>
#column = affine_map<(d0) -> (d0, 0)>

func.func @fixed_position(%x: tensor<4xf32>) -> tensor<4x1xf32> {
  %0 = tensor.empty() : tensor<4x1xf32>
  // expected-error@+1 {{unsupported: a constant in the indexing map of a result is not supported}}
  %1 = linalg.generic {indexing_maps = [#map, #column], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%0 : tensor<4x1xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<4x1xf32>
  return %1 : tensor<4x1xf32>
}

// -----

#map = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d1)>

// A parallel loop that the result does not depend on.
func.func @overwritten(%x: tensor<4x4xf32>) -> tensor<4xf32> {
  %0 = tensor.empty() : tensor<4xf32>
  // expected-error@+1 {{unsupported: the indexing map of a result must use every parallel loop}}
  %1 = linalg.generic {indexing_maps = [#map, #row], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x4xf32>) outs(%0 : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

#map = affine_map<(d0) -> (d0)>
#all = affine_map<(d0) -> ()>

// A dot product.
func.func @two_inputs(%x: tensor<1x4xf32>, %y: tensor<1x4xf32>) -> tensor<f32> {
  %zero = arith.constant dense<0.0> : tensor<f32>
  %a = tensor.collapse_shape %x [[0, 1]] : tensor<1x4xf32> into tensor<4xf32>
  %b = tensor.collapse_shape %y [[0, 1]] : tensor<1x4xf32> into tensor<4xf32>
  // expected-error@+1 {{unsupported: a reduction must have exactly one input}}
  %0 = linalg.generic {indexing_maps = [#map, #map, #all], iterator_types = ["reduction"]} ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%zero : tensor<f32>) {
  ^bb0(%u: f32, %v: f32, %sum: f32):
    %1 = arith.mulf %u, %v : f32
    %2 = arith.addf %sum, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

#map = affine_map<(d0) -> (d0)>
#all = affine_map<(d0) -> ()>

func.func @two_results(%x: tensor<4xf32>) -> (tensor<f32>, tensor<f32>) {
  %zero = arith.constant dense<0.0> : tensor<f32>
  // expected-error@+1 {{unsupported: the index of the largest value (argmax) is not computed by the DPU: end the network before it, with the values that it compares as the output, and take the index from those}}
  %0:2 = linalg.generic {indexing_maps = [#map, #all, #all], iterator_types = ["reduction"]} ins(%x : tensor<4xf32>) outs(%zero, %zero : tensor<f32>, tensor<f32>) {
  ^bb0(%in: f32, %sum: f32, %most: f32):
    %1 = arith.addf %sum, %in : f32
    %2 = arith.maximumf %most, %in : f32
    linalg.yield %1, %2 : f32, f32
  } -> (tensor<f32>, tensor<f32>)
  return %0#0, %0#1 : tensor<f32>, tensor<f32>
}

// -----

#map = affine_map<(d0) -> (d0)>
#all = affine_map<(d0) -> ()>

// A sum of squares fused into one op.
func.func @squares(%x: tensor<4xf32>) -> tensor<f32> {
  %zero = arith.constant dense<0.0> : tensor<f32>
  // expected-error@+1 {{unsupported: the body must combine the input with the accumulator}}
  %0 = linalg.generic {indexing_maps = [#map, #all], iterator_types = ["reduction"]} ins(%x : tensor<4xf32>) outs(%zero : tensor<f32>) {
  ^bb0(%in: f32, %sum: f32):
    %1 = arith.mulf %in, %in : f32
    %2 = arith.addf %sum, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

#map = affine_map<(d0) -> (d0)>
#all = affine_map<(d0) -> ()>

func.func @difference(%x: tensor<4xf32>) -> tensor<f32> {
  %zero = arith.constant dense<0.0> : tensor<f32>
  // expected-error@+1 {{unsupported: a reduction by 'arith.subf' is not supported}}
  %0 = linalg.generic {indexing_maps = [#map, #all], iterator_types = ["reduction"]} ins(%x : tensor<4xf32>) outs(%zero : tensor<f32>) {
  ^bb0(%in: f32, %rest: f32):
    %1 = arith.subf %rest, %in : f32
    linalg.yield %1 : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

#in = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#out = affine_map<(d0, d1, d2) -> (d1, d0)>

func.func @turned_reduction(%x: tensor<2x3x4xf32>) -> tensor<3x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<3x2xf32>
  // expected-error@+1 {{unsupported: a reduction must keep the order of its parallel loops}}
  %0 = linalg.generic {indexing_maps = [#in, #out], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<2x3x4xf32>) outs(%zero : tensor<3x2xf32>) {
  ^bb0(%in: f32, %sum: f32):
    %1 = arith.addf %in, %sum : f32
    linalg.yield %1 : f32
  } -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

#in = affine_map<(d0, d1) -> (d0, d1, d1)>
#out = affine_map<(d0, d1) -> (d0)>

func.func @trace(%x: tensor<2x3x3xf32>) -> tensor<2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2xf32>
  // expected-error@+1 {{unsupported: reading the diagonal of a tensor is not supported}}
  %0 = linalg.generic {indexing_maps = [#in, #out], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x3x3xf32>) outs(%zero : tensor<2xf32>) {
  ^bb0(%in: f32, %sum: f32):
    %1 = arith.addf %in, %sum : f32
    linalg.yield %1 : f32
  } -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

func.func @dilated_pooling(%x: tensor<1x4x8x8xf32>, %init: tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> {
  %k = tensor.empty() : tensor<3x3xf32>
  // expected-error@+1 {{unsupported: a pooling with dilation is not supported}}
  %0 = linalg.pooling_nchw_max {dilations = dense<2> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%x, %k : tensor<1x4x8x8xf32>, tensor<3x3xf32>) outs(%init : tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  return %0 : tensor<1x4x4x4xf32>
}
