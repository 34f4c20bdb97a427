// RUN: strum-opt %s --linalg-to-tosa | FileCheck %s
// RUN: strum-opt %s --fold-constants --canonicalize-layout --fold-batch-norm | FileCheck %s --check-prefix=FOLD

// Convolutions of groups, as torch-mlir exports them, with a scale for each channel after the first, as batch normalization leaves it.

#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3) -> (d1, 0, 0)>

// CHECK-LABEL: func.func @groups
// CHECK: %[[A:.*]] = tosa.conv2d {{.*}} -> tensor<1x2x2x1xf32>
// CHECK: %[[B:.*]] = tosa.conv2d {{.*}} -> tensor<1x2x2x1xf32>
// CHECK: tosa.concat %[[A]], %[[B]] {axis = 3 : i32}
// CHECK: tosa.mul
// FOLD-LABEL: func.func @groups
// FOLD-DAG: "tosa.const"() <{values = dense<4.000000e+00> : tensor<1x1x1x2xf32>}>
// FOLD-DAG: "tosa.const"() <{values = dense<3.000000e+00> : tensor<1x1x1x2xf32>}>
// FOLD-DAG: %[[BIAS:.*]] = "tosa.const"() <{values = dense<2.000000e+00> : tensor<1xf32>}>
// FOLD-DAG: %[[BIAS1:.*]] = "tosa.const"() <{values = dense<6.000000e+00> : tensor<1xf32>}>
// FOLD: tosa.conv2d %{{.*}}, %{{.*}}, %[[BIAS]]
// FOLD: tosa.conv2d %{{.*}}, %{{.*}}, %[[BIAS1]]
// FOLD-NOT: tosa.mul
func.func @groups(%arg0: tensor<1x4x2x2xf32>) -> tensor<1x2x2x2xf32> {
  %weights = arith.constant dense<[[[[[2.0]], [[2.0]]]], [[[[1.0]], [[1.0]]]]]> : tensor<2x1x2x1x1xf32>
  %bias = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %scale = arith.constant dense<[[[2.0]], [[3.0]]]> : tensor<2x1x1xf32>
  %0 = tensor.empty() : tensor<1x2x2x2xf32>
  %broadcasted = linalg.broadcast ins(%bias : tensor<2xf32>) outs(%0 : tensor<1x2x2x2xf32>) dimensions = [0, 2, 3]
  %expanded = tensor.expand_shape %arg0 [[0], [1, 2], [3], [4]] output_shape [1, 2, 2, 2, 2] : tensor<1x4x2x2xf32> into tensor<1x2x2x2x2xf32>
  %expanded_0 = tensor.expand_shape %broadcasted [[0], [1, 2], [3], [4]] output_shape [1, 2, 1, 2, 2] : tensor<1x2x2x2xf32> into tensor<1x2x1x2x2xf32>
  %1 = linalg.conv_2d_ngchw_gfchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%expanded, %weights : tensor<1x2x2x2x2xf32>, tensor<2x1x2x1x1xf32>) outs(%expanded_0 : tensor<1x2x1x2x2xf32>) -> tensor<1x2x1x2x2xf32>
  %collapsed = tensor.collapse_shape %1 [[0], [1, 2], [3], [4]] : tensor<1x2x1x2x2xf32> into tensor<1x2x2x2xf32>
  %2 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed, %scale : tensor<1x2x2x2xf32>, tensor<2x1x1xf32>) outs(%0 : tensor<1x2x2x2xf32>) {
  ^bb0(%in: f32, %in_1: f32, %out: f32):
    %3 = arith.mulf %in, %in_1 : f32
    linalg.yield %3 : f32
  } -> tensor<1x2x2x2xf32>
  return %2 : tensor<1x2x2x2xf32>
}

// A channel for each group: a depthwise layer whose bias is in place.
// CHECK-LABEL: func.func @depthwise
// CHECK-DAG: %[[BIAS:.*]] = "tosa.const"() <{values = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]> : tensor<4xf32>}>
// CHECK: tosa.depthwise_conv2d %{{.*}}, %{{.*}}, %[[BIAS]], {{.*}}(tensor<1x2x2x2xf32>, tensor<1x1x2x2xf32>, {{.*}} -> tensor<1x2x2x4xf32>
// CHECK-NOT: tosa.add
func.func @depthwise(%arg0: tensor<1x2x2x2xf32>) -> tensor<1x4x2x2xf32> {
  %weights = arith.constant dense<2.0> : tensor<2x2x1x1x1xf32>
  %bias = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %0 = tensor.empty() : tensor<1x4x2x2xf32>
  %broadcasted = linalg.broadcast ins(%bias : tensor<4xf32>) outs(%0 : tensor<1x4x2x2xf32>) dimensions = [0, 2, 3]
  %expanded = tensor.expand_shape %arg0 [[0], [1, 2], [3], [4]] output_shape [1, 2, 1, 2, 2] : tensor<1x2x2x2xf32> into tensor<1x2x1x2x2xf32>
  %expanded_0 = tensor.expand_shape %broadcasted [[0], [1, 2], [3], [4]] output_shape [1, 2, 2, 2, 2] : tensor<1x4x2x2xf32> into tensor<1x2x2x2x2xf32>
  %1 = linalg.conv_2d_ngchw_gfchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%expanded, %weights : tensor<1x2x1x2x2xf32>, tensor<2x2x1x1x1xf32>) outs(%expanded_0 : tensor<1x2x2x2x2xf32>) -> tensor<1x2x2x2x2xf32>
  %collapsed = tensor.collapse_shape %1 [[0], [1, 2], [3], [4]] : tensor<1x2x2x2x2xf32> into tensor<1x4x2x2xf32>
  return %collapsed : tensor<1x4x2x2xf32>
}
