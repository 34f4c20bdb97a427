// RUN: strum-opt %s --split-input-file --strum-pack="p=0.25 w=4 method=sparse min-channels=0 select=activation depthwise=true" --strum-unpack | FileCheck %s

// The smallest weight is not the one that goes: its channel is loud.
// CHECK-LABEL: func.func @loud
func.func @loud(%x: tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32> {
  // CHECK: dense<{{.*}}2, 3, 0, 5{{.*}}>
  // CHECK: strum.conv2d {{.*}} {strum.input_mean = array<f64: 0.{{.*}}>, strum.input_square = array<f64: 9.{{.*}}>}
  %w = "tosa.const"() <{values = dense<[[[[2, 3, 4, 5]]]]> : tensor<1x1x1x4xi8>}> : () -> tensor<1x1x1x4xi8>
  %0 = strum.conv2d %x, %w {strum.input_mean = array<f64: 0.0, 0.0, 0.0, 0.0>, strum.input_square = array<f64: 9.0, 4.0, 1.0, 1.0>}
    : (tensor<1x1x1x4xi8>, tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32>
  return %0 : tensor<1x1x1x1xi32>
}

// -----

// Two layers with the same weights, but different inputs.
// CHECK-LABEL: func.func @same_weights
func.func @same_weights(%x: tensor<1x1x1x4xi8>) -> (tensor<1x1x1x1xi32>, tensor<1x1x1x1xi32>) {
  // CHECK-DAG: dense<{{.*}}2, 3, 0, 5{{.*}}>
  // CHECK-DAG: dense<{{.*}}0, 3, 4, 5{{.*}}>
  %w = "tosa.const"() <{values = dense<[[[[2, 3, 4, 5]]]]> : tensor<1x1x1x4xi8>}> : () -> tensor<1x1x1x4xi8>
  %0 = strum.conv2d %x, %w {strum.input_mean = array<f64: 0.0, 0.0, 0.0, 0.0>, strum.input_square = array<f64: 9.0, 4.0, 1.0, 1.0>}
    : (tensor<1x1x1x4xi8>, tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32>
  %1 = strum.conv2d %x, %w {strum.input_mean = array<f64: 0.0, 0.0, 0.0, 0.0>, strum.input_square = array<f64: 1.0, 1.0, 1.0, 1.0>}
    : (tensor<1x1x1x4xi8>, tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32>
  return %0, %1 : tensor<1x1x1x1xi32>, tensor<1x1x1x1xi32>
}

// -----

// A depthwise layer reads each input channel for two members.
// CHECK-LABEL: func.func @depthwise
func.func @depthwise(%x: tensor<1x1x1x2xi8>) -> tensor<1x1x1x4xi32> {
  // CHECK: dense<{{.*}}2, 3{{.*}}0, 5{{.*}}>
  %w = "tosa.const"() <{values = dense<[[[[2, 3], [4, 5]]]]> : tensor<1x1x2x2xi8>}> : () -> tensor<1x1x2x2xi8>
  %0 = strum.depthwise_conv2d %x, %w {strum.input_mean = array<f64: 0.0, 0.0>, strum.input_square = array<f64: 9.0, 1.0>}
    : (tensor<1x1x1x2xi8>, tensor<1x1x2x2xi8>) -> tensor<1x1x1x4xi32>
  return %0 : tensor<1x1x1x4xi32>
}
