// An attribute that nobody reads is an error: one of the dialect's name on any op, and one that is not declared on its ops.
// RUN: strum-opt %s --split-input-file --verify-diagnostics | FileCheck %s

// What is written by strumc quantize, and what another dialect keeps.
// CHECK-LABEL: func.func @kept
// CHECK-SAME: strum.input_scales = array<f64: 5.000000e-01, 2.500000e-01>, strum.input_zero_points = array<i32: 3, 4>
// CHECK: strum.conv2d {{.*}} {other.note = 1 : i32, strum.input_mean = array<f64: 2.000000e+00>}
func.func @kept(%x: tensor<1x1x1x1xi8>, %w: tensor<2x1x1x1xi8>) -> tensor<1x1x1x2xi32> attributes {strum.input_scales = array<f64: 0.5, 0.25>, strum.input_zero_points = array<i32: 3, 4>} {
  %0 = strum.conv2d %x, %w {other.note = 1 : i32, strum.input_mean = array<f64: 2.0>} : (tensor<1x1x1x1xi8>, tensor<2x1x1x1xi8>) -> tensor<1x1x1x2xi32>
  return %0 : tensor<1x1x1x2xi32>
}

// -----

// expected-error@+1 {{'func.func' op has no attribute 'strum.input_scale'; the nearest is 'strum.input_scales'}}
func.func @misspelt(%x: tensor<8xi8>) attributes {strum.input_scale = array<f64: 0.5>} {
  return
}

// -----

// expected-error@+1 {{'func.func' op has no attribute 'strum.pack_mehtod'; there are strum.input_scales, strum.input_zero_points, strum.output_scales, strum.output_zero_points, strum.unsigned_inputs, strum.unsigned_outputs, strum.boolean_inputs, strum.boolean_outputs, strum.states, strum.initial_states, strum.input_mean, strum.input_square}}
func.func @invented(%x: tensor<8xi8>) attributes {strum.pack_mehtod = "mip2q"} {
  return
}

// -----

// expected-error@+1 {{'func.func' op has no attribute 'strum.scale' on an argument or result; the nearest is}}
func.func @argument(%x: tensor<8xi8> {strum.scale = 0.5 : f64}) {
  return
}

// -----

// expected-error@+1 {{'func.func' op has 'strum.input_scales' on an argument or result: it is for functions}}
func.func @result(%x: tensor<8xi8>) -> (tensor<8xi8> {strum.input_scales = array<f64: 0.5>}) {
  return %x : tensor<8xi8>
}

// -----

// expected-error@+1 {{'func.func' op has 'strum.output_scales' without 'strum.output_zero_points'}}
func.func @half(%x: tensor<8xi8>) -> tensor<8xi8> attributes {strum.output_scales = array<f64: 0.5>} {
  return %x : tensor<8xi8>
}

// -----

// expected-error@+1 {{'func.func' op has 1 arguments, and 2 values in 'strum.input_scales'}}
func.func @count(%x: tensor<8xi8>) attributes {strum.input_scales = array<f64: 0.5, 0.5>, strum.input_zero_points = array<i32: 0, 0>} {
  return
}

// -----

// expected-error@+1 {{'func.func' op has 0 in 'strum.input_scales'}}
func.func @value(%x: tensor<8xi8>) attributes {strum.input_scales = array<f64: 0.0>, strum.input_zero_points = array<i32: 0>} {
  return
}

// -----

// expected-error@+1 {{'func.func' op expects 'strum.input_zero_points' as array<i32>, got 0}}
func.func @form(%x: tensor<8xi8>) attributes {strum.input_scales = array<f64: 1.0>, strum.input_zero_points = 0 : i32} {
  return
}

// -----

func.func @place(%x: tensor<8xi8>) -> tensor<8xi8> {
  // expected-error@+1 {{'tosa.identity' op has 'strum.input_mean', which is for convolutions}}
  %0 = tosa.identity %x {strum.input_mean = array<f64: 2.0>} : (tensor<8xi8>) -> tensor<8xi8>
  return %0 : tensor<8xi8>
}

// -----

func.func @undeclared(%x: tensor<1x1x1x1xi8>, %w: tensor<2x1x1x1xi8>) -> tensor<1x1x1x2xi32> {
  // expected-error@+1 {{'strum.conv2d' op has no attribute 'stride'; the nearest is 'strides'}}
  %0 = strum.conv2d %x, %w {stride = array<i64: 2, 2>} : (tensor<1x1x1x1xi8>, tensor<2x1x1x1xi8>) -> tensor<1x1x1x2xi32>
  return %0 : tensor<1x1x1x2xi32>
}

// -----

// A splat of any length is a line of text.
// expected-error-re@+1 {{'func.func' op expects 'strum.input_zero_points' as array<i32>, got dense<0>{{.*}}}}
func.func @splat(%x: tensor<8xi8>) attributes {strum.input_scales = array<f64: 1.0>, strum.input_zero_points = dense<0> : vector<1000000000000xi64>} {
  return
}

// -----

func.func @known(%x: tensor<8xi8>, %s: tensor<8xi8>) -> tensor<8xi8> attributes {strum.unsigned_inputs = array<i32: 1, 0>, strum.unsigned_outputs = array<i32: 1>, strum.states = array<i32: -1, 0>, strum.initial_states = array<i32: 0, -3>} {
  return %x : tensor<8xi8>
}

// -----

// expected-error@+1 {{'func.func' op has 2 in 'strum.unsigned_inputs'}}
func.func @flag(%x: tensor<8xi8>) attributes {strum.unsigned_inputs = array<i32: 2>} {
  return
}

// -----

// expected-error@+1 {{'func.func' op has 'strum.boolean_inputs', which is for programs}}
func.func @boolean(%x: tensor<8xi1>) attributes {strum.boolean_inputs = array<i32: 1>} {
  return
}

// -----

// expected-error@+1 {{'func.func' op has 1 in 'strum.states'}}
func.func @state(%x: tensor<8xi8>) -> tensor<8xi8> attributes {strum.states = array<i32: 1>, strum.initial_states = array<i32: 0>} {
  return %x : tensor<8xi8>
}

// -----

// expected-error@+1 {{'func.func' op has 'strum.states' without 'strum.initial_states'}}
func.func @first(%x: tensor<8xi8>) -> tensor<8xi8> attributes {strum.states = array<i32: 0>} {
  return %x : tensor<8xi8>
}

// -----

// expected-error@+1 {{'func.func' op has 0 results, and 1 values in 'strum.unsigned_outputs'}}
func.func @results(%x: tensor<8xi8>) attributes {strum.unsigned_outputs = array<i32: 1>} {
  return
}
