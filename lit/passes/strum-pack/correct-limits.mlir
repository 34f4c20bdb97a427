// Layers and channels that cannot be corrected are left as they are, with a remark.
// RUN: strum-opt --strum-log=info %s --split-input-file --verify-diagnostics --strum-pack="p=0.5 w=4 method=sparse correct=scale" -o /dev/null
// RUN: strum-opt --strum-log=info %s --split-input-file --strum-pack="p=0.5 w=4 method=sparse correct=bias" -o /dev/null 2>&1 | FileCheck %s --check-prefix=BIAS

// BIAS: remark: not corrected: 1 of 1 output channels, whose bias or scale would be out of range
func.func @no_scale(%x: tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32> {
  %w = "tosa.const"() <{values = dense<[[[[1, 2, 30, 40]]]]> : tensor<1x1x1x4xi8>}> : () -> tensor<1x1x1x4xi8>
  // expected-remark@+1 {{not corrected: the layer has no rescale}}
  %0 = strum.conv2d %x, %w
    {strum.input_mean = array<f64: 1.0e10, 2.0e10, 5.0, 5.0>, strum.input_square = array<f64: 1.0e21, 1.0e21, 30.0, 30.0>}
    : (tensor<1x1x1x4xi8>, tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32>
  return %0 : tensor<1x1x1x1xi32>
}
