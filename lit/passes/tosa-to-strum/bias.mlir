// RUN: strum-opt %s --split-input-file --tosa-to-strum | FileCheck %s

// The bias of a fully connected layer that other front ends write as an addition.
// CHECK-LABEL: func.func @of_a_product
func.func @of_a_product(%a: tensor<1x4x2xi8>) -> tensor<1x4x2xi8> {
  // CHECK-DAG: %[[B:.*]] = "tosa.const"() <{values = dense<[7, -8]> : tensor<2xi32>}>
  // CHECK: strum.conv2d %{{.*}}, %{{.*}}, %[[B]] ppe(
  // CHECK-NOT: tosa.{{add|rescale}}
  %w = "tosa.const"() <{values = dense<[[[1, 2], [3, 4]]]> : tensor<1x2x2xi8>}> : () -> tensor<1x2x2xi8>
  %b = "tosa.const"() <{values = dense<[[[7, -8]]]> : tensor<1x1x2xi32>}> : () -> tensor<1x1x2xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<33> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %0 = tosa.matmul %a, %w, %z, %z : (tensor<1x4x2xi8>, tensor<1x2x2xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x2xi32>
  %1 = tosa.add %b, %0 : (tensor<1x1x2xi32>, tensor<1x4x2xi32>) -> tensor<1x4x2xi32>
  %2 = tosa.rescale %1, %m, %s, %zi, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<1x4x2xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<1x4x2xi8>
  return %2 : tensor<1x4x2xi8>
}

// -----

// On top of a bias.
// CHECK-LABEL: func.func @of_a_convolution
func.func @of_a_convolution(%x: tensor<1x1x4x2xi8>, %w: tensor<2x1x1x2xi8>) -> tensor<1x1x4x2xi32> {
  // CHECK: %[[B:.*]] = "tosa.const"() <{values = dense<[17, -93]> : tensor<2xi32>}>
  // CHECK: strum.conv2d %{{.*}}, %{{.*}}, %[[B]] :
  // CHECK-NOT: tosa.add
  %b = "tosa.const"() <{values = dense<[7, -103]> : tensor<2xi32>}> : () -> tensor<2xi32>
  %c = "tosa.const"() <{values = dense<10> : tensor<1x1x1x1xi32>}> : () -> tensor<1x1x1x1xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x4x2xi8>, tensor<2x1x1x2xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x1x4x2xi32>
  %1 = tosa.add %0, %c : (tensor<1x1x4x2xi32>, tensor<1x1x1x1xi32>) -> tensor<1x1x4x2xi32>
  return %1 : tensor<1x1x4x2xi32>
}

// -----

// Does not apply: the sum of both overflows; one value for each column of the image; the image is what is broadcast.
// CHECK-LABEL: func.func @stays
// CHECK-COUNT-3: strum.eltwise add
func.func @stays(%x: tensor<1x1x4x2xi8>, %w: tensor<2x1x1x2xi8>) -> (tensor<1x1x4x2xi32>, tensor<1x1x4x2xi32>, tensor<3x1x4x2xi32>) {
  %b = "tosa.const"() <{values = dense<[7, -103]> : tensor<2xi32>}> : () -> tensor<2xi32>
  %c = "tosa.const"() <{values = dense<2147483647> : tensor<1x1x1x1xi32>}> : () -> tensor<1x1x1x1xi32>
  %d = "tosa.const"() <{values = dense<[[[[1], [2], [3], [4]]]]> : tensor<1x1x4x1xi32>}> : () -> tensor<1x1x4x1xi32>
  %e = "tosa.const"() <{values = dense<5> : tensor<3x1x1x2xi32>}> : () -> tensor<3x1x1x2xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x4x2xi8>, tensor<2x1x1x2xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x1x4x2xi32>
  %1 = tosa.add %0, %c : (tensor<1x1x4x2xi32>, tensor<1x1x1x1xi32>) -> tensor<1x1x4x2xi32>
  %2 = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x4x2xi8>, tensor<2x1x1x2xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x1x4x2xi32>
  %3 = tosa.add %2, %d : (tensor<1x1x4x2xi32>, tensor<1x1x4x1xi32>) -> tensor<1x1x4x2xi32>
  %4 = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x4x2xi8>, tensor<2x1x1x2xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x1x4x2xi32>
  %5 = tosa.add %4, %e : (tensor<1x1x4x2xi32>, tensor<3x1x1x2xi32>) -> tensor<3x1x4x2xi32>
  return %1, %3, %5 : tensor<1x1x4x2xi32>, tensor<1x1x4x2xi32>, tensor<3x1x4x2xi32>
}
