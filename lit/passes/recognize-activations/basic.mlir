// RUN: strum-opt %s --recognize-activations | FileCheck %s

// ReLU6, as torch-mlir exports it to TOSA: maximum and minimum with constants.
// CHECK-LABEL: func.func @relu6
// CHECK-SAME: %[[X:.*]]: tensor<1x4x4x2xf32>
// CHECK-NEXT: %[[Y:.*]] = tosa.clamp %[[X]] {max_val = 6.000000e+00 : f32, min_val = 0.000000e+00 : f32}
// CHECK-NEXT: return %[[Y]]
func.func @relu6(%x: tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32> {
  %zero = "tosa.const"() <{values = dense<0.0> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %six = "tosa.const"() <{values = dense<6.0> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %0 = tosa.maximum %x, %zero : (tensor<1x4x4x2xf32>, tensor<1x1x1x1xf32>) -> tensor<1x4x4x2xf32>
  %1 = tosa.minimum %0, %six : (tensor<1x4x4x2xf32>, tensor<1x1x1x1xf32>) -> tensor<1x4x4x2xf32>
  return %1 : tensor<1x4x4x2xf32>
}

// Hard sigmoid, from a classifier of PaddleOCR (Apache-2.0, by way of rapidocr-onnxruntime) as torch-mlir exports it from ONNX.
// CHECK-LABEL: func.func @hard_sigmoid
// CHECK: %[[SCALED:.*]] = tosa.mul
// CHECK-NEXT: %[[SUM:.*]] = tosa.add %[[SCALED]]
// CHECK-NEXT: %[[Y:.*]] = tosa.clamp %[[SUM]] {max_val = 1.000000e+00 : f32, min_val = 0.000000e+00 : f32}
// CHECK-NEXT: return %[[Y]]
func.func @hard_sigmoid(%x: tensor<1x8x1x1xf32>) -> tensor<1x8x1x1xf32> {
  %slope = "tosa.const"() <{values = dense<0.2> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %half = "tosa.const"() <{values = dense<0.5> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %zero = "tosa.const"() <{values = dense<0.0> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %one = "tosa.const"() <{values = dense<1.0> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.mul %x, %slope, %shift : (tensor<1x8x1x1xf32>, tensor<1x1x1x1xf32>, tensor<1xi8>) -> tensor<1x8x1x1xf32>
  %1 = tosa.add %0, %half : (tensor<1x8x1x1xf32>, tensor<1x1x1x1xf32>) -> tensor<1x8x1x1xf32>
  %2 = tosa.minimum %1, %one : (tensor<1x8x1x1xf32>, tensor<1x1x1x1xf32>) -> tensor<1x8x1x1xf32>
  %3 = tosa.maximum %2, %zero : (tensor<1x8x1x1xf32>, tensor<1x1x1x1xf32>) -> tensor<1x8x1x1xf32>
  return %3 : tensor<1x8x1x1xf32>
}

// Does not apply: the limit differs from channel to channel. Nothing is written again, names and order included.
// CHECK-LABEL: func.func @channels
// CHECK-NEXT: "tosa.const"
// CHECK-NEXT: tosa.maximum
// CHECK-NEXT: tosa.identity
func.func @channels(%x: tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32> {
  %limits = "tosa.const"() <{values = dense<[[[[0.0, 1.0]]]]> : tensor<1x1x1x2xf32>}> : () -> tensor<1x1x1x2xf32>
  %0 = tosa.maximum %x, %limits : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>) -> tensor<1x4x4x2xf32>
  %1 = tosa.identity %0 : (tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  return %1 : tensor<1x4x4x2xf32>
}

// PReLU as Keras writes it: relu(x) - a relu(-x).
// CHECK-LABEL: func.func @prelu
// CHECK-SAME: %[[X:.*]]: tensor<1x4x4x2xf32>
// CHECK: %[[STEEP:.*]] = tosa.mul %[[X]]
// CHECK: %[[POSITIVE:.*]] = tosa.greater_equal %[[X]]
// CHECK-NEXT: %[[Y:.*]] = tosa.select %[[POSITIVE]], %[[X]], %[[STEEP]]
// CHECK-NEXT: return %[[Y]]
func.func @prelu(%x: tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32> {
  %slopes = "tosa.const"() <{values = dense<[[[[0.25, -0.5]]]]> : tensor<1x1x1x2xf32>}> : () -> tensor<1x1x1x2xf32>
  %zero = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.clamp %x {max_val = 3.40282347E+38 : f32, min_val = 0.0 : f32} : (tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  %1 = tosa.negate %x, %zero, %zero : (tensor<1x4x4x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x4x2xf32>
  %2 = tosa.clamp %1 {max_val = 3.40282347E+38 : f32, min_val = 0.0 : f32} : (tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  %3 = tosa.mul %2, %slopes, %shift : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x4x2xf32>
  %4 = tosa.sub %0, %3 : (tensor<1x4x4x2xf32>, tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  return %4 : tensor<1x4x4x2xf32>
}

// The larger of two values by comparison.
// CHECK-LABEL: func.func @larger
// CHECK-NEXT: tosa.maximum
func.func @larger(%x: tensor<1x4xf32>, %y: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %0 = tosa.greater %x, %y : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xi1>
  %1 = tosa.select %0, %x, %y : (tensor<1x4xi1>, tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}
