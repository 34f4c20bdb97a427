// RUN: strum-opt %s --verify-diagnostics --tosa-quantize="calibration=%S/Inputs/range.npy" --split-input-file
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="activations=best" 2>&1 | FileCheck %s --check-prefix=CHOICE
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="weights=some" 2>&1 | FileCheck %s --check-prefix=WEIGHTS
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="activations=percentile percentile=1.5" 2>&1 | FileCheck %s --check-prefix=SHARE
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="calibration=%S/Inputs/none.npy" 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="calibration=%s" 2>&1 | FileCheck %s --check-prefix=NPY
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="calibration=%S/Inputs/wrong.npy" 2>&1 | FileCheck %s --check-prefix=SHAPE
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="calibration=%S/Inputs/short.npy" 2>&1 | FileCheck %s --check-prefix=SHORT
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="calibration=%S/Inputs/nan.npy" 2>&1 | FileCheck %s --check-prefix=NAN
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="calibration=%S/Inputs/empty.npy" 2>&1 | FileCheck %s --check-prefix=EMPTY
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="rounding=best" 2>&1 | FileCheck %s --check-prefix=ROUNDING
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="rounding=feedback" 2>&1 | FileCheck %s --check-prefix=RANDOM
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="format=mip2q,L=9" 2>&1 | FileCheck %s --check-prefix=STORAGE
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="format=mip2q,M=9" 2>&1 | FileCheck %s --check-prefix=PARAMETER
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="format=mip2q,L=all" 2>&1 | FileCheck %s --check-prefix=VALUE
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="format=mip2q,L=5,L=6" 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="format=mip2q,L" 2>&1 | FileCheck %s --check-prefix=EQUALS
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="format=mip2q,select=magnitude" 2>&1 | FileCheck %s --check-prefix=EFFECT
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="format=mip2q bias-correction" 2>&1 | FileCheck %s --check-prefix=BIAS
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="percentile=0.01" 2>&1 | FileCheck %s --check-prefix=UNUSED

// UNUSED: error: wrong option: percentile has no effect without activations=percentile
// ROUNDING: error: option 'rounding' of tosa-quantize must be nearest or feedback, got 'best'
// RANDOM: error: wrong option: rounding=feedback needs calibration: random inputs do not represent the real ones
// STORAGE: error: tosa-quantize: format: L must be 0 to 7, got 9
// PARAMETER: error: tosa-quantize: format: there is no parameter 'M', expected p, w, q, L, zero, shift, select or correct
// VALUE: error: tosa-quantize: format: L must be 0 to 7, got all
// TWICE: error: tosa-quantize: format: L is given twice
// EQUALS: error: tosa-quantize: format: 'L' is not NAME=VALUE
// EFFECT: error: tosa-quantize: format: select has no effect on weights that are rounded for their format
// BIAS: error: wrong option: bias-correction has no effect: rounding with feedback corrects biases
// CHOICE: error: option 'activations' of tosa-quantize must be minmax, percentile or mse, got 'best'
// WEIGHTS: error: option 'weights' of tosa-quantize must be per-channel or per-tensor, got 'some'
// SHARE: error: option 'percentile' of tosa-quantize must be a number from 0 to below 1, got '1.5'
// NONE: error: 'func.func' op calibration data '{{.*}}none.npy': No such file
// NPY: error: 'func.func' op calibration data '{{.*}}': not an .npy file
// SHAPE: error: 'func.func' op calibration data '{{.*}}wrong.npy': array of shape [2, 3] does not match the input shape [1, 2] with samples along axis 0
// SHORT: error: 'func.func' op calibration data '{{.*}}short.npy': {{[0-9]+}} bytes of data do not make float32[1000, 2]
// NAN: error: 'func.func' op calibration data '{{.*}}nan.npy': contains the value NaN; all values must be finite
// EMPTY: error: 'func.func' op calibration data '{{.*}}empty.npy': contains no samples

// expected-error@+1 {{the network has 2 inputs, this pass supports one: use strumc quantize}}
func.func @two(%x: tensor<1x2xf32>, %y: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %0 = tosa.add %x, %y : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// -----

func.func @unknown(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  // expected-error@+1 {{'tosa.sin' op unsupported: operation is not supported in a float network}}
  %0 = tosa.sin %x : (tensor<1x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// -----

func.func @size(%x: tensor<1x2xf32>) -> tensor<1x5xf32> {
  %twice = tosa.const_shape {values = dense<[1, 2]> : tensor<2xindex>} : () -> !tosa.shape<2>
  // expected-error@+1 {{result has shape [1, 4], its type has [1, 5]}}
  %0 = tosa.tile %x, %twice : (tensor<1x2xf32>, !tosa.shape<2>) -> tensor<1x5xf32>
  return %0 : tensor<1x5xf32>
}

// -----

// expected-error@+1 {{states of a float network cannot be quantized}}
func.func @state(%s: tensor<1x2xf32>) -> tensor<1x2xf32> attributes {strum.states = array<i32: 0>, strum.initial_states = array<i32: 0>} {
  %0 = tosa.add %s, %s : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}
