// RUN: strum-opt %s --split-input-file --strum-to-tosa | FileCheck %s
// RUN: strum-opt %s --split-input-file --strum-to-tosa --strum-to-tosa | FileCheck %s
// RUN: strum-opt %s --split-input-file --strum-to-tosa --tosa-attach-target="profiles=pro_int extensions=int16,doubleround" --tosa-validate=strict-op-spec-alignment -o /dev/null

// CHECK-LABEL: func.func @conv
// CHECK-SAME: %[[X:[^:]*]]: tensor<1x8x8x4xi8>, %[[W:[^:]*]]: tensor<2x3x3x4xi8>, %[[B:[^:]*]]: tensor<2xi32>
func.func @conv(%x: tensor<1x8x8x4xi8>, %w: tensor<2x3x3x4xi8>, %b: tensor<2xi32>) -> tensor<1x4x4x2xi8> {
  // CHECK-DAG: %[[ZX:.*]] = "tosa.const"() <{values = dense<-3> : tensor<1xi8>}>
  // CHECK-DAG: %[[ZW:.*]] = "tosa.const"() <{values = dense<0> : tensor<1xi8>}>
  // CHECK-DAG: %[[M:.*]] = "tosa.const"() <{values = dense<[1073741824, 1073741825]> : tensor<2xi32>}>
  // CHECK-DAG: %[[S:.*]] = "tosa.const"() <{values = dense<[38, 39]> : tensor<2xi8>}>
  // CHECK-DAG: %[[ZI:.*]] = "tosa.const"() <{values = dense<0> : tensor<1xi32>}>
  // CHECK-DAG: %[[ZO:.*]] = "tosa.const"() <{values = dense<-7> : tensor<1xi8>}>
  // CHECK-DAG: %[[T:.*]] = "tosa.const"() <{values = dense<9> : tensor<256xi8>}>
  // CHECK: %[[A:.*]] = tosa.conv2d %[[X]], %[[W]], %[[B]], %[[ZX]], %[[ZW]] {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 1, 0, 1, 0>, stride = array<i64: 2, 2>}
  // CHECK: %[[R:.*]] = tosa.rescale %[[A]], %[[M]], %[[S]], %[[ZI]], %[[ZO]] {input_unsigned = false, output_unsigned = false, per_channel = true, rounding_mode = DOUBLE_ROUND, scale32 = true}
  // CHECK: %[[C:.*]] = tosa.clamp %[[R]] {max_val = 5 : i8, min_val = -60 : i8}
  // CHECK: %[[Y:.*]] = tosa.table %[[C]], %[[T]]
  // CHECK: return %[[Y]]
  %0 = strum.conv2d %x, %w, %b strides [2, 2] pads [1, 0, 1, 0] input_zp -3 ppe(#strum.ppe<multiplier = [1073741824, 1073741825], shift = [38, 39], round = double, zp = -7, clamp = [-60, 5], table = dense<9> : tensor<256xi8>>) : (tensor<1x8x8x4xi8>, tensor<2x3x3x4xi8>, tensor<2xi32>) -> tensor<1x4x4x2xi8>
  return %0 : tensor<1x4x4x2xi8>
}

// -----

// TOSA requires windows to end exactly at the border: what the layer ignores is sliced off, padding first.
// CHECK-LABEL: func.func @exact_size
// CHECK-SAME: %[[X:[^:]*]]: tensor<1x16x16x4xi8>
func.func @exact_size(%x: tensor<1x16x16x4xi8>, %w: tensor<2x1x1x4xi8>, %v: tensor<2x2x2x4xi8>) -> (tensor<1x8x8x2xi32>, tensor<1x8x8x2xi32>) {
  // CHECK: %[[P:.*]] = tosa.slice %[[X]], %{{.*}} -> tensor<1x15x15x4xi8>
  // CHECK: tosa.conv2d %[[P]], {{.*}}pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>
  // CHECK: tosa.conv2d %[[X]], {{.*}}pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>
  %0 = strum.conv2d %x, %w strides [2, 2] : (tensor<1x16x16x4xi8>, tensor<2x1x1x4xi8>) -> tensor<1x8x8x2xi32>
  %1 = strum.conv2d %x, %v strides [2, 2] pads [0, 1, 0, 1] : (tensor<1x16x16x4xi8>, tensor<2x2x2x4xi8>) -> tensor<1x8x8x2xi32>
  return %0, %1 : tensor<1x8x8x2xi32>, tensor<1x8x8x2xi32>
}

// -----

// All windows in the padding: nothing can be cut, so one more window is made and dropped.
// CHECK-LABEL: func.func @windows_in_the_padding
func.func @windows_in_the_padding(%x: tensor<1x2x2x4xi8>, %w: tensor<2x3x3x4xi8>) -> tensor<1x1x1x2xi32> {
  // CHECK: %[[A:.*]] = tosa.conv2d {{.*}}pad = array<i64: 4, 5, 4, 5>, stride = array<i64: 8, 8>{{.*}} -> tensor<1x2x2x2xi32>
  // CHECK: tosa.slice %[[A]], {{.*}} -> tensor<1x1x1x2xi32>
  %0 = strum.conv2d %x, %w strides [8, 8] pads [4, 0, 4, 0] : (tensor<1x2x2x4xi8>, tensor<2x3x3x4xi8>) -> tensor<1x1x1x2xi32>
  return %0 : tensor<1x1x1x2xi32>
}

// -----

// CHECK-LABEL: func.func @depthwise
func.func @depthwise(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x2xi8>) -> tensor<1x8x8x8xi16> {
  // Small multipliers are written as 16-bit ones, whose inputs TOSA does not limit.
  // CHECK-DAG: dense<20000> : tensor<1xi16>
  // CHECK: tosa.depthwise_conv2d {{.*}} {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 1, 1, 1, 1>, stride = array<i64: 1, 1>}
  // CHECK: tosa.rescale {{.*}}rounding_mode = SINGLE_ROUND, scale32 = false{{.*}} -> tensor<1x8x8x8xi16>
  // CHECK-NOT: tosa.clamp
  %0 = strum.depthwise_conv2d %x, %w pads [1, 1, 1, 1] ppe(#strum.ppe<multiplier = [20000], shift = [17], round = single, zp = 0, clamp = [-32768, 32767]>) : (tensor<1x8x8x4xi8>, tensor<3x3x4x2xi8>) -> tensor<1x8x8x8xi16>
  return %0 : tensor<1x8x8x8xi16>
}

// -----

// CHECK-LABEL: func.func @matmul
func.func @matmul(%a: tensor<2x4x3xi8>, %b: tensor<2x3x5xi8>) -> tensor<2x4x5xi8> {
  // CHECK-DAG: %[[AZ:.*]] = "tosa.const"() <{values = dense<-3> : tensor<1xi8>}>
  // CHECK-DAG: %[[BZ:.*]] = "tosa.const"() <{values = dense<4> : tensor<1xi8>}>
  // CHECK: %[[A:.*]] = tosa.matmul %{{[^,]*}}, %{{[^,]*}}, %[[AZ]], %[[BZ]] : (tensor<2x4x3xi8>, tensor<2x3x5xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<2x4x5xi32>
  // CHECK: tosa.rescale %[[A]], {{.*}}rounding_mode = SINGLE_ROUND, scale32 = true
  // CHECK-NOT: tosa.clamp
  %0 = strum.matmul %a, %b a_zp -3 b_zp 4 ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = single, zp = 12, clamp = [-128, 127]>) : (tensor<2x4x3xi8>, tensor<2x3x5xi8>) -> tensor<2x4x5xi8>
  return %0 : tensor<2x4x5xi8>
}

// -----

// CHECK-LABEL: func.func @eltwise
// CHECK-SAME: (%[[X:.*]]: tensor<1x4x4x8xi8>, %[[Y:.*]]: tensor<1x4x4x8xi32>)
func.func @eltwise(%x: tensor<1x4x4x8xi8>, %y: tensor<1x4x4x8xi32>) -> tensor<1x4x4x8xi8> {
  // CHECK: %[[L:.*]] = tosa.rescale %[[X]], {{.*}}rounding_mode = DOUBLE_ROUND, scale32 = true{{.*}} -> tensor<1x4x4x8xi32>
  // CHECK: %[[R:.*]] = tosa.rescale %[[Y]], {{.*}} -> tensor<1x4x4x8xi32>
  // CHECK: %[[A:.*]] = tosa.add %[[L]], %[[R]]
  // CHECK: tosa.rescale %[[A]], {{.*}} -> tensor<1x4x4x8xi8>
  %0 = strum.eltwise add %x, %y lhs(#strum.rescale<zp = -4, multiplier = 1073741824, shift = 11, round = double>) rhs(#strum.rescale<zp = 0, multiplier = 1632849013, shift = 32, round = double>) ppe(#strum.ppe<multiplier = [1791826722], shift = [49], round = double, zp = -128, clamp = [-128, 127]>) : (tensor<1x4x4x8xi8>, tensor<1x4x4x8xi32>) -> tensor<1x4x4x8xi8>
  return %0 : tensor<1x4x4x8xi8>
}

// -----

// Narrow operands are widened, but for a product, which TOSA has for them.
// CHECK-LABEL: func.func @narrow_operands
func.func @narrow_operands(%x: tensor<4xi8>, %y: tensor<4xi8>, %z: tensor<1xi16>) -> (tensor<4xi32>, tensor<4xi32>, tensor<4xi32>) {
  // CHECK-DAG: %[[S0:.*]] = "tosa.const"() <{values = dense<0> : tensor<1xi8>}>
  // CHECK-DAG: %[[S3:.*]] = "tosa.const"() <{values = dense<3> : tensor<1xi8>}>
  // CHECK: tosa.cast %{{.*}} : (tensor<4xi8>) -> tensor<4xi32>
  // CHECK: tosa.cast %{{.*}} : (tensor<4xi8>) -> tensor<4xi32>
  // CHECK: tosa.sub
  // CHECK-NEXT: tosa.mul %{{.*}}, %[[S0]] : (tensor<4xi8>, tensor<4xi8>, tensor<1xi8>) -> tensor<4xi32>
  // CHECK: tosa.cast
  // CHECK: tosa.cast
  // CHECK: tosa.mul %{{.*}}, %[[S3]] : (tensor<4xi32>, tensor<1xi32>, tensor<1xi8>) -> tensor<4xi32>
  %0 = strum.eltwise sub %x, %y : (tensor<4xi8>, tensor<4xi8>) -> tensor<4xi32>
  %1 = strum.eltwise mul %x, %y : (tensor<4xi8>, tensor<4xi8>) -> tensor<4xi32>
  %2 = strum.eltwise mul %x, %z shift 3 : (tensor<4xi8>, tensor<1xi16>) -> tensor<4xi32>
  return %0, %1, %2 : tensor<4xi32>, tensor<4xi32>, tensor<4xi32>
}

// -----

// A post-processing that no rescale supports (a clamp of a 32-bit result, a zero point of a 16-bit one) becomes several ops.
// CHECK-LABEL: func.func @spelled_out
func.func @spelled_out(%x: tensor<1x2xi32>, %y: tensor<1x2xi32>) -> (tensor<1x2xi32>, tensor<1x2xi16>) {
  // CHECK-DAG: %[[LO:.*]] = "tosa.const"() <{values = dense<-5> : tensor<1x1xi32>}>
  // CHECK-DAG: %[[HI:.*]] = "tosa.const"() <{values = dense<70000> : tensor<1x1xi32>}>
  // CHECK-DAG: %[[ZP:.*]] = "tosa.const"() <{values = dense<1000> : tensor<1x1xi32>}>
  // CHECK: %[[A:.*]] = tosa.rescale
  // CHECK: %[[B:.*]] = tosa.maximum %[[A]], %[[LO]]
  // CHECK: %[[C:.*]] = tosa.minimum %[[B]], %[[HI]]
  %0 = strum.eltwise add %x, %y ppe(#strum.ppe<multiplier = [1073741824], shift = [31], round = single, zp = 0, clamp = [-5, 70000]>) : (tensor<1x2xi32>, tensor<1x2xi32>) -> tensor<1x2xi32>
  // CHECK: %[[D:.*]] = tosa.rescale {{.*}} -> tensor<1x2xi32>
  // CHECK: %[[E:.*]] = tosa.add %[[D]], %[[ZP]]
  // CHECK: tosa.maximum %[[E]]
  // CHECK: %[[F:.*]] = tosa.minimum
  // CHECK: %[[G:.*]] = tosa.cast %[[F]] : (tensor<1x2xi32>) -> tensor<1x2xi16>
  // CHECK: return %[[C]], %[[G]]
  %1 = strum.eltwise add %x, %y ppe(#strum.ppe<multiplier = [1073741824], shift = [31], round = single, zp = 1000, clamp = [-32768, 32767]>) : (tensor<1x2xi32>, tensor<1x2xi32>) -> tensor<1x2xi16>
  return %0, %1 : tensor<1x2xi32>, tensor<1x2xi16>
}

// -----

// TOSA has no unsigned result beside 32-bit values: it is made signed, smaller by half of the range, and then lifted.
// CHECK-LABEL: func.func @unsigned_result
func.func @unsigned_result(%x: tensor<1x2xi32>, %y: tensor<1x2xi32>) -> tensor<1x2xi8> {
  // CHECK-DAG: %[[ZO:.*]] = "tosa.const"() <{values = dense<-125> : tensor<1xi8>}>
  // CHECK-DAG: %[[HALF:.*]] = "tosa.const"() <{values = dense<-128> : tensor<1xi8>}>
  // CHECK: %[[A:.*]] = tosa.rescale {{.*}}, %[[ZO]] {input_unsigned = false, output_unsigned = false
  // CHECK: %[[B:.*]] = tosa.clamp %[[A]] {max_val = 122 : i8, min_val = -125 : i8}
  // CHECK: tosa.rescale %[[B]], %{{.*}}, %{{.*}}, %[[HALF]], %{{.*}} {input_unsigned = false, output_unsigned = true
  %0 = strum.eltwise add %x, %y ppe(#strum.ppe<multiplier = [1073741824], shift = [31], round = single, zp = 3, clamp = [3, 250], unsigned>) : (tensor<1x2xi32>, tensor<1x2xi32>) -> tensor<1x2xi8>
  return %0 : tensor<1x2xi8>
}

// -----

// An unsigned operand alike.
// CHECK-LABEL: func.func @unsigned_operand
func.func @unsigned_operand(%x: tensor<1x2xi8>, %y: tensor<1x2xi16>) -> tensor<1x2xi32> {
  // CHECK-DAG: %[[ZX:.*]] = "tosa.const"() <{values = dense<72> : tensor<1xi8>}>
  // CHECK-DAG: %[[ZY:.*]] = "tosa.const"() <{values = dense<-32763> : tensor<1x1xi32>}>
  // CHECK: %[[X:.*]] = tosa.rescale %{{.*}} {input_unsigned = true, {{.*}} -> tensor<1x2xi8>
  // CHECK: tosa.rescale %[[X]], %{{.*}}, %{{.*}}, %[[ZX]], {{.*}} -> tensor<1x2xi32>
  // CHECK: %[[Y:.*]] = tosa.rescale %{{.*}} {input_unsigned = true, {{.*}} -> tensor<1x2xi16>
  // CHECK: %[[C:.*]] = tosa.cast %[[Y]]
  // CHECK: tosa.sub %[[C]], %[[ZY]]
  // CHECK: tosa.rescale {{.*}} -> tensor<1x2xi32>
  // CHECK: tosa.mul
  %0 = strum.eltwise mul %x, %y lhs(#strum.rescale<zp = 200, multiplier = 1073741824, shift = 30, round = single, unsigned>) rhs(#strum.rescale<zp = 5, multiplier = 1073741824, shift = 31, round = single, unsigned>) : (tensor<1x2xi8>, tensor<1x2xi16>) -> tensor<1x2xi32>
  return %0 : tensor<1x2xi32>
}

// -----

// Does not apply: plain TOSA is unchanged.
// CHECK-LABEL: func.func @plain
func.func @plain(%x: tensor<4xi32>) -> tensor<4xi32> {
  // CHECK-NEXT: tosa.abs
  // CHECK-NEXT: return
  %0 = tosa.abs %x : (tensor<4xi32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}
