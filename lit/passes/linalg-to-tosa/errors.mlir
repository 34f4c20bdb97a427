// RUN: strum-opt %s --linalg-to-tosa --split-input-file --verify-diagnostics

#map = affine_map<(d0) -> (d0)>

func.func @unknown(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    // expected-error@+1 {{'math.atan' op unsupported: no operator in the body of a linalg.generic that is known}}
    %2 = math.atan %in : f32
    linalg.yield %2 : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

func.func @named(%x: tensor<1x8x2xf32>, %w: tensor<3x2x4xf32>) -> tensor<1x6x4xf32> {
  %0 = tensor.empty() : tensor<1x6x4xf32>
  // expected-error@+1 {{'linalg.conv_1d_nwc_wcf' op unsupported: no operator of a float network that is known}}
  %1 = linalg.conv_1d_nwc_wcf ins(%x, %w : tensor<1x8x2xf32>, tensor<3x2x4xf32>) outs(%0 : tensor<1x6x4xf32>) -> tensor<1x6x4xf32>
  return %1 : tensor<1x6x4xf32>
}

// -----

// expected-error@+1 {{argument #0: 'tensor<?x4xf32>' has a dynamic dimension: export the network for one size, with a batch of 1, say}}
func.func @dynamic(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = tensor.cast %x : tensor<?x4xf32> to tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// expected-error@+1 {{argument #1: 'tensor<4xf32>' looks like a parameter that the exporter has left outside}}
func.func @statistics(%x: tensor<1x4xf32>, %mean: tensor<4xf32>) -> tensor<1x4xf32> {
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
    // expected-error@+1 {{the assertion does not hold: unimplemented: tensor with zero element}}
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
  // expected-error@+1 {{unsupported: only maps that pick loops are supported, got affine_map<(d0, d1) -> (d0 + d1)>}}
  %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<5xf32>) outs(%0 : tensor<2x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}
