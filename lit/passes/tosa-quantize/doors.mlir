// A network as linalg and as TOSA, as torch-mlir writes it at both levels, is the same integer network.
// RUN: strum-opt %s --tosa-quantize -o %t.linalg
// RUN: strum-opt %S/Inputs/doors.tosa.mlir --tosa-quantize -o %t.tosa
// RUN: diff %t.linalg %t.tosa
// RUN: FileCheck %s --input-file %t.linalg

#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#slope = affine_map<(d0, d1, d2, d3) -> (d1, 0, 0)>
#column = affine_map<(d0, d1, d2, d3) -> (d3)>
#map = affine_map<(d0) -> (d0)>

// CHECK: tosa.table
// Slopes that are not along the last axis are codes.
// CHECK: tosa.mul
// CHECK: tosa.concat
func.func @main(%x: tensor<1x2x4x2xf32>) -> tensor<1x2x4x3xf32> {
  %limit = arith.constant 2.0e+01 : f64
  %zero = arith.constant 0.0 : f64
  %c0 = arith.constant 0 : index
  %half = arith.constant 5.0e-01 : f32
  %shift = arith.constant 1.0 : f32
  %slopes = arith.constant dense<[[[0.25]], [[0.5]]]> : tensor<2x1x1xf32>
  %0 = tensor.empty() : tensor<1x2x4x2xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x : tensor<1x2x4x2xf32>) outs(%0 : tensor<1x2x4x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %e = math.exp %in : f32
    %l = math.log1p %e : f32
    %d = arith.extf %in : f32 to f64
    %far = arith.cmpf ogt, %d, %limit : f64
    %s = arith.select %far, %in, %l : f32
    %y = arith.subf %s, %shift : f32
    linalg.yield %y : f32
  } -> tensor<1x2x4x2xf32>
  %2 = tensor.empty() : tensor<1x2x4x2xi1>
  %3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<1x2x4x2xf32>) outs(%2 : tensor<1x2x4x2xi1>) {
  ^bb0(%in: f32, %out: i1):
    %d = arith.extf %in : f32 to f64
    %negative = arith.cmpf olt, %d, %zero : f64
    linalg.yield %negative : i1
  } -> tensor<1x2x4x2xi1>
  %4 = linalg.generic {indexing_maps = [#id, #id, #slope, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%3, %1, %slopes : tensor<1x2x4x2xi1>, tensor<1x2x4x2xf32>, tensor<2x1x1xf32>) outs(%0 : tensor<1x2x4x2xf32>) {
  ^bb0(%negative: i1, %in: f32, %slope: f32, %out: f32):
    %p = arith.mulf %in, %slope : f32
    %y = arith.select %negative, %p, %in : f32
    linalg.yield %y : f32
  } -> tensor<1x2x4x2xf32>
  %5 = tensor.empty() : tensor<3xi64>
  %6 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%5 : tensor<3xi64>) {
  ^bb0(%out: i64):
    %i = linalg.index 0 : index
    %p = arith.index_cast %i : index to i64
    %real = arith.sitofp %p : i64 to f32
    %place = arith.mulf %real, %half : f32
    %whole = arith.fptosi %place : f32 to i64
    linalg.yield %whole : i64
  } -> tensor<3xi64>
  %7 = tensor.empty() : tensor<1x2x4x3xf32>
  %8 = linalg.generic {indexing_maps = [#column, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%6 : tensor<3xi64>) outs(%7 : tensor<1x2x4x3xf32>) {
  ^bb0(%at: i64, %out: f32):
    %c = linalg.index 1 : index
    %row = linalg.index 2 : index
    %column = arith.index_cast %at : i64 to index
    %e = tensor.extract %4[%c0, %c, %row, %column] : tensor<1x2x4x2xf32>
    linalg.yield %e : f32
  } -> tensor<1x2x4x3xf32>
  return %8 : tensor<1x2x4x3xf32>
}
