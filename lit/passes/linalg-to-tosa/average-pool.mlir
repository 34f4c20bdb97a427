// RUN: strum-opt %s --canonicalize-layout --fold-padding | FileCheck %s

// An average pool that leaves padding out, as torch-mlir exports it: a sum over a padded image, divided by a number of taps that the body
// computes from the position.

#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>

// CHECK-LABEL: func.func @average
// CHECK: %[[X:.*]] = tosa.transpose %{{.*}} -> tensor<1x10x10x4xf32>
// CHECK-NEXT: %[[Y:.*]] = tosa.avg_pool2d %[[X]], {{.*}}kernel = array<i64: 3, 3>, pad = array<i64: 1, 0, 1, 0>, stride = array<i64: 2, 2>
// CHECK-NEXT: tosa.transpose %[[Y]]
func.func @average(%arg0: tensor<1x4x10x10xf32>) -> tensor<1x4x5x5xf32> {
  %c1_i64 = arith.constant 1 : i64
  %c0_i64 = arith.constant 0 : i64
  %cst = arith.constant 0.000000e+00 : f32
  %c2_i64 = arith.constant 2 : i64
  %c10_i64 = arith.constant 10 : i64
  %c11_i64 = arith.constant 11 : i64
  %padded = tensor.pad %arg0 low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%arg1: index, %arg2: index, %arg3: index, %arg4: index):
    tensor.yield %cst : f32
  } : tensor<1x4x10x10xf32> to tensor<1x4x12x12xf32>
  %0 = tensor.empty() : tensor<1x4x5x5xf32>
  %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<1x4x5x5xf32>) -> tensor<1x4x5x5xf32>
  %2 = tensor.empty() : tensor<3x3xf32>
  %3 = linalg.pooling_nchw_sum {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>} ins(%padded, %2 : tensor<1x4x12x12xf32>, tensor<3x3xf32>) outs(%1 : tensor<1x4x5x5xf32>) -> tensor<1x4x5x5xf32>
  %4 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%3 : tensor<1x4x5x5xf32>) outs(%0 : tensor<1x4x5x5xf32>) {
  ^bb0(%in: f32, %out: f32):
    %7 = linalg.index 2 : index
    %8 = arith.index_cast %7 : index to i64
    %9 = arith.muli %8, %c2_i64 : i64
    %10 = arith.subi %9, %c1_i64 : i64
    %11 = arith.addi %9, %c2_i64 : i64
    %12 = arith.minsi %11, %c11_i64 : i64
    %13 = arith.maxsi %10, %c0_i64 : i64
    %14 = arith.minsi %12, %c10_i64 : i64
    %15 = arith.subi %14, %13 : i64
    %16 = linalg.index 3 : index
    %17 = arith.index_cast %16 : index to i64
    %18 = arith.muli %17, %c2_i64 : i64
    %19 = arith.subi %18, %c1_i64 : i64
    %20 = arith.addi %18, %c2_i64 : i64
    %21 = arith.minsi %20, %c11_i64 : i64
    %22 = arith.maxsi %19, %c0_i64 : i64
    %23 = arith.minsi %21, %c10_i64 : i64
    %24 = arith.subi %23, %22 : i64
    %25 = arith.muli %15, %24 : i64
    %26 = arith.sitofp %25 : i64 to f32
    %27 = arith.divf %in, %26 : f32
    linalg.yield %27 : f32
  } -> tensor<1x4x5x5xf32>
  return %4 : tensor<1x4x5x5xf32>
}
