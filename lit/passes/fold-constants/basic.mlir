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

// A cut of rows after a cut of columns, as before the first convolution of SqueezeNet, and a concatenation in another, as in
// Inception v3. One that is read elsewhere as well stays.
// CHECK-LABEL: func.func @merged
// CHECK-SAME: %[[X:.*]]: tensor<1x8x8x2xf32>, %[[A:.*]]: tensor<1x5x6x2xf32>
// CHECK: %[[CUT:.*]] = tosa.slice %[[X]], %[[START:.*]], %[[SIZE:.*]] : {{.*}} -> tensor<1x5x6x2xf32>
// CHECK-NEXT: %[[ALL:.*]] = tosa.concat %[[CUT]], %[[A]], %[[A]] {axis = 3 : i32}
// CHECK-NEXT: %[[BOTH:.*]] = tosa.concat %[[A]], %[[CUT]] {axis = 3 : i32}
// CHECK-NEXT: %[[MORE:.*]] = tosa.concat %[[BOTH]], %[[A]] {axis = 3 : i32}
// CHECK-NEXT: return %[[ALL]], %[[BOTH]], %[[MORE]]
func.func @merged(%x: tensor<1x8x8x2xf32>, %a: tensor<1x5x6x2xf32>) -> (tensor<1x5x6x6xf32>, tensor<1x5x6x4xf32>, tensor<1x5x6x6xf32>) {
  %start = tosa.const_shape {values = dense<[0, 1, 0, 0]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %next = tosa.const_shape {values = dense<[0, 1, 2, 0]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %rows = tosa.const_shape {values = dense<[1, 6, 8, 2]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %part = tosa.const_shape {values = dense<[1, 5, 6, 2]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = tosa.slice %x, %start, %rows : (tensor<1x8x8x2xf32>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x6x8x2xf32>
  %1 = tosa.slice %0, %next, %part : (tensor<1x6x8x2xf32>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x5x6x2xf32>
  %2 = tosa.concat %1, %a {axis = 3 : i32} : (tensor<1x5x6x2xf32>, tensor<1x5x6x2xf32>) -> tensor<1x5x6x4xf32>
  %3 = tosa.concat %2, %a {axis = 3 : i32} : (tensor<1x5x6x4xf32>, tensor<1x5x6x2xf32>) -> tensor<1x5x6x6xf32>
  %4 = tosa.concat %a, %1 {axis = 3 : i32} : (tensor<1x5x6x2xf32>, tensor<1x5x6x2xf32>) -> tensor<1x5x6x4xf32>
  %5 = tosa.concat %4, %a {axis = 3 : i32} : (tensor<1x5x6x4xf32>, tensor<1x5x6x2xf32>) -> tensor<1x5x6x6xf32>
  return %3, %4, %5 : tensor<1x5x6x6xf32>, tensor<1x5x6x4xf32>, tensor<1x5x6x6xf32>
}

// Of a layer normalization of ConvNeXt: what is repeated for a difference is repeated by the difference; a product with
// itself would lose its shape.
// CHECK-LABEL: func.func @repeated
// CHECK-SAME: %[[X:.*]]: tensor<1x2x2x4xf32>, %[[MEAN:.*]]: tensor<1x2x2x1xf32>
// CHECK: %[[T:.*]] = tosa.tile %[[MEAN]]
// CHECK: %[[D:.*]] = tosa.sub %[[X]], %[[MEAN]]
// CHECK: %[[P:.*]] = tosa.mul %[[MEAN]], %[[T]]
// CHECK: return %[[D]], %[[P]]
func.func @repeated(%x: tensor<1x2x2x4xf32>, %mean: tensor<1x2x2x1xf32>) -> (tensor<1x2x2x4xf32>, tensor<1x2x2x4xf32>) {
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %many = tosa.const_shape {values = dense<[1, 1, 1, 4]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = tosa.tile %mean, %many : (tensor<1x2x2x1xf32>, !tosa.shape<4>) -> tensor<1x2x2x4xf32>
  %1 = tosa.sub %x, %0 : (tensor<1x2x2x4xf32>, tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32>
  %2 = tosa.mul %0, %0, %shift : (tensor<1x2x2x4xf32>, tensor<1x2x2x4xf32>, tensor<1xi8>) -> tensor<1x2x2x4xf32>
  return %1, %2 : tensor<1x2x2x4xf32>, tensor<1x2x2x4xf32>
}
