// RUN: strum-opt %s --fold-constants | FileCheck %s

// Two reshapes are one, and a product with 16 after one with 1/16 is nothing: a mean made a sum made a mean.
// CHECK-LABEL: func.func @movement
// CHECK-SAME: %[[X:.*]]: tensor<1x2x2x4xf32>
// CHECK: %[[Y:.*]] = tosa.reshape %[[X]], %{{.*}} -> tensor<1x16xf32>
// CHECK-NEXT: return %[[Y]]
func.func @movement(%x: tensor<1x2x2x4xf32>) -> tensor<1x16xf32> {
  %rows = tosa.const_shape {values = dense<[1, 4, 4]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %flat = tosa.const_shape {values = dense<[1, 16]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %many = "tosa.const"() <{values = dense<16.0> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %part = "tosa.const"() <{values = dense<0.0625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %0 = tosa.reshape %x, %rows : (tensor<1x2x2x4xf32>, !tosa.shape<3>) -> tensor<1x4x4xf32>
  %1 = tosa.reshape %0, %flat : (tensor<1x4x4xf32>, !tosa.shape<2>) -> tensor<1x16xf32>
  %2 = tosa.mul %1, %part, %shift : (tensor<1x16xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<1x16xf32>
  %3 = tosa.mul %2, %many, %shift : (tensor<1x16xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<1x16xf32>
  return %3 : tensor<1x16xf32>
}
