// RUN: strum-opt %s --tosa-quantize="calibration=%S/Inputs/range.npy activations=minmax" | FileCheck %s
// RUN: strum-opt %s --tosa-quantize 2>&1 | FileCheck %s --check-prefix=WARN
// RUN: strum-opt %s --tosa-quantize="calibration=%S/Inputs/range.npy activations=minmax" --tosa-to-strum | FileCheck %s --check-prefix=STRUM

// Inputs from -1 to 1.55 have steps of 0.01, and code -28 for 0.
// WARN: warning: {{.*}}no calibration data: activation ranges are estimated from 8 random inputs (normal, mean 0, standard deviation 1); cycles and sizes are valid, accuracy is not; give calibration
// CHECK-LABEL: func.func @layer
// CHECK-SAME: (%[[X:.*]]: tensor<1x2xi8>) -> tensor<1x2xi8>
// CHECK-SAME: strum.input_scales = array<f64: 0.0{{0999|10000}}{{[0-9]*}}>, strum.input_zero_points = array<i32: -28>
// CHECK-DAG: %[[W:.*]] = "tosa.const"() <{values = dense<{{.*}}127, 0{{.*}}0, 127{{.*}}> : tensor<2x1x1x2xi8>}>
// CHECK: %[[SUMS:.*]] = tosa.conv2d %{{.*}}, %[[W]], {{.*}} -> tensor<1x1x1x2xi32>
// CHECK: %[[Y:.*]] = tosa.rescale %[[SUMS]]
// STRUM-LABEL: func.func @layer
// STRUM: strum.conv2d
func.func @layer(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = "tosa.const"() <{values = dense<[[[1.0, 0.0], [0.0, 2.0]]]> : tensor<1x2x2xf32>}> : () -> tensor<1x2x2xf32>
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %three = tosa.const_shape {values = dense<[1, 1, 2]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %two = tosa.const_shape {values = dense<[1, 2]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.reshape %x, %three : (tensor<1x2xf32>, !tosa.shape<3>) -> tensor<1x1x2xf32>
  %1 = tosa.matmul %0, %w, %zp, %zp : (tensor<1x1x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x2xf32>
  %2 = tosa.reshape %1, %two : (tensor<1x1x2xf32>, !tosa.shape<2>) -> tensor<1x2xf32>
  return %2 : tensor<1x2xf32>
}

// Does not apply: integers already.
// CHECK-LABEL: func.func @integers
// CHECK-NEXT: tosa.identity
func.func @integers(%x: tensor<1x2xi8>) -> tensor<1x2xi8> {
  %0 = tosa.identity %x : (tensor<1x2xi8>) -> tensor<1x2xi8>
  return %0 : tensor<1x2xi8>
}
