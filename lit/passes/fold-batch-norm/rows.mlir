// RUN: strum-opt %s --linalg-to-tosa --fold-batch-norm | FileCheck %s

// A linear layer of ConvNeXt on an image NHWC, with fewer channels, as torch-mlir exports it to linalg: the matrix is repeated
// for every row of the image, and yet there is one layer with one matrix.
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d3)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d2, d3)>
// CHECK-LABEL: func.func @linear
// CHECK-DAG: %[[W:.*]] = "tosa.const"() <{values = dense<{{.*}}> : tensor<2x1x1x3xf32>}>
// CHECK-DAG: %[[BIAS:.*]] = "tosa.const"() <{values = dense<[7.000000e+00, 8.000000e+00]> : tensor<2xf32>}>
// CHECK-NOT: tosa.matmul
// CHECK: tosa.conv2d %{{.*}}, %[[W]], %[[BIAS]], {{.*}} : (tensor<1x1x16x3xf32>
func.func @linear(%arg0: tensor<1x4x4x3xf32>) -> tensor<1x4x4x2xf32> {
  %cst = arith.constant 0.000000e+00 : f32
  %matrix = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %bias = arith.constant dense<[7.0, 8.0]> : tensor<2xf32>
  %0 = tensor.empty() : tensor<3x2xf32>
  %transposed = linalg.transpose ins(%matrix : tensor<2x3xf32>) outs(%0 : tensor<3x2xf32>) permutation = [1, 0]
  %1 = tensor.empty() : tensor<1x4x3x2xf32>
  %2 = linalg.generic {indexing_maps = [#map4, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed : tensor<3x2xf32>) outs(%1 : tensor<1x4x3x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<1x4x3x2xf32>
  %collapsed = tensor.collapse_shape %arg0 [[0, 1], [2], [3]] : tensor<1x4x4x3xf32> into tensor<4x4x3xf32>
  %collapsed_0 = tensor.collapse_shape %2 [[0, 1], [2], [3]] : tensor<1x4x3x2xf32> into tensor<4x3x2xf32>
  %3 = tensor.empty() : tensor<4x4x2xf32>
  %4 = linalg.fill ins(%cst : f32) outs(%3 : tensor<4x4x2xf32>) -> tensor<4x4x2xf32>
  %5 = linalg.batch_matmul ins(%collapsed, %collapsed_0 : tensor<4x4x3xf32>, tensor<4x3x2xf32>) outs(%4 : tensor<4x4x2xf32>) -> tensor<4x4x2xf32>
  %expanded = tensor.expand_shape %5 [[0, 1], [2], [3]] output_shape [1, 4, 4, 2] : tensor<4x4x2xf32> into tensor<1x4x4x2xf32>
  %6 = tensor.empty() : tensor<1x4x4x2xf32>
  %7 = linalg.generic {indexing_maps = [#map, #map3, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded, %bias : tensor<1x4x4x2xf32>, tensor<2xf32>) outs(%6 : tensor<1x4x4x2xf32>) {
  ^bb0(%in: f32, %in_1: f32, %out: f32):
    %8 = arith.addf %in, %in_1 : f32
    linalg.yield %8 : f32
  } -> tensor<1x4x4x2xf32>
  return %7 : tensor<1x4x4x2xf32>
}
