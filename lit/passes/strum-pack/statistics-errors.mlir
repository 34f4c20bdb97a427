// RUN: strum-opt %s --split-input-file --verify-diagnostics --strum-pack="w=4 select=activation"

func.func @none(%x: tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32> {
  %w = "tosa.const"() <{values = dense<3> : tensor<1x1x1x4xi8>}> : () -> tensor<1x1x1x4xi8>
  // expected-error@+1 {{select=activation needs input statistics: quantize the network with calibration data (strumc quantize --calibration), which writes 'strum.input_mean' and 'strum.input_square'}}
  %0 = strum.conv2d %x, %w : (tensor<1x1x1x4xi8>, tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32>
  return %0 : tensor<1x1x1x1xi32>
}

// -----

func.func @too_few(%x: tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32> {
  %w = "tosa.const"() <{values = dense<3> : tensor<1x1x1x4xi8>}> : () -> tensor<1x1x1x4xi8>
  // expected-error@+1 {{'strum.input_mean' has 1 values, expected one for each of 4 input channels}}
  %0 = strum.conv2d %x, %w {strum.input_mean = array<f64: 0.0>} : (tensor<1x1x1x4xi8>, tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32>
  return %0 : tensor<1x1x1x1xi32>
}

// -----

func.func @negative(%x: tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32> {
  %w = "tosa.const"() <{values = dense<3> : tensor<1x1x1x4xi8>}> : () -> tensor<1x1x1x4xi8>
  // expected-error@+1 {{has -1 in 'strum.input_square'}}
  %0 = strum.conv2d %x, %w {strum.input_mean = array<f64: 0.0, 0.0, 0.0, 0.0>, strum.input_square = array<f64: 1.0, 1.0, -1.0, 1.0>}
    : (tensor<1x1x1x4xi8>, tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32>
  return %0 : tensor<1x1x1x1xi32>
}

// -----

func.func @text(%x: tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32> {
  %w = "tosa.const"() <{values = dense<3> : tensor<1x1x1x4xi8>}> : () -> tensor<1x1x1x4xi8>
  // expected-error@+1 {{'strum.conv2d' op expects 'strum.input_mean' as array<f64>, got "0"}}
  %0 = strum.conv2d %x, %w {strum.input_mean = "0"} : (tensor<1x1x1x4xi8>, tensor<1x1x1x4xi8>) -> tensor<1x1x1x1xi32>
  return %0 : tensor<1x1x1x1xi32>
}

// -----

func.func @mark(%x: tensor<1x1x1x16xi8>, %w: tensor<1x1x1x16xi8>) -> tensor<1x1x1x1xi32> {
  // expected-error@+1 {{'strum.conv2d' op expects 'strum.int4' as unit, got 1 : i32}}
  %0 = strum.conv2d %x, %w {strum.int4 = 1 : i32} : (tensor<1x1x1x16xi8>, tensor<1x1x1x16xi8>) -> tensor<1x1x1x1xi32>
  return %0 : tensor<1x1x1x1xi32>
}
