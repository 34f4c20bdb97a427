// RUN: strum-opt %s --tosa-to-strum | FileCheck %s

// A rescale by exactly 1 only subtracts its zero point: the next rescale does that in the input stage. A shift to
// the left is not 1, so the first of those two stays (the second user of 30 bits would round differently without it).
// CHECK-LABEL: func.func @unit
// CHECK-SAME: (%[[X:.*]]: tensor<4xi8>, %[[Y:.*]]: tensor<4xi8>)
func.func @unit(%x: tensor<4xi8>, %y: tensor<4xi8>) -> tensor<4xi32> {
  // CHECK: %[[S:.*]] = tosa.rescale %[[Y]]
  // CHECK-NOT: tosa.rescale
  // CHECK: strum.eltwise add %[[X]], %[[S]] lhs(#strum.rescale<zp = -4, multiplier = 1632849013, shift = 33, round = double>) rhs(#strum.rescale<zp = 0, multiplier = 1632849013, shift = 33, round = double>) : (tensor<4xi8>, tensor<4xi32>) -> tensor<4xi32>
  %one = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %m = "tosa.const"() <{values = dense<1632849013> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s10 = "tosa.const"() <{values = dense<10> : tensor<1xi8>}> : () -> tensor<1xi8>
  %s30 = "tosa.const"() <{values = dense<30> : tensor<1xi8>}> : () -> tensor<1xi8>
  %s33 = "tosa.const"() <{values = dense<33> : tensor<1xi8>}> : () -> tensor<1xi8>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %zx = "tosa.const"() <{values = dense<-4> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.rescale %x, %one, %s30, %zx, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<4xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>, tensor<1xi32>) -> tensor<4xi32>
  %1 = tosa.rescale %0, %m, %s33, %z, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<4xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi32>) -> tensor<4xi32>
  %2 = tosa.rescale %y, %one, %s10, %zx, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<4xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>, tensor<1xi32>) -> tensor<4xi32>
  %3 = tosa.rescale %2, %m, %s33, %z, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<4xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi32>) -> tensor<4xi32>
  %4 = tosa.add %1, %3 : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  return %4 : tensor<4xi32>
}
