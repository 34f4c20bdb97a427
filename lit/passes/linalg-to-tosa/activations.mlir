// Activations and constants as torch-mlir writes them from PyTorch.
// RUN: strum-opt %s --linalg-to-tosa --recognize-activations --fold-padding | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#one = affine_map<(d0, d1) -> (0, d1)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>

// log(1 + exp(x)), and x above 20; the comparison is of double precision.
// CHECK-LABEL: func.func @softplus
// CHECK-SAME: %[[X:.*]]: tensor<1x4xf32>
// CHECK: %[[EXP:.*]] = tosa.exp %[[X]]
// CHECK: %[[SUM:.*]] = tosa.add %[[EXP]]
// CHECK: %[[LOG:.*]] = tosa.log %[[SUM]]
// CHECK: %[[FAR:.*]] = tosa.greater %[[X]]
// CHECK: tosa.select %[[FAR]], %[[X]], %[[LOG]]
func.func @softplus(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %limit = arith.constant 2.0e+01 : f64
  %0 = tensor.empty() : tensor<1x4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<1x4xf32>) outs(%0 : tensor<1x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %2 = math.exp %in : f32
    %3 = math.log1p %2 : f32
    %4 = arith.extf %in : f32 to f64
    %5 = arith.cmpf ogt, %4, %limit : f64
    %6 = arith.select %5, %in, %3 : f32
    linalg.yield %6 : f32
  } -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}

// exp(x) - 1, and a power with an integer exponent.
// CHECK-LABEL: func.func @powers
// CHECK: %[[EXP:.*]] = tosa.exp
// CHECK: %[[MINUS:.*]] = tosa.sub %[[EXP]]
// CHECK: tosa.pow %[[MINUS]]
func.func @powers(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %c3 = arith.constant 3 : i64
  %0 = tensor.empty() : tensor<1x4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<1x4xf32>) outs(%0 : tensor<1x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %2 = math.expm1 %in : f32
    %3 = math.fpowi %2, %c3 : f32, i64
    linalg.yield %3 : f32
  } -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}

// A tensor of comparisons between bodies, and slopes of half precision.
// CHECK-LABEL: func.func @prelu
// CHECK-SAME: %[[X:.*]]: tensor<1x4xf32>
// CHECK: dense<{{\[\[}}2.500000e-01, 5.000000e-01, 1.000000e+00, 2.000000e+00{{\]\]}}> : tensor<1x4xf32>
// CHECK: %[[PRODUCT:.*]] = tosa.mul %[[X]]
// CHECK: %[[POSITIVE:.*]] = tosa.greater_equal %[[X]]
// CHECK: tosa.select %[[POSITIVE]], %[[X]], %[[PRODUCT]]
func.func @prelu(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %slopes = arith.constant dense<[[0.25, 0.5, 1.0, 2.0]]> : tensor<1x4xf16>
  %zero = arith.constant 0.0 : f64
  %0 = tensor.empty() : tensor<1x4xf32>
  %1 = tensor.empty() : tensor<1x4xi1>
  %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<1x4xf32>) outs(%1 : tensor<1x4xi1>) {
  ^bb0(%in: f32, %out: i1):
    %4 = arith.extf %in : f32 to f64
    %5 = arith.cmpf olt, %4, %zero : f64
    linalg.yield %5 : i1
  } -> tensor<1x4xi1>
  %3 = linalg.generic {indexing_maps = [#id, #id, #one, #id], iterator_types = ["parallel", "parallel"]} ins(%2, %x, %slopes : tensor<1x4xi1>, tensor<1x4xf32>, tensor<1x4xf16>) outs(%0 : tensor<1x4xf32>) {
  ^bb0(%negative: i1, %in: f32, %slope: f16, %out: f32):
    %4 = arith.extf %slope : f16 to f32
    %5 = arith.mulf %in, %4 : f32
    %6 = arith.select %negative, %5, %in : f32
    linalg.yield %6 : f32
  } -> tensor<1x4xf32>
  return %3 : tensor<1x4xf32>
}

// The assertion of a reciprocal: a division by zero is infinite, and found by calibration.
// CHECK-LABEL: func.func @reciprocal
// CHECK: tosa.reciprocal
func.func @reciprocal(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %0 = tensor.empty() : tensor<1x4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<1x4xf32>) outs(%0 : tensor<1x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %2 = arith.cmpf one, %in, %zero : f32
    cf.assert %2, "unimplemented: tensor with zero element"
    %3 = arith.divf %one, %in : f32
    linalg.yield %3 : f32
  } -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}

// Padding with the lowest number of double precision, and by more than windows reach: 1 and 2 of the 3 rows and columns remain.
// CHECK-LABEL: func.func @largest
// CHECK-NOT: tosa.pad
// CHECK: tosa.max_pool2d %{{.*}} {kernel = array<i64: 3, 3>, {{.*}}pad = array<i64: 1, 2, 1, 2>, stride = array<i64: 2, 2>}
func.func @largest(%x: tensor<1x8x8x2xf32>) -> tensor<1x5x5x2xf32> {
  %low = arith.constant -1.7976931348623157E+308 : f64
  %lowest = arith.constant 0xFF800000 : f32
  %padded = tensor.pad %x low[0, 1, 1, 0] high[0, 3, 3, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %lowest : f32
  } : tensor<1x8x8x2xf32> to tensor<1x12x12x2xf32>
  %0 = tensor.empty() : tensor<1x5x5x2xf32>
  %1 = tensor.empty() : tensor<3x3xf32>
  %2 = linalg.generic {indexing_maps = [#map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%0 : tensor<1x5x5x2xf32>) {
  ^bb0(%out: f32):
    %4 = arith.truncf %low : f64 to f32
    linalg.yield %4 : f32
  } -> tensor<1x5x5x2xf32>
  %3 = linalg.pooling_nhwc_max {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>} ins(%padded, %1 : tensor<1x12x12x2xf32>, tensor<3x3xf32>) outs(%2 : tensor<1x5x5x2xf32>) -> tensor<1x5x5x2xf32>
  return %3 : tensor<1x5x5x2xf32>
}
