// RUN: strum-opt %s --linalg-to-tosa --split-input-file --verify-diagnostics

#map = affine_map<(d0) -> (d0)>

func.func @unknown(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    // expected-error@+1 {{'math.atan' op unsupported: operation is not supported in the body of linalg.generic}}
    %2 = math.atan %in : f32
    linalg.yield %2 : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

func.func @named(%x: tensor<1x8x2xf32>, %w: tensor<3x2x4xf32>) -> tensor<1x6x4xf32> {
  %0 = tensor.empty() : tensor<1x6x4xf32>
  // expected-error@+1 {{'linalg.conv_1d_nwc_wcf' op unsupported: operation is not supported in a float network}}
  %1 = linalg.conv_1d_nwc_wcf ins(%x, %w : tensor<1x8x2xf32>, tensor<3x2x4xf32>) outs(%0 : tensor<1x6x4xf32>) -> tensor<1x6x4xf32>
  return %1 : tensor<1x6x4xf32>
}

// -----

// expected-error@+1 {{argument #0: 'tensor<?x4xf32>' has a dynamic dimension: export the network with static shapes, for example with a batch size of 1}}
func.func @dynamic(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = tensor.cast %x : tensor<?x4xf32> to tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// expected-error@+1 {{argument #1: 'tensor<4xf32>' looks like a parameter that the exporter left as an argument, such as batch-norm statistics: turn buffers into parameters before exporting, or fold them}}
func.func @statistics(%x: tensor<1x4xf32>, %mean: tensor<4xf32>) -> tensor<1x4xf32> {
  %0 = tensor.cast %x : tensor<1x4xf32> to tensor<1x4xf32>
  return %0 : tensor<1x4xf32>
}

// -----

// The table of relative positions of a Swin Transformer.
// expected-error@+1 {{argument #1: 'tensor<2401xi64>' looks like a parameter that the exporter left as an argument}}
func.func @table(%x: tensor<1x4xf32>, %positions: tensor<2401xi64>) -> tensor<1x4xf32> {
  %0 = tensor.cast %x : tensor<1x4xf32> to tensor<1x4xf32>
  return %0 : tensor<1x4xf32>
}

// -----

#map = affine_map<(d0) -> (d0)>

func.func @assertion() -> tensor<2xf32> {
  %cst = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %x = arith.constant dense<[1.0, 0.0]> : tensor<2xf32>
  %0 = tensor.empty() : tensor<2xf32>
  %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%x : tensor<2xf32>) outs(%0 : tensor<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %2 = arith.cmpf one, %in, %cst : f32
    // expected-error@+1 {{assertion fails: unimplemented: tensor with zero element}}
    cf.assert %2, "unimplemented: tensor with zero element"
    %3 = arith.divf %one, %in : f32
    linalg.yield %3 : f32
  } -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// -----

#map = affine_map<(d0, d1) -> (d0 + d1)>
#map1 = affine_map<(d0, d1) -> (d0, d1)>

func.func @computed(%x: tensor<5xf32>) -> tensor<2x4xf32> {
  %0 = tensor.empty() : tensor<2x4xf32>
  // expected-error@+1 {{unsupported: only projected permutations are supported as indexing maps, got affine_map<(d0, d1) -> (d0 + d1)>}}
  %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<5xf32>) outs(%0 : tensor<2x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// -----

#map = affine_map<(d0) -> (d0)>

// Positions by data, as embeddings have them.
func.func @gather(%x: tensor<2x4xf32>) -> tensor<4xf32> {
  %0 = tensor.empty() : tensor<4xf32>
  %row = tensor.extract_slice %x[0, 0] [1, 4] [1, 1] : tensor<2x4xf32> to tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%row : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %2 = arith.fptosi %in : f32 to i64
    %3 = arith.index_cast %2 : i64 to index
    // expected-error@+1 {{'tensor.extract' op unsupported: the index along axis 0 (from arith.index_cast) must be computed from loop indices and constants; data-dependent gathers are not supported}}
    %4 = tensor.extract %x[%3, %3] : tensor<2x4xf32>
    linalg.yield %4 : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

#map = affine_map<(d0) -> (d0)>

func.func @outside(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c1 = arith.constant 1 : index
  %0 = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%0 : tensor<4xf32>) {
  ^bb0(%out: f32):
    %2 = linalg.index 0 : index
    %3 = arith.addi %2, %c1 : index
    // expected-error@+1 {{index out of bounds along axis 0 of size 4}}
    %4 = tensor.extract %x[%3] : tensor<4xf32>
    linalg.yield %4 : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

#map = affine_map<(d0) -> (d0)>

func.func @diagonal(%x: tensor<4x4xf32>) -> tensor<4xf32> {
  %0 = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%0 : tensor<4xf32>) {
  ^bb0(%out: f32):
    %2 = linalg.index 0 : index
    // expected-error@+1 {{unsupported: two indices depend on the same loop}}
    %3 = tensor.extract %x[%2, %2] : tensor<4x4xf32>
    linalg.yield %3 : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

#map = affine_map<(d0) -> (d0)>

func.func @positions() -> tensor<4xi64> {
  %0 = tensor.empty() : tensor<4xi64>
  %1 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%0 : tensor<4xi64>) {
  ^bb0(%out: i64):
    %2 = linalg.index 0 : index
    %3 = arith.index_cast %2 : index to i64
    linalg.yield %3 : i64
  } -> tensor<4xi64>
  // expected-error@+1 {{unsupported: result #0 has type 'tensor<4xi64>', expected a tensor of f32}}
  return %1 : tensor<4xi64>
}

// -----

#map = affine_map<(d0) -> (d0)>

func.func @rounded(%xs: tensor<1x4xf32>) -> tensor<4xf32> {
  %x = tensor.collapse_shape %xs [[0, 1]] : tensor<1x4xf32> into tensor<4xf32>
  %0 = tensor.empty() : tensor<4xi64>
  // expected-error@+1 {{'linalg.generic' op unsupported: result #0 has type 'tensor<4xi64>', expected a tensor of f32: integers of a float network must be constant, or computed from constants, up to 2^24}}
  %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%0 : tensor<4xi64>) {
  ^bb0(%in: f32, %out: i64):
    %3 = arith.fptosi %in : f32 to i64
    linalg.yield %3 : i64
  } -> tensor<4xi64>
  %2 = tensor.empty() : tensor<4xf32>
  %4 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%1 : tensor<4xi64>) outs(%2 : tensor<4xf32>) {
  ^bb0(%in: i64, %out: f32):
    %5 = arith.sitofp %in : i64 to f32
    linalg.yield %5 : f32
  } -> tensor<4xf32>
  return %4 : tensor<4xf32>
}

// -----

#map = affine_map<(d0) -> (d0)>

func.func @power(%xs: tensor<1x4xf32>) -> tensor<4xf32> {
  %x = tensor.collapse_shape %xs [[0, 1]] : tensor<1x4xf32> into tensor<4xf32>
  %0 = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %2 = arith.fptosi %in : f32 to i32
    // expected-error@+1 {{unsupported: the exponent of math.fpowi must be constant}}
    %3 = math.fpowi %in, %2 : f32, i32
    linalg.yield %3 : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

func.func @replaced(%xs: tensor<1x4xf32>, %y: tensor<1x2xf32>) -> tensor<4xf32> {
  %x = tensor.collapse_shape %xs [[0, 1]] : tensor<1x4xf32> into tensor<4xf32>
  %0 = tensor.collapse_shape %y [[0, 1]] : tensor<1x2xf32> into tensor<2xf32>
  // expected-error@+1 {{'tensor.insert_slice' op unsupported: tensor.insert_slice is supported only at constant offsets into a splat}}
  %1 = tensor.insert_slice %0 into %x[1] [2] [1] : tensor<2xf32> into tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

func.func @misspelt(%x: tensor<1x5x5x1xf32>, %w: tensor<1x1x1x1xf32>, %y: tensor<1x5x5x1xf32>) -> tensor<1x5x5x1xf32> {
  // expected-error@+1 {{'linalg.conv_2d_nhwc_hwcf' op has no attribute 'stride'; the nearest is 'strides'}}
  %0 = linalg.conv_2d_nhwc_hwcf {stride = dense<1> : tensor<2xi64>} ins(%x, %w : tensor<1x5x5x1xf32>, tensor<1x1x1x1xf32>) outs(%y : tensor<1x5x5x1xf32>) -> tensor<1x5x5x1xf32>
  return %0 : tensor<1x5x5x1xf32>
}
