// RUN: strum-opt %s --tosa-quantize="calibration=%S/Inputs/same.npy weights=per-tensor" | FileCheck %s --check-prefix=NEAREST
// RUN: strum-opt %s --tosa-quantize="calibration=%S/Inputs/same.npy weights=per-tensor rounding=feedback" | FileCheck %s --check-prefix=FEEDBACK
// RUN: strum-opt %s --tosa-quantize="calibration=%S/Inputs/same.npy weights=per-tensor format=sparse,w=4" | FileCheck %s --check-prefix=SPARSE

// The four inputs are always equal, so that the sum of a channel's weights is all that counts: 1.6 steps in the second.
// NEAREST: values = dense<{{\[\[\[\[}}127, 0, 0, 0]]], {{\[\[\[}}0, 0, 0, 0]]]]> : tensor<2x1x1x4xi8>
// FEEDBACK: values = dense<{{\[\[\[\[}}127, 0, 0, 0]]], {{\[\[\[}}0, 1, 0, 1]]]]> : tensor<2x1x1x4xi8>
// Two of four weights become 0.
// SPARSE: values = dense<{{\[\[\[\[}}127, 0, 0, 0]]], {{\[\[\[}}0, 0, 1, 1]]]]> : tensor<2x1x1x4xi8>
func.func @layer(%x: tensor<1x1x1x4xf32>) -> tensor<1x1x1x2xf32> {
  %w = "tosa.const"() <{values = dense<[[[[127.0, 0.0, 0.0, 0.0]]], [[[0.4, 0.4, 0.4, 0.4]]]]> : tensor<2x1x1x4xf32>}> : () -> tensor<2x1x1x4xf32>
  %b = "tosa.const"() <{values = dense<0.0> : tensor<2xf32>}> : () -> tensor<2xf32>
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %y = tosa.conv2d %x, %w, %b, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x1x4xf32>, tensor<2x1x1x4xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1x2xf32>
  return %y : tensor<1x1x1x2xf32>
}
