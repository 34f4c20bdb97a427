// RUN: strum-opt %s --linalg-to-tosa | FileCheck %s
// RUN: strum-opt %s --fold-constants --canonicalize-layout --recognize-activations --fold-padding --fold-batch-norm | FileCheck %s --check-prefix=FOLD

// The first layer of a ResNet-20 as torch-mlir exports it with batch normalization not folded, with fewer channels and pixels: seven
// generics, one of them with an assertion inside, and ReLU as a choice by comparison.

#map = affine_map<(d0) -> (d0)>
#map1 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d1, 0, 0)>

// CHECK-LABEL: func.func @layer(
// CHECK-SAME: %[[X:.*]]: tensor<1x1x4x4xf32>
// CHECK-DAG: "tosa.const"() <{values = dense<{{.*}}5.000000e-01{{.*}}2.500000e-01{{.*}}> : tensor<1x2x1x1xf32>}>
// CHECK: %[[PAD:.*]] = tosa.pad %[[X]]
// CHECK: %[[NHWC:.*]] = tosa.transpose %[[PAD]] {perms = array<i32: 0, 2, 3, 1>}
// CHECK: %[[CONV:.*]] = tosa.conv2d %[[NHWC]], {{.*}}pad = array<i64: 0, 0, 0, 0>{{.*}} -> tensor<1x4x4x2xf32>
// CHECK: %[[NCHW:.*]] = tosa.transpose %[[CONV]] {perms = array<i32: 0, 3, 1, 2>}
// CHECK: %[[SUB:.*]] = tosa.sub %[[NCHW]]
// CHECK: %[[MUL:.*]] = tosa.mul %[[SUB]]
// CHECK: %[[SCALED:.*]] = tosa.mul %[[MUL]]
// CHECK: %[[ADD:.*]] = tosa.add %[[SCALED]]
// CHECK: %[[COND:.*]] = tosa.greater %[[ADD]], %[[ZERO:.*]] : (tensor<1x2x4x4xf32>, tensor<1x1x1x1xf32>) -> tensor<1x2x4x4xi1>
// CHECK: %[[Y:.*]] = tosa.select %[[COND]], %[[ADD]], %[[ZERO]]
// CHECK: return %[[Y]]

// FOLD-LABEL: func.func @layer(
// FOLD-DAG: dense<{{.*}}5.000000e-01{{.*}}> : tensor<2x3x3x1xf32>
// FOLD-DAG: %[[BIAS:.*]] = "tosa.const"() <{values = dense<[3.000000e+00, 3.750000e+00]> : tensor<2xf32>}>
// FOLD: %[[NHWC:.*]] = tosa.reshape %{{.*}} -> tensor<1x4x4x1xf32>
// FOLD-NEXT: %[[CONV:.*]] = tosa.conv2d %[[NHWC]], %{{.*}}, %[[BIAS]], {{.*}}pad = array<i64: 1, 1, 1, 1>
// FOLD-NEXT: %[[CLAMP:.*]] = tosa.clamp %[[CONV]] {max_val = 0x7F800000 : f32, min_val = 0.000000e+00 : f32}
// FOLD-NEXT: %[[Y:.*]] = tosa.transpose %[[CLAMP]] {perms = array<i32: 0, 3, 1, 2>}
// FOLD-NEXT: return %[[Y]]
func.func @layer(%arg0: tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %cst = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %eps = arith.constant 1.000000e-05 : f64
  %weights = arith.constant dense<1.0> : tensor<2x1x3x3xf32>
  %variance = arith.constant dense<[3.99999, 15.99999]> : tensor<2xf32>
  %mean = arith.constant dense<[-4.0, 1.0]> : tensor<2xf32>
  %gamma = arith.constant dense<[1.0, 1.0]> : tensor<2xf32>
  %beta = arith.constant dense<[1.0, 4.0]> : tensor<2xf32>
  %padded = tensor.pad %arg0 low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%arg1: index, %arg2: index, %arg3: index, %arg4: index):
    tensor.yield %cst : f32
  } : tensor<1x1x4x4xf32> to tensor<1x1x6x6xf32>
  %0 = tensor.empty() : tensor<1x2x4x4xf32>
  %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %2 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%padded, %weights : tensor<1x1x6x6xf32>, tensor<2x1x3x3xf32>) outs(%1 : tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %3 = tensor.empty() : tensor<2xf32>
  %4 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%variance : tensor<2xf32>) outs(%3 : tensor<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %12 = arith.truncf %eps : f64 to f32
    %13 = arith.addf %in, %12 : f32
    linalg.yield %13 : f32
  } -> tensor<2xf32>
  %5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%4 : tensor<2xf32>) outs(%3 : tensor<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %12 = math.sqrt %in : f32
    linalg.yield %12 : f32
  } -> tensor<2xf32>
  %6 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%5 : tensor<2xf32>) outs(%3 : tensor<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %12 = arith.cmpf one, %in, %cst : f32
    cf.assert %12, "unimplemented: tensor with zero element"
    %13 = arith.divf %one, %in : f32
    linalg.yield %13 : f32
  } -> tensor<2xf32>
  %expanded = tensor.expand_shape %mean [[0, 1, 2]] output_shape [2, 1, 1] : tensor<2xf32> into tensor<2x1x1xf32>
  %expanded_0 = tensor.expand_shape %6 [[0, 1, 2]] output_shape [2, 1, 1] : tensor<2xf32> into tensor<2x1x1xf32>
  %7 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%2, %expanded : tensor<1x2x4x4xf32>, tensor<2x1x1xf32>) outs(%0 : tensor<1x2x4x4xf32>) {
  ^bb0(%in: f32, %in_1: f32, %out: f32):
    %12 = arith.subf %in, %in_1 : f32
    linalg.yield %12 : f32
  } -> tensor<1x2x4x4xf32>
  %8 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%7, %expanded_0 : tensor<1x2x4x4xf32>, tensor<2x1x1xf32>) outs(%0 : tensor<1x2x4x4xf32>) {
  ^bb0(%in: f32, %in_1: f32, %out: f32):
    %12 = arith.mulf %in, %in_1 : f32
    linalg.yield %12 : f32
  } -> tensor<1x2x4x4xf32>
  %expanded_2 = tensor.expand_shape %gamma [[0, 1, 2]] output_shape [2, 1, 1] : tensor<2xf32> into tensor<2x1x1xf32>
  %9 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%8, %expanded_2 : tensor<1x2x4x4xf32>, tensor<2x1x1xf32>) outs(%0 : tensor<1x2x4x4xf32>) {
  ^bb0(%in: f32, %in_1: f32, %out: f32):
    %12 = arith.mulf %in, %in_1 : f32
    linalg.yield %12 : f32
  } -> tensor<1x2x4x4xf32>
  %expanded_3 = tensor.expand_shape %beta [[0, 1, 2]] output_shape [2, 1, 1] : tensor<2xf32> into tensor<2x1x1xf32>
  %10 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%9, %expanded_3 : tensor<1x2x4x4xf32>, tensor<2x1x1xf32>) outs(%0 : tensor<1x2x4x4xf32>) {
  ^bb0(%in: f32, %in_1: f32, %out: f32):
    %12 = arith.addf %in, %in_1 : f32
    linalg.yield %12 : f32
  } -> tensor<1x2x4x4xf32>
  %11 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%10 : tensor<1x2x4x4xf32>) outs(%0 : tensor<1x2x4x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %12 = arith.cmpf ugt, %in, %cst : f32
    %13 = arith.select %12, %in, %cst : f32
    linalg.yield %13 : f32
  } -> tensor<1x2x4x4xf32>
  return %11 : tensor<1x2x4x4xf32>
}
