// RUN: strum-opt %s --linalg-to-tosa --canonicalize-layout | FileCheck %s

#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>

// The nearest pixel of an image half as high and as wide, as torch-mlir exports it: places by arithmetic on positions.
// Columns and rows are repeated, in operators that the machine has.
// CHECK-LABEL: func.func @nearest
// CHECK: %[[X:.*]] = tosa.transpose %{{.*}} -> tensor<1x4x4x2xf32>
// CHECK: %[[ROWS:.*]] = tosa.reshape %[[X]], %{{.*}} -> tensor<4x1x8xf32>
// CHECK: %[[TWICE:.*]] = tosa.concat %[[ROWS]], %[[ROWS]] {axis = 1 : i32}
// CHECK: %[[HIGH:.*]] = tosa.reshape %[[TWICE]]
// CHECK: %[[COLUMNS:.*]] = tosa.reshape %[[HIGH]], %{{.*}} -> tensor<32x1x2xf32>
// CHECK: tosa.concat %[[COLUMNS]], %[[COLUMNS]] {axis = 1 : i32}
// CHECK: tosa.reshape {{.*}} -> tensor<1x8x8x2xf32>
func.func @nearest(%arg0: tensor<1x2x4x4xf32>) -> tensor<1x2x8x8xf32> {
  %cst = arith.constant 0.000000e+00 : f32
  %cst_4 = arith.constant 2.000000e+00 : f32
  %c0 = arith.constant 0 : index
  %cst_5 = arith.constant 3.000000e+00 : f32
  %2 = tensor.empty() : tensor<1x2x8x8xf32>
  %3 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%2 : tensor<1x2x8x8xf32>) {
  ^bb0(%out: f32):
    %6 = linalg.index 1 : index
    %7 = linalg.index 2 : index
    %8 = linalg.index 3 : index
    %9 = arith.index_cast %7 : index to i64
    %10 = arith.sitofp %9 : i64 to f32
    %11 = arith.divf %10, %cst_4 : f32
    %12 = math.floor %11 : f32
    %13 = arith.maximumf %12, %cst : f32
    %14 = arith.minimumf %13, %cst_5 : f32
    %15 = arith.fptosi %14 : f32 to i64
    %16 = arith.index_cast %15 : i64 to index
    %17 = arith.index_cast %8 : index to i64
    %18 = arith.sitofp %17 : i64 to f32
    %19 = arith.divf %18, %cst_4 : f32
    %20 = math.floor %19 : f32
    %21 = arith.maximumf %20, %cst : f32
    %22 = arith.minimumf %21, %cst_5 : f32
    %23 = arith.fptosi %22 : f32 to i64
    %24 = arith.index_cast %23 : i64 to index
    %extracted = tensor.extract %arg0[%c0, %6, %16, %24] : tensor<1x2x4x4xf32>
    linalg.yield %extracted : f32
  } -> tensor<1x2x8x8xf32>
  return %3 : tensor<1x2x8x8xf32>
}

// A transposed convolution of stride 2, as torch-mlir exports it, with fewer channels: weights turned around, pixels of the
// image moved apart, a convolution.
// CHECK-LABEL: func.func @transposed
// CHECK-DAG: dense<{{\[\[\[\[}}4.000000e+00], [3.000000e+00]], {{\[\[}}2.000000e+00], [1.000000e+00]]]]> : tensor<1x2x2x1xf32>
// CHECK: %[[APART:.*]] = tosa.pad %{{.*}} : (tensor<3x1x3xf32>, {{.*}} -> tensor<3x2x3xf32>
// CHECK: tosa.slice {{.*}} -> tensor<1x5x3x1xf32>
// CHECK: tosa.pad {{.*}} -> tensor<15x2x1xf32>
// CHECK: tosa.slice {{.*}} -> tensor<1x5x5x1xf32>
// CHECK: tosa.conv2d {{.*}} -> tensor<1x6x6x1xf32>
func.func @transposed(%arg0: tensor<1x1x3x3xf32>) -> tensor<1x1x6x6xf32> {
  %cst = arith.constant 0.000000e+00 : f32
  %cst_1 = arith.constant dense<[[[[1.0, 2.0], [3.0, 4.0]]]]> : tensor<1x1x2x2xf32>
  %c1 = arith.constant 1 : index
  %2 = tensor.empty() : tensor<1x1x2x2xf32>
  %3 = linalg.fill ins(%cst : f32) outs(%2 : tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32>
  %4 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%3 : tensor<1x1x2x2xf32>) {
  ^bb0(%out: f32):
    %9 = linalg.index 0 : index
    %10 = linalg.index 1 : index
    %11 = linalg.index 2 : index
    %12 = linalg.index 3 : index
    %13 = arith.subi %c1, %11 : index
    %14 = arith.subi %c1, %12 : index
    %extracted = tensor.extract %cst_1[%10, %9, %13, %14] : tensor<1x1x2x2xf32>
    linalg.yield %extracted : f32
  } -> tensor<1x1x2x2xf32>
  %5 = tensor.empty() : tensor<1x1x7x7xf32>
  %6 = linalg.fill ins(%cst : f32) outs(%5 : tensor<1x1x7x7xf32>) -> tensor<1x1x7x7xf32>
  %inserted_slice = tensor.insert_slice %arg0 into %6[0, 0, 1, 1] [1, 1, 3, 3] [1, 1, 2, 2] : tensor<1x1x3x3xf32> into tensor<1x1x7x7xf32>
  %7 = tensor.empty() : tensor<1x1x6x6xf32>
  %8 = linalg.fill ins(%cst : f32) outs(%7 : tensor<1x1x6x6xf32>) -> tensor<1x1x6x6xf32>
  %9 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%inserted_slice, %4 : tensor<1x1x7x7xf32>, tensor<1x1x2x2xf32>) outs(%8 : tensor<1x1x6x6xf32>) -> tensor<1x1x6x6xf32>
  return %9 : tensor<1x1x6x6xf32>
}
