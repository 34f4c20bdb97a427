// RUN: strum-opt %s --verify-diagnostics --tosa-quantize="calibration=%S/Inputs/range.npy" --split-input-file
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="activations=best" 2>&1 | FileCheck %s --check-prefix=CHOICE
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="weights=some" 2>&1 | FileCheck %s --check-prefix=WEIGHTS
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="activations=percentile percentile=1.5" 2>&1 | FileCheck %s --check-prefix=SHARE
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="calibration=%S/Inputs/none.npy" 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="calibration=%s" 2>&1 | FileCheck %s --check-prefix=NPY
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="calibration=%S/Inputs/wrong.npy" 2>&1 | FileCheck %s --check-prefix=SHAPE
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="rounding=best" 2>&1 | FileCheck %s --check-prefix=ROUNDING
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="rounding=feedback" 2>&1 | FileCheck %s --check-prefix=RANDOM
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="storage=mip2q,L=9" 2>&1 | FileCheck %s --check-prefix=STORAGE
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="storage=mip2q bias-correction" 2>&1 | FileCheck %s --check-prefix=BIAS
// RUN: not strum-opt %S/basic.mlir --tosa-quantize="percentile=0.01" 2>&1 | FileCheck %s --check-prefix=UNUSED

// UNUSED: error: 'func.func' op percentile has no effect without activations=percentile
// ROUNDING: error: 'func.func' op rounding is 'best', expected nearest or feedback
// RANDOM: error: 'func.func' op bias-correction and feedback need calibration
// STORAGE: error: 'func.func' op storage: L must be in 0..=7, got 9
// BIAS: error: 'func.func' op bias-correction has no effect: rounding with feedback corrects biases
// CHOICE: error: 'func.func' op activations is 'best', expected minmax, percentile or mse
// WEIGHTS: error: 'func.func' op weights is 'some', expected per-channel or per-tensor
// SHARE: error: 'func.func' op percentile is '1.5', expected a number from 0 to below 1
// NONE: error: 'func.func' op calibration data '{{.*}}none.npy': No such file
// NPY: error: 'func.func' op calibration data '{{.*}}': not an .npy file
// SHAPE: error: 'func.func' op calibration data '{{.*}}wrong.npy': an array of shape [2, 3] holds no samples of it along a first axis

// expected-error@+1 {{the network has 2 inputs, one is expected: use strumc quantize}}
func.func @two(%x: tensor<1x2xf32>, %y: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %0 = tosa.add %x, %y : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// -----

func.func @unknown(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  // expected-error@+1 {{'tosa.sin' op unsupported: no operator of a float network that is known}}
  %0 = tosa.sin %x : (tensor<1x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}
