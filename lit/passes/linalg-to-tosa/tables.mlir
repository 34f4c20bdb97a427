// Bilinear upsampling as torch-mlir writes it from PyTorch: tables of integers, computed in bodies of their own, are positions.
// RUN: strum-opt %s --linalg-to-tosa --canonicalize-layout | FileCheck %s

#map = affine_map<(d0) -> (d0)>
#channel = affine_map<(d0, d1, d2, d3) -> (d1)>
#column = affine_map<(d0, d1, d2, d3) -> (d3)>
#all = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>

// The columns after 0, 0, 1, 1 and 2 of three, at most the last: 1, 1, 2, 2, 2.
// CHECK-LABEL: func.func @columns
// CHECK: tosa.slice {{.*}} -> tensor<1x3x3x1xf32>
// CHECK: tosa.slice {{.*}} -> tensor<1x3x3x2xf32>
// CHECK: tosa.concat {{.*}} {axis = 3 : i32} {{.*}} -> tensor<1x3x3x5xf32>
// CHECK-NEXT: return
func.func @columns(%x: tensor<1x3x3x3xf32>) -> tensor<1x3x3x5xf32> {
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %c2 = arith.constant 2 : i64
  %c3 = arith.constant 3 : i64
  %half = arith.constant 5.0e-01 : f32
  %0 = tensor.empty() : tensor<5xi64>
  %1 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%0 : tensor<5xi64>) {
  ^bb0(%out: i64):
    %i = linalg.index 0 : index
    %p = arith.index_cast %i : index to i64
    linalg.yield %p : i64
  } -> tensor<5xi64>
  %2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%1 : tensor<5xi64>) outs(%0 : tensor<5xi64>) {
  ^bb0(%in: i64, %out: i64):
    %real = arith.sitofp %in : i64 to f32
    %place = arith.mulf %real, %half : f32
    %whole = arith.fptosi %place : f32 to i64
    %next = arith.addi %whole, %c1 : i64
    %far = arith.cmpi sge, %next, %c2 : i64
    %last = arith.select %far, %c2, %next : i64
    linalg.yield %last : i64
  } -> tensor<5xi64>
  %3 = tensor.empty() : tensor<3xi64>
  %4 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%3 : tensor<3xi64>) {
  ^bb0(%out: i64):
    %i = linalg.index 0 : index
    %p = arith.index_cast %i : index to i64
    linalg.yield %p : i64
  } -> tensor<3xi64>
  %5 = tensor.empty() : tensor<1x3x3x5xf32>
  %6 = linalg.generic {indexing_maps = [#channel, #column, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%4, %2 : tensor<3xi64>, tensor<5xi64>) outs(%5 : tensor<1x3x3x5xf32>) {
  ^bb0(%c: i64, %column: i64, %out: f32):
    %image = arith.index_cast %c0 : i64 to index
    %negative = arith.cmpi slt, %c, %c0 : i64
    %wrapped = arith.addi %c, %c3 : i64
    %channel = arith.select %negative, %wrapped, %c : i64
    %a = arith.index_cast %channel : i64 to index
    %row = linalg.index 2 : index
    %b = arith.index_cast %column : i64 to index
    %e = tensor.extract %x[%image, %a, %row, %b] : tensor<1x3x3x3xf32>
    linalg.yield %e : f32
  } -> tensor<1x3x3x5xf32>
  return %6 : tensor<1x3x3x5xf32>
}

// A select by position.
// CHECK-LABEL: func.func @choice
// CHECK: dense<[1.000000e+00, 1.000000e+00, 0.000000e+00, 0.000000e+00]>
// CHECK: tosa.equal
// CHECK: tosa.select
func.func @choice(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %0 = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %i = linalg.index 0 : index
    %first = arith.cmpi slt, %i, %c2 : index
    %2 = arith.select %first, %in, %zero : f32
    linalg.yield %2 : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
