// RUN: strum-opt %s --split-input-file --peel-quantize | FileCheck %s

// As the converter of TFLite exports: real numbers at the edges, scale 0.5 and zero point -1 at the input, 8 and -128 at the output.
// CHECK-LABEL: func.func @edges
// CHECK-SAME: (%[[X:.*]]: tensor<1x4xi8>) -> tensor<1x4xi8>
// CHECK-SAME: strum.input_scales = array<f64: 5.000000e-01>, strum.input_zero_points = array<i32: -1>, strum.output_scales = array<f64: 8.000000e+00>, strum.output_zero_points = array<i32: -128>
// CHECK-NEXT: %[[Y:.*]] = tosa.abs %[[X]] : (tensor<1x4xi8>) -> tensor<1x4xi8>
// CHECK-NEXT: return %[[Y]] : tensor<1x4xi8>
func.func @edges(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %reciprocal = "tosa.const"() <{values = dense<2.0> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zero = "tosa.const"() <{values = dense<-1> : tensor<1x1xi32>}> : () -> tensor<1x1xi32>
  %0 = tosa.mul %x, %reciprocal, %shift : (tensor<1x4xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<1x4xf32>
  %1 = tosa.cast %0 : (tensor<1x4xf32>) -> tensor<1x4xi32>
  %2 = tosa.add %1, %zero : (tensor<1x4xi32>, tensor<1x1xi32>) -> tensor<1x4xi32>
  %3 = tosa.cast %2 : (tensor<1x4xi32>) -> tensor<1x4xi8>
  %4 = tosa.abs %3 : (tensor<1x4xi8>) -> tensor<1x4xi8>
  %least = "tosa.const"() <{values = dense<-128.0> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %scale = "tosa.const"() <{values = dense<8.0> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %5 = tosa.cast %4 : (tensor<1x4xi8>) -> tensor<1x4xf32>
  %6 = tosa.sub %5, %least : (tensor<1x4xf32>, tensor<1x1xf32>) -> tensor<1x4xf32>
  %7 = tosa.mul %6, %scale, %shift : (tensor<1x4xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<1x4xf32>
  return %7 : tensor<1x4xf32>
}

// -----

// A scale of 1 and a zero point of 0 have no operators. The second argument and result are codes already, and the batch is open.
// CHECK-LABEL: func.func @short
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xi8>, %[[Y:.*]]: tensor<?x4xi8>) -> (tensor<?x4xi8>, tensor<?x4xi8>)
// CHECK-SAME: strum.input_scales = array<f64: 1.000000e+00, 1.000000e+00>, strum.input_zero_points = array<i32: 0, 0>
// CHECK-NEXT: return %[[X]], %[[Y]]
func.func @short(%x: tensor<?x4xf32>, %y: tensor<?x4xi8>) -> (tensor<?x4xf32>, tensor<?x4xi8>) {
  %0 = tosa.cast %x : (tensor<?x4xf32>) -> tensor<?x4xi32>
  %1 = tosa.cast %0 : (tensor<?x4xi32>) -> tensor<?x4xi8>
  %2 = tosa.cast %1 : (tensor<?x4xi8>) -> tensor<?x4xf32>
  return %2, %y : tensor<?x4xf32>, tensor<?x4xi8>
}

// -----

// Real numbers that something else reads stay.
// CHECK-LABEL: func.func @both
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>) -> (tensor<4xi8>, tensor<4xf32>)
// CHECK-SAME: attributes
// CHECK-NOT: strum.input_scales
// CHECK: tosa.cast %[[X]]
// CHECK: tosa.negate
func.func @both(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %0 = tosa.cast %x : (tensor<4xf32>) -> tensor<4xi8>
  %1 = tosa.cast %0 : (tensor<4xi8>) -> tensor<4xf32>
  %2 = tosa.negate %x, %z, %z : (tensor<4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<4xf32>
  return %1, %2 : tensor<4xf32>, tensor<4xf32>
}
