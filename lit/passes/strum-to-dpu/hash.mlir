// RUN: strum-opt %s --split-input-file --strum-to-dpu | FileCheck %s

// The hash of a function is that of the function alone.
// CHECK: dpu.program @f {{.*}}input_sha256 = "[[HASH:[0-9a-f]+]]"
func.func @f(%x: tensor<4xi32>, %y: tensor<4xi32>) -> tensor<4xi32> {
  %0 = tosa.add %x, %y : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}

// -----

// CHECK: dpu.program @before
// CHECK: dpu.program @f {{.*}}input_sha256 = "[[HASH]]"
// CHECK: dpu.program @behind
func.func @before(%x: tensor<4xi8>) -> tensor<4xi8> {
  return %x : tensor<4xi8>
}
func.func @f(%x: tensor<4xi32>, %y: tensor<4xi32>) -> tensor<4xi32> {
  %0 = tosa.add %x, %y : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}
func.func @behind(%x: tensor<4xi8>) -> tensor<4xi8> {
  return %x : tensor<4xi8>
}
