// RUN: strum-opt %s --split-input-file --strum-canonicalize | FileCheck %s

// ReLU6 of a TFLite network: the range of the type is the clamp.
// CHECK-LABEL: func.func @identity_clamp
// CHECK-SAME: (%[[X:.*]]: tensor<1x8xi8>)
func.func @identity_clamp(%x: tensor<1x8xi8>) -> tensor<1x8xi8> {
  // CHECK-NEXT: return %[[X]]
  %0 = tosa.clamp %x {max_val = 127 : i8, min_val = -128 : i8} : (tensor<1x8xi8>) -> tensor<1x8xi8>
  return %0 : tensor<1x8xi8>
}

// -----

// Does not apply: one bound is inside of the range.
// CHECK-LABEL: func.func @relu
func.func @relu(%x: tensor<1x8xi8>) -> (tensor<1x8xi8>, tensor<1x8xi8>) {
  // CHECK: tosa.clamp %{{.*}} {max_val = 127 : i8, min_val = -5 : i8}
  // CHECK: tosa.clamp %{{.*}} {max_val = 5 : i8, min_val = -128 : i8}
  %0 = tosa.clamp %x {max_val = 127 : i8, min_val = -5 : i8} : (tensor<1x8xi8>) -> tensor<1x8xi8>
  %1 = tosa.clamp %x {max_val = 5 : i8, min_val = -128 : i8} : (tensor<1x8xi8>) -> tensor<1x8xi8>
  return %0, %1 : tensor<1x8xi8>, tensor<1x8xi8>
}

// -----

// What can occur is known through pooling and concatenation: the second clamp reaches nothing, the third one something.
// CHECK-LABEL: func.func @range
func.func @range(%x: tensor<1x2x2x8xi8>, %y: tensor<1x2x2x8xi8>) -> (tensor<1x1x1x16xi8>, tensor<1x1x1x16xi8>) {
  // CHECK: tosa.clamp %{{.*}} {max_val = 50 : i8, min_val = -5 : i8}
  // CHECK: tosa.clamp %{{.*}} {max_val = 60 : i8, min_val = 0 : i8}
  // CHECK: %[[P:.*]] = tosa.max_pool2d
  // CHECK: %[[C:.*]] = tosa.clamp %[[P]] {max_val = 59 : i8, min_val = -5 : i8}
  // CHECK: return %[[P]], %[[C]]
  %0 = tosa.clamp %x {max_val = 50 : i8, min_val = -5 : i8} : (tensor<1x2x2x8xi8>) -> tensor<1x2x2x8xi8>
  %1 = tosa.clamp %y {max_val = 60 : i8, min_val = 0 : i8} : (tensor<1x2x2x8xi8>) -> tensor<1x2x2x8xi8>
  %2 = tosa.concat %0, %1 {axis = 3 : i32} : (tensor<1x2x2x8xi8>, tensor<1x2x2x8xi8>) -> tensor<1x2x2x16xi8>
  %3 = tosa.max_pool2d %2 {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x2x2x16xi8>) -> tensor<1x1x1x16xi8>
  %4 = tosa.clamp %3 {max_val = 60 : i8, min_val = -5 : i8} : (tensor<1x1x1x16xi8>) -> tensor<1x1x1x16xi8>
  %5 = tosa.clamp %3 {max_val = 59 : i8, min_val = -5 : i8} : (tensor<1x1x1x16xi8>) -> tensor<1x1x1x16xi8>
  return %4, %5 : tensor<1x1x1x16xi8>, tensor<1x1x1x16xi8>
}

// -----

// CHECK-LABEL: func.func @clamps_compose
func.func @clamps_compose(%x: tensor<1x8xi8>) -> tensor<1x8xi8> {
  // CHECK: %[[Y:.*]] = tosa.clamp %{{.*}} {max_val = 50 : i8, min_val = -5 : i8}
  // CHECK-NEXT: return %[[Y]]
  %0 = tosa.clamp %x {max_val = 100 : i8, min_val = -5 : i8} : (tensor<1x8xi8>) -> tensor<1x8xi8>
  %1 = tosa.clamp %0 {max_val = 50 : i8, min_val = -60 : i8} : (tensor<1x8xi8>) -> tensor<1x8xi8>
  return %1 : tensor<1x8xi8>
}

// -----

// Bounds that miss each other: everything becomes the nearer bound of the second clamp.
// CHECK-LABEL: func.func @clamps_miss
func.func @clamps_miss(%x: tensor<1x8xi16>) -> tensor<1x8xi16> {
  // CHECK: %[[Y:.*]] = tosa.clamp %{{.*}} {max_val = 40 : i16, min_val = 40 : i16}
  // CHECK-NEXT: return %[[Y]]
  %0 = tosa.clamp %x {max_val = 10 : i16, min_val = -5 : i16} : (tensor<1x8xi16>) -> tensor<1x8xi16>
  %1 = tosa.clamp %0 {max_val = 50 : i16, min_val = 40 : i16} : (tensor<1x8xi16>) -> tensor<1x8xi16>
  return %1 : tensor<1x8xi16>
}

// -----

// The clamp of a rescale that reaches it through a reshape moves up, where a layer can absorb it.
// CHECK-LABEL: func.func @clamp_above_reshape
func.func @clamp_above_reshape(%x: tensor<1x8xi32>) -> tensor<8xi8> {
  // CHECK: %[[R:.*]] = tosa.rescale
  // CHECK: %[[C:.*]] = tosa.clamp %[[R]] {max_val = 50 : i8, min_val = -5 : i8} : (tensor<1x8xi8>) -> tensor<1x8xi8>
  // CHECK: %[[Y:.*]] = tosa.reshape %[[C]]
  // CHECK: return %[[Y]]
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<33> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %zo = "tosa.const"() <{values = dense<3> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.rescale %x, %m, %s, %zi, %zo {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<1x8xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<1x8xi8>
  %sh = tosa.const_shape {values = dense<[8]> : tensor<1xindex>} : () -> !tosa.shape<1>
  %1 = tosa.reshape %0, %sh : (tensor<1x8xi8>, !tosa.shape<1>) -> tensor<8xi8>
  %2 = tosa.clamp %1 {max_val = 50 : i8, min_val = -5 : i8} : (tensor<8xi8>) -> tensor<8xi8>
  return %2 : tensor<8xi8>
}

// -----

// So does the rescale of a matrix product, with one scale for each column as long as the columns stay.
// CHECK-LABEL: func.func @rescale_above_reshape
func.func @rescale_above_reshape(%a: tensor<1x2x3xi8>, %b: tensor<1x3x2xi8>) -> (tensor<2x2xi8>, tensor<4xi8>) {
  // CHECK: %[[P:.*]] = tosa.matmul
  // CHECK: %[[R:.*]] = tosa.rescale %[[P]]
  // CHECK: tosa.reshape %[[R]], %{{.*}} -> tensor<2x2xi8>
  // CHECK: %[[Q:.*]] = tosa.matmul
  // CHECK: %[[S:.*]] = tosa.reshape %[[Q]]
  // CHECK: tosa.rescale %[[S]]
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<2xi32>}> : () -> tensor<2xi32>
  %s = "tosa.const"() <{values = dense<[33, 34]> : tensor<2xi8>}> : () -> tensor<2xi8>
  %m4 = "tosa.const"() <{values = dense<1073741824> : tensor<4xi32>}> : () -> tensor<4xi32>
  %s4 = "tosa.const"() <{values = dense<[33, 34, 35, 36]> : tensor<4xi8>}> : () -> tensor<4xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %sh = tosa.const_shape {values = dense<2> : tensor<2xindex>} : () -> !tosa.shape<2>
  %sh4 = tosa.const_shape {values = dense<4> : tensor<1xindex>} : () -> !tosa.shape<1>
  %0 = tosa.matmul %a, %b, %z, %z : (tensor<1x2x3xi8>, tensor<1x3x2xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x2x2xi32>
  %1 = tosa.reshape %0, %sh : (tensor<1x2x2xi32>, !tosa.shape<2>) -> tensor<2x2xi32>
  %2 = tosa.rescale %1, %m, %s, %zi, %z {input_unsigned = false, output_unsigned = false, per_channel = true, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<2x2xi32>, tensor<2xi32>, tensor<2xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<2x2xi8>
  %3 = tosa.matmul %a, %b, %z, %z : (tensor<1x2x3xi8>, tensor<1x3x2xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x2x2xi32>
  %4 = tosa.reshape %3, %sh4 : (tensor<1x2x2xi32>, !tosa.shape<1>) -> tensor<4xi32>
  %5 = tosa.rescale %4, %m4, %s4, %zi, %z {input_unsigned = false, output_unsigned = false, per_channel = true, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<4xi32>, tensor<4xi32>, tensor<4xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<4xi8>
  return %2, %5 : tensor<2x2xi8>, tensor<4xi8>
}

// -----

// A scale of the only channel is one for all elements, also before the reshape, where there are more channels.
// CHECK-LABEL: func.func @scale_of_one_channel
func.func @scale_of_one_channel(%y: tensor<1x2x2x2xi32>) -> tensor<8x1xi8> {
  // CHECK: %[[A:.*]] = tosa.maximum
  // CHECK: %[[R:.*]] = tosa.rescale %[[A]], {{.*}}per_channel = false{{.*}} -> tensor<1x2x2x2xi8>
  // CHECK: tosa.reshape %[[R]], {{.*}} -> tensor<8x1xi8>
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<33> : tensor<1xi8>}> : () -> tensor<1xi8>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %sh = tosa.const_shape {values = dense<[8, 1]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.maximum %y, %y : (tensor<1x2x2x2xi32>, tensor<1x2x2x2xi32>) -> tensor<1x2x2x2xi32>
  %1 = tosa.reshape %0, %sh : (tensor<1x2x2x2xi32>, !tosa.shape<2>) -> tensor<8x1xi32>
  %2 = tosa.rescale %1, %m, %s, %zi, %z {input_unsigned = false, output_unsigned = false, per_channel = true, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<8x1xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<8x1xi8>
  return %2 : tensor<8x1xi8>
}

// -----

// A rescale of i8 and a clamp are one table. Entry v + 128 is clamp(-v - 1): the rescale reads unsigned bytes.
// CHECK-LABEL: func.func @table_of_chain
func.func @table_of_chain(%x: tensor<1x8xi8>) -> tensor<1x8xi8> {
  // CHECK: %[[T:.*]] = "tosa.const"() <{values = dense<"0x{{(00|01|FF|[0-9A-F])+}}"> : tensor<256xi8>}>
  // CHECK: %[[Y:.*]] = tosa.table %{{.*}}, %[[T]]
  // CHECK-NEXT: return %[[Y]]
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<31> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<-128> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zo = "tosa.const"() <{values = dense<-100> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.rescale %x, %m, %s, %zi, %zo {input_unsigned = true, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<1x8xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x8xi8>
  %1 = tosa.clamp %0 {max_val = 5 : i8, min_val = -60 : i8} : (tensor<1x8xi8>) -> tensor<1x8xi8>
  return %1 : tensor<1x8xi8>
}

// -----

// Widening and narrowing again is a table as well; here it is the identity.
// CHECK-LABEL: func.func @widen_and_narrow
// CHECK-SAME: (%[[X:.*]]: tensor<1x8xi8>)
func.func @widen_and_narrow(%x: tensor<1x8xi8>) -> tensor<1x8xi8> {
  // CHECK-NEXT: return %[[X]]
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<10> : tensor<1xi8>}> : () -> tensor<1xi8>
  %t = "tosa.const"() <{values = dense<50> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<-4> : tensor<1xi8>}> : () -> tensor<1xi8>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %0 = tosa.rescale %x, %m, %s, %zi, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true} : (tensor<1x8xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>, tensor<1xi32>) -> tensor<1x8xi32>
  %1 = tosa.rescale %0, %m, %t, %z, %zi {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<1x8xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<1x8xi8>
  return %1 : tensor<1x8xi8>
}

// -----

// Does not apply: a single op is unchanged, and a value with a second user is needed anyway.
// CHECK-LABEL: func.func @chain_with_second_user
func.func @chain_with_second_user(%x: tensor<1x8xi8>) -> (tensor<1x8xi8>, tensor<1x8xi8>) {
  // CHECK: %[[T:.*]] = tosa.table
  // CHECK: tosa.clamp %[[T]]
  %t = "tosa.const"() <{values = dense<7> : tensor<256xi8>}> : () -> tensor<256xi8>
  %0 = tosa.table %x, %t : (tensor<1x8xi8>, tensor<256xi8>) -> tensor<1x8xi8>
  %1 = tosa.clamp %0 {max_val = 5 : i8, min_val = -60 : i8} : (tensor<1x8xi8>) -> tensor<1x8xi8>
  return %0, %1 : tensor<1x8xi8>, tensor<1x8xi8>
}

// -----

// Does not apply: 200 does not fit in the shift of the rescale, which makes the value unpredictable in TOSA.
// CHECK-LABEL: func.func @unpredictable_chain
func.func @unpredictable_chain(%x: tensor<1x8xi8>) -> tensor<1x8xi8> {
  // CHECK: tosa.rescale
  // CHECK: tosa.clamp
  %m = "tosa.const"() <{values = dense<1> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<8> : tensor<1xi8>}> : () -> tensor<1xi8>
  %z = "tosa.const"() <{values = dense<-100> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.rescale %x, %m, %s, %z, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<1x8xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x8xi8>
  %1 = tosa.clamp %0 {max_val = 5 : i8, min_val = -60 : i8} : (tensor<1x8xi8>) -> tensor<1x8xi8>
  return %1 : tensor<1x8xi8>
}
