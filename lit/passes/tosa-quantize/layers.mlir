// What becomes of layers: activations in the range of the layer before them, tables, residual connections, and operators that only move codes.
// RUN: strum-opt %s --tosa-quantize="calibration=%S/Inputs/range.npy activations=minmax" | FileCheck %s --check-prefixes=CHECK,CHANNEL
// RUN: strum-opt %s --tosa-quantize="calibration=%S/Inputs/range.npy activations=minmax weights=per-tensor" | FileCheck %s --check-prefixes=CHECK,TENSOR
// RUN: strum-opt %s --tosa-quantize="calibration=%S/Inputs/range.npy activations=percentile percentile=0.5" | FileCheck %s --check-prefix=PERCENTILE

// The clamp at 0 is the lower end of the codes: the output has no negative values, so its zero point is -128. With a scale per channel the
// second channel uses all codes, and its shift is two bits larger; with one scale its weight is a quarter of the other.
// CHECK-LABEL: func.func @relu
// CHECK-SAME: strum.output_zero_points = array<i32: -128>
// CHANNEL-DAG: dense<{{\[\[\[\[}}127, 0]]], {{\[\[\[}}0, 127]]]]> : tensor<2x1x1x2xi8>
// CHANNEL-DAG: dense<[35, 37]> : tensor<2xi8>
// TENSOR-DAG: dense<{{\[\[\[\[}}127, 0]]], {{\[\[\[}}0, 32]]]]> : tensor<2x1x1x2xi8>
// TENSOR-DAG: dense<35> : tensor<2xi8>
// CHECK: %[[SUMS:.*]] = tosa.conv2d
// CHECK-NEXT: %[[Y:.*]] = tosa.rescale %[[SUMS]]
// CHECK-NEXT: return %[[Y]]
// Without the outer values, 0 to 1 remains of the range of -1 to 1.55.
// PERCENTILE-LABEL: func.func @relu
// PERCENTILE-SAME: strum.input_scales = array<f64: 0.00392{{[0-9]*}}>, strum.input_zero_points = array<i32: -128>
func.func @relu(%x: tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32> {
  %w = "tosa.const"() <{values = dense<[[[[1.0, 0.0]]], [[[0.0, 0.25]]]]> : tensor<2x1x1x2xf32>}> : () -> tensor<2x1x1x2xf32>
  %b = "tosa.const"() <{values = dense<0.0> : tensor<2xf32>}> : () -> tensor<2xf32>
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %0 = tosa.conv2d %x, %w, %b, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x1x2xf32>, tensor<2x1x1x2xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x2xf32>
  %1 = tosa.clamp %0 {min_val = 0.0 : f32, max_val = 3.4028234663852886E+38 : f32} : (tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32>
  return %1 : tensor<1x1x1x2xf32>
}

// Both operands of an addition are rescaled to a common scale with 32 bits, and their sum to that of the output.
// CHECK-LABEL: func.func @residual
// CHECK-SAME: (%[[X:.*]]: tensor<1x1x1x2xi8>)
// CHECK: %[[SUMS:.*]] = tosa.conv2d %[[X]]
// CHECK-NEXT: %[[CONV:.*]] = tosa.rescale %[[SUMS]]
// CHECK-NEXT: %[[A:.*]] = tosa.rescale %[[CONV]], {{.*}} -> tensor<1x1x1x2xi32>
// CHECK-NEXT: %[[B:.*]] = tosa.rescale %[[X]], {{.*}} -> tensor<1x1x1x2xi32>
// CHECK-NEXT: %[[SUM:.*]] = tosa.add %[[A]], %[[B]]
// CHECK-NEXT: %[[Y:.*]] = tosa.rescale %[[SUM]], {{.*}} -> tensor<1x1x1x2xi8>
// CHECK-NEXT: return %[[Y]]
func.func @residual(%x: tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32> {
  %w = "tosa.const"() <{values = dense<[[[[1.0, 0.5]]], [[[0.5, 1.0]]]]> : tensor<2x1x1x2xf32>}> : () -> tensor<2x1x1x2xf32>
  %b = "tosa.const"() <{values = dense<0.0> : tensor<2xf32>}> : () -> tensor<2xf32>
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %0 = tosa.conv2d %x, %w, %b, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x1x2xf32>, tensor<2x1x1x2xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x2xf32>
  %1 = tosa.add %0, %x : (tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32>
  return %1 : tensor<1x1x1x2xf32>
}

// Whatever depends on one value only, element by element, is one table, however many operators it takes.
// CHECK-LABEL: func.func @function
// CHECK: %[[TABLE:.*]] = "tosa.const"() {{.*}} : tensor<256xi8>
// CHECK-NEXT: %[[Y:.*]] = tosa.table %{{.*}}, %[[TABLE]]
// CHECK-NEXT: return %[[Y]]
func.func @function(%x: tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32> {
  %h = "tosa.const"() <{values = dense<0.5> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %s = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.mul %x, %h, %s : (tensor<1x1x1x2xf32>, tensor<1x1x1x1xf32>, tensor<1xi8>) -> tensor<1x1x1x2xf32>
  %1 = tosa.add %0, %x : (tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32>
  return %1 : tensor<1x1x1x2xf32>
}

// The operands of a concatenation share one scale, so that only codes are moved. Pooling of maxima keeps scale and zero point.
// CHECK-LABEL: func.func @concat
// CHECK: %[[A:.*]] = tosa.table %[[X:.*]], %
// CHECK-NEXT: tosa.concat %[[A]], %[[X]]
// CHECK-NOT: = tosa.rescale
// CHECK-LABEL: func.func @pool
// CHECK-SAME: strum.input_scales = array<f64: [[SCALE:[0-9.]+]]>, strum.input_zero_points = array<i32: [[ZP:-?[0-9]+]]>
// CHECK-SAME: strum.output_scales = array<f64: [[SCALE]]>, strum.output_zero_points = array<i32: [[ZP]]>
// CHECK-NOT: = tosa.rescale
// CHECK: tosa.max_pool2d
func.func @concat(%x: tensor<1x1x1x2xf32>) -> tensor<1x1x1x4xf32> {
  %0 = tosa.sigmoid %x : (tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32>
  %1 = tosa.concat %0, %x {axis = 3 : i32} : (tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>) -> tensor<1x1x1x4xf32>
  return %1 : tensor<1x1x1x4xf32>
}
func.func @pool(%x: tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %0 = tosa.max_pool2d %x {kernel = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32>
  return %0 : tensor<1x1x1x2xf32>
}

// A PReLU: both sides in the codes of the result, of which the larger is taken.
// CHECK-LABEL: func.func @prelu
// CHECK: tosa.rescale {{.*}}per_channel = true{{.*}} -> tensor<1x1x1x2xi8>
// CHECK: tosa.maximum
func.func @prelu(%x: tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32> {
  %zero = "tosa.const"() <{values = dense<0.0> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %slopes = "tosa.const"() <{values = dense<[[[[0.25, 0.5]]]]> : tensor<1x1x1x2xf32>}> : () -> tensor<1x1x1x2xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.greater_equal %x, %zero : (tensor<1x1x1x2xf32>, tensor<1x1x1x1xf32>) -> tensor<1x1x1x2xi1>
  %1 = tosa.mul %x, %slopes, %shift : (tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>, tensor<1xi8>) -> tensor<1x1x1x2xf32>
  %2 = tosa.select %0, %x, %1 : (tensor<1x1x1x2xi1>, tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>) -> tensor<1x1x1x2xf32>
  return %2 : tensor<1x1x1x2xf32>
}
