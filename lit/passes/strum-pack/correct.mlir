// RUN: strum-opt %s --strum-log=info --split-input-file --verify-diagnostics --strum-pack="p=0.5 w=4 method=sparse correct=both" | FileCheck %s

// Weights 1 and 2 go, and with them 1·10 + 2·20 of the mean; what is left varies as it did. A layer without a bias gets one.
// CHECK-LABEL: func.func @bias
func.func @bias(%x: tensor<1x1x1x4xi8>, %b: tensor<1xi32>) -> (tensor<1x1x1x1xi8>, tensor<1x1x1x1xi32>) {
  // CHECK-DAG: %[[B:.*]] = "tosa.const"() <{values = dense<57> : tensor<1xi32>}>
  // CHECK-DAG: %[[C:.*]] = "tosa.const"() <{values = dense<50> : tensor<1xi32>}>
  // CHECK: strum.conv2d %{{.*}}, %{{.*}}, %[[B]] ppe(#strum.ppe<multiplier = [1073741824], shift = [38]{{.*}} {strum.input_mean
  // CHECK: strum.conv2d %{{.*}}, %{{.*}}, %[[C]] {strum.input_mean
  %w = "tosa.const"() <{values = dense<[[[[1, 2, 30, 40]]]]> : tensor<1x1x1x4xi8>}> : () -> tensor<1x1x1x4xi8>
  %c = "tosa.const"() <{values = dense<7> : tensor<1xi32>}> : () -> tensor<1xi32>
  %0 = strum.conv2d %x, %w, %c ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = single, zp = 0, clamp = [-128, 127]>)
    {strum.input_mean = array<f64: 10.0, 20.0, 5.0, 5.0>, strum.input_square = array<f64: 100.0, 500.0, 30.0, 30.0>}
    : (tensor<1x1x1x4xi8>, tensor<1x1x1x4xi8>, tensor<1xi32>) -> tensor<1x1x1x1xi8>
  // expected-remark@+1 {{not corrected: the layer has no rescale; only the bias is corrected}}
  %1 = strum.conv2d %x, %w
    {strum.input_mean = array<f64: 10.0, 20.0, 5.0, 5.0>, strum.input_square = array<f64: 100.0, 500.0, 30.0, 30.0>}
    : (tensor<1x1x1x4xi8>, tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32>
  return %0, %1 : tensor<1x1x1x1xi8>, tensor<1x1x1x1xi32>
}

// -----

// CHECK-LABEL: func.func @not_constant
func.func @not_constant(%x: tensor<1x1x1x4xi8>, %b: tensor<1xi32>) -> tensor<1x1x1x1xi8> {
  // CHECK: strum.conv2d %{{.*}}, %{{.*}}, %arg1 ppe
  %w = "tosa.const"() <{values = dense<[[[[1, 2, 30, 40]]]]> : tensor<1x1x1x4xi8>}> : () -> tensor<1x1x1x4xi8>
  // expected-remark@+1 {{not corrected: the bias is not constant}}
  %0 = strum.conv2d %x, %w, %b ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = single, zp = 0, clamp = [-128, 127]>)
    {strum.input_mean = array<f64: 10.0, 20.0, 5.0, 5.0>, strum.input_square = array<f64: 100.0, 500.0, 30.0, 30.0>}
    : (tensor<1x1x1x4xi8>, tensor<1x1x1x4xi8>, tensor<1xi32>) -> tensor<1x1x1x1xi8>
  return %0 : tensor<1x1x1x1xi8>
}
