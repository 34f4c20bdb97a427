// RUN: strum-opt %s --linalg-to-tosa | FileCheck %s
// RUN: strum-opt %s --fold-constants --canonicalize-layout --recognize-activations --fold-padding --fold-batch-norm --fold-constants | FileCheck %s --check-prefix=FOLD

// What a text-direction classifier of PaddleOCR (Apache-2.0, by way of rapidocr-onnxruntime) has, as torch-mlir exports it, with fewer
// channels and pixels.

#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3) -> ()>
#map2 = affine_map<(d0, d1, d2, d3) -> (d0, d1, 0, 0)>
#map3 = affine_map<(d0, d1) -> (d0, d1)>
#map4 = affine_map<(d0, d1) -> (d1)>

// Bias as a broadcast into the outs; hard swish: x · clamp(x + 3, 0, 6) / 6.
// CHECK-LABEL: func.func @hard_swish
// CHECK: %[[X:.*]] = tosa.conv2d
// CHECK: tosa.add
// CHECK: %[[A:.*]] = tosa.add
// CHECK: tosa.greater
// CHECK: tosa.select
// CHECK: tosa.greater
// CHECK: %[[B:.*]] = tosa.select
// CHECK: %[[C:.*]] = tosa.mul %{{.*}}, %[[B]]
// CHECK: tosa.mul %[[C]]
// FOLD-LABEL: func.func @hard_swish
// FOLD-DAG: %[[BIAS:.*]] = "tosa.const"() <{values = dense<[5.000000e-01, -5.000000e-01]> : tensor<2xf32>}>
// FOLD: %[[IN:.*]] = tosa.transpose
// FOLD-NEXT: %[[X:.*]] = tosa.conv2d %[[IN]], %{{.*}}, %[[BIAS]]
// FOLD-NEXT: %[[A:.*]] = tosa.add %[[X]]
// FOLD-NEXT: %[[B:.*]] = tosa.clamp %[[A]] {max_val = 6.000000e+00 : f32, min_val = 0.000000e+00 : f32}
// FOLD-NEXT: %[[C:.*]] = tosa.mul %[[X]], %[[B]]
// FOLD-NEXT: %[[Y:.*]] = tosa.mul %[[C]]
// FOLD-NEXT: tosa.transpose %[[Y]]
// FOLD-NEXT: return
func.func @hard_swish(%arg0: tensor<1x3x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %weights = arith.constant dense<0.25> : tensor<2x3x1x1xf32>
  %bias = arith.constant dense<[0.5, -0.5]> : tensor<2xf32>
  %three = arith.constant dense<3.0> : tensor<f32>
  %zero = arith.constant dense<0.0> : tensor<f32>
  %six = arith.constant dense<6.0> : tensor<f32>
  %0 = tensor.empty() : tensor<1x2x4x4xf32>
  %broadcasted = linalg.broadcast ins(%bias : tensor<2xf32>) outs(%0 : tensor<1x2x4x4xf32>) dimensions = [0, 2, 3]
  %1 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%arg0, %weights : tensor<1x3x4x4xf32>, tensor<2x3x1x1xf32>) outs(%broadcasted : tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %2 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1, %three : tensor<1x2x4x4xf32>, tensor<f32>) outs(%0 : tensor<1x2x4x4xf32>) {
  ^bb0(%in: f32, %in_1: f32, %out: f32):
    %6 = arith.addf %in, %in_1 : f32
    linalg.yield %6 : f32
  } -> tensor<1x2x4x4xf32>
  %3 = linalg.generic {indexing_maps = [#map, #map1, #map1, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%2, %zero, %six : tensor<1x2x4x4xf32>, tensor<f32>, tensor<f32>) outs(%0 : tensor<1x2x4x4xf32>) {
  ^bb0(%in: f32, %in_1: f32, %in_2: f32, %out: f32):
    %6 = arith.cmpf ult, %in, %in_1 : f32
    %7 = arith.select %6, %in_1, %in : f32
    %8 = arith.cmpf ugt, %7, %in_2 : f32
    %9 = arith.select %8, %in_2, %7 : f32
    linalg.yield %9 : f32
  } -> tensor<1x2x4x4xf32>
  %4 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1, %3 : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) outs(%0 : tensor<1x2x4x4xf32>) {
  ^bb0(%in: f32, %in_1: f32, %out: f32):
    %6 = arith.mulf %in, %in_1 : f32
    linalg.yield %6 : f32
  } -> tensor<1x2x4x4xf32>
  %5 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%4, %six : tensor<1x2x4x4xf32>, tensor<f32>) outs(%0 : tensor<1x2x4x4xf32>) {
  ^bb0(%in: f32, %in_1: f32, %out: f32):
    %6 = arith.divf %in, %in_1 : f32
    linalg.yield %6 : f32
  } -> tensor<1x2x4x4xf32>
  return %5 : tensor<1x2x4x4xf32>
}

// Squeeze-and-excite around a depthwise layer: the mean of the image as a sum and a quotient, the gate for each channel.
// CHECK-LABEL: func.func @squeeze
// CHECK: tosa.depthwise_conv2d {{.*}}(tensor<1x4x4x2xf32>, tensor<1x1x2x1xf32>
// CHECK: tosa.avg_pool2d {{.*}}kernel = array<i64: 4, 4>
// CHECK: tosa.conv2d
// FOLD-LABEL: func.func @squeeze
// FOLD: %[[X:.*]] = tosa.depthwise_conv2d
// FOLD-NEXT: %[[MEAN:.*]] = tosa.avg_pool2d %[[X]]
// FOLD-NEXT: %[[GATE:.*]] = tosa.conv2d %[[MEAN]]
// FOLD-NEXT: %[[Y:.*]] = tosa.mul %[[X]], %[[GATE]]
// FOLD-NEXT: tosa.transpose %[[Y]]
func.func @squeeze(%arg0: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %cst = arith.constant 0.0 : f32
  %pixels = arith.constant 16.0 : f32
  %depthwise = arith.constant dense<[[[0.5]], [[0.25]]]> : tensor<2x1x1xf32>
  %weights = arith.constant dense<0.25> : tensor<2x2x1x1xf32>
  %0 = tensor.empty() : tensor<1x2x4x4xf32>
  %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %2 = linalg.depthwise_conv_2d_nchw_chw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%arg0, %depthwise : tensor<1x2x4x4xf32>, tensor<2x1x1xf32>) outs(%1 : tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %3 = tensor.empty() : tensor<1x2x1x1xf32>
  %4 = linalg.fill ins(%cst : f32) outs(%3 : tensor<1x2x1x1xf32>) -> tensor<1x2x1x1xf32>
  %5 = tensor.empty() : tensor<4x4xf32>
  %6 = linalg.pooling_nchw_sum {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%2, %5 : tensor<1x2x4x4xf32>, tensor<4x4xf32>) outs(%4 : tensor<1x2x1x1xf32>) -> tensor<1x2x1x1xf32>
  %7 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%6 : tensor<1x2x1x1xf32>) outs(%3 : tensor<1x2x1x1xf32>) {
  ^bb0(%in: f32, %out: f32):
    %10 = arith.divf %in, %pixels : f32
    linalg.yield %10 : f32
  } -> tensor<1x2x1x1xf32>
  %8 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%7, %weights : tensor<1x2x1x1xf32>, tensor<2x2x1x1xf32>) outs(%4 : tensor<1x2x1x1xf32>) -> tensor<1x2x1x1xf32>
  %9 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%2, %8 : tensor<1x2x4x4xf32>, tensor<1x2x1x1xf32>) outs(%0 : tensor<1x2x4x4xf32>) {
  ^bb0(%in: f32, %in_1: f32, %out: f32):
    %10 = arith.mulf %in, %in_1 : f32
    linalg.yield %10 : f32
  } -> tensor<1x2x4x4xf32>
  return %9 : tensor<1x2x4x4xf32>
}

// A fully connected layer after collapse_shape and transpose.
// CHECK-LABEL: func.func @fully_connected
// CHECK: tosa.reshape
// CHECK: tosa.matmul {{.*}}(tensor<1x1x4xf32>, tensor<1x4x2xf32>
// CHECK: tosa.add
// FOLD-LABEL: func.func @fully_connected
// FOLD-DAG: %[[W:.*]] = "tosa.const"() <{values = dense<{{\[\[\[\[}}1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]]], {{.*}} : tensor<2x1x1x4xf32>}>
// FOLD-DAG: %[[BIAS:.*]] = "tosa.const"() <{values = dense<[5.000000e-01, -5.000000e-01]> : tensor<2xf32>}>
// FOLD: %[[X:.*]] = tosa.reshape %{{.*}} -> tensor<1x1x1x4xf32>
// FOLD-NEXT: %[[SUMS:.*]] = tosa.conv2d %[[X]], %[[W]], %[[BIAS]]
// FOLD-NEXT: %[[Y:.*]] = tosa.reshape %[[SUMS]]
// FOLD-NEXT: return %[[Y]]
func.func @fully_connected(%arg0: tensor<1x4x1x1xf32>) -> tensor<1x2xf32> {
  %cst = arith.constant 0.0 : f32
  %weights = arith.constant dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>
  %bias = arith.constant dense<[0.5, -0.5]> : tensor<2xf32>
  %collapsed = tensor.collapse_shape %arg0 [[0], [1, 2, 3]] : tensor<1x4x1x1xf32> into tensor<1x4xf32>
  %0 = tensor.empty() : tensor<4x2xf32>
  %transposed = linalg.transpose ins(%weights : tensor<2x4xf32>) outs(%0 : tensor<4x2xf32>) permutation = [1, 0]
  %1 = tensor.empty() : tensor<1x2xf32>
  %2 = linalg.fill ins(%cst : f32) outs(%1 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %3 = linalg.matmul ins(%collapsed, %transposed : tensor<1x4xf32>, tensor<4x2xf32>) outs(%2 : tensor<1x2xf32>) -> tensor<1x2xf32>
  %4 = linalg.generic {indexing_maps = [#map3, #map4, #map3], iterator_types = ["parallel", "parallel"]} ins(%3, %bias : tensor<1x2xf32>, tensor<2xf32>) outs(%1 : tensor<1x2xf32>) {
  ^bb0(%in: f32, %in_1: f32, %out: f32):
    %5 = arith.addf %in, %in_1 : f32
    linalg.yield %5 : f32
  } -> tensor<1x2xf32>
  return %4 : tensor<1x2xf32>
}

// Does not apply: TOSA already.
// CHECK-LABEL: func.func @tosa
// CHECK-NEXT: tosa.abs
// CHECK-NEXT: tosa.identity
func.func @tosa(%arg0: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %0 = tosa.abs %arg0 : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %1 = tosa.identity %0 : (tensor<1x2xf32>) -> tensor<1x2xf32>
  return %1 : tensor<1x2xf32>
}

// CHECK-LABEL: func.func private @declared
func.func private @declared(tensor<1x2xf32>) -> tensor<1x2xf32>
