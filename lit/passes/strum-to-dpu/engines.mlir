// The engine and the tasks of a layer: one layer of each kind.
// RUN: strum-opt %s --split-input-file --strum-to-dpu | FileCheck %s

// Weights and weight table are one constant and one load. A PE for each of 16 channels and of 4 x 4 pixels.
// CHECK-LABEL: dpu.program @depthwise
// CHECK: dpu.dma_copy src(%const : {{.*}} dst(%[[W:sram[_0-9]*]] : <sram, 400xi8>)
// CHECK: dpu.conv_inv depthwise block 16 {{.*}} sched_oc 16 sched_oy 4 sched_ox 4
// CHECK: dpu.conv_var {{.*}} origin_y -1 origin_x -1 kernel_h 3 kernel_w 3 weights(%[[W]] + 256 : {{.*}} table(%[[W]] :
func.func @depthwise(%x: tensor<1x4x4x16xi8>) -> tensor<1x4x4x16xi8> {
  %w = "tosa.const"() <{values = dense<1> : tensor<3x3x16x1xi8>}> : () -> tensor<3x3x16x1xi8>
  %0 = strum.depthwise_conv2d %x, %w pads [1, 1, 1, 1] ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x4x4x16xi8>, tensor<3x3x16x1xi8>) -> tensor<1x4x4x16xi8>
  return %0 : tensor<1x4x4x16xi8>
}

// -----

// The right operand becomes weights: a vector task transposes it into one set per column. Its table is a constant.
// CHECK-LABEL: dpu.program @matmul
// CHECK: dpu.dma_copy src(%arg1 : {{.*}} dst(%[[B:sram[_0-9]*]] :
// CHECK-NEXT: dpu.vec_unary dims [1, 1, 1, 1, 8, 16] src(%[[B]] : {{.*}} src_strides [0, 0, 0, 0, 1, 8] out(%[[SETS:sram[_0-9]*]] :
// CHECK-NEXT: dpu.dma_copy src(%const : {{.*}} dst(%[[TABLE:sram[_0-9]*]] :
// CHECK: dpu.conv_inv in_zp 1
// CHECK-NEXT: dpu.conv_var {{.*}} in_w 4 in_c 16 {{.*}} weights(%[[SETS]] : {{.*}} table(%[[TABLE]] : {{.*}} out_c 8
func.func @matmul(%a: tensor<1x4x16xi8>, %b: tensor<1x16x8xi8>) -> tensor<1x4x8xi8> {
  %0 = strum.matmul %a, %b a_zp 1 b_zp 0 ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x4x16xi8>, tensor<1x16x8xi8>) -> tensor<1x4x8xi8>
  return %0 : tensor<1x4x8xi8>
}

// -----

// Pooling is a task of the DPU, without weights.
// CHECK-LABEL: dpu.program @pool
// CHECK: dpu.pool_inv stride_y 2 stride_x 2 clamp_lo -128 clamp_hi 127
// CHECK-NEXT: dpu.pool_var {{.*}} in_h 8 in_w 8 in_c 16 {{.*}} kernel_h 2 kernel_w 2 {{.*}} out_h 4 out_w 4
func.func @pool(%x: tensor<1x8x8x16xi8>) -> tensor<1x4x4x16xi8> {
  %0 = tosa.max_pool2d %x {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x8x8x16xi8>) -> tensor<1x4x4x16xi8>
  return %0 : tensor<1x4x4x16xi8>
}

// -----

// Element-wise layers run on the vector engine. The operand that is broadcast is loaded once and read with a stride of 0; the two loads take
// both DMA engines.
// CHECK-LABEL: dpu.program @broadcast
// CHECK: dpu.dma_copy element 16 src(%arg0 : {{.*}} dst(%[[A:sram[_0-9]*]] :
// CHECK-NEXT: dpu.dma_copy engine 1 element 16 src(%arg1 : {{.*}} dst(%[[B:sram[_0-9]*]] : <sram, 16xi8>)
// CHECK-NEXT: dpu.vec_binary dims [1, 1, 1, 1, 16, 16] a(%[[A]] : {{.*}} b(%[[B]] : {{.*}} b_strides [0, 0, 0, 0, 0, 1] {{.*}} scale mult 1073741824 shift 30
func.func @broadcast(%x: tensor<1x4x4x16xi8>, %y: tensor<1x1x1x16xi8>) -> tensor<1x4x4x16xi8> {
  %0 = strum.eltwise add %x, %y ppe(#strum.ppe<multiplier = [1073741824], shift = [30], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x4x4x16xi8>, tensor<1x1x1x16xi8>) -> tensor<1x4x4x16xi8>
  return %0 : tensor<1x4x4x16xi8>
}

// -----

// A lookup table is a constant that is loaded to SRAM.
// CHECK-LABEL: dpu.program @table
// CHECK: dpu.dma_copy engine 1 element 16 src(%const : {{.*}} dst(%[[TABLE:sram[_0-9]*]] : <sram, 256xi8>)
// CHECK-NEXT: dpu.vec_table {{.*}} table(%[[TABLE]] :
func.func @table(%x: tensor<1x4x4x16xi8>) -> tensor<1x4x4x16xi8> {
  %t = "tosa.const"() <{values = dense<7> : tensor<256xi8>}> : () -> tensor<256xi8>
  %0 = tosa.table %x, %t : (tensor<1x4x4x16xi8>, tensor<256xi8>) -> tensor<1x4x4x16xi8>
  return %0 : tensor<1x4x4x16xi8>
}

// -----

// Movement between tensors in DRAM is a copy with strides, and needs no SRAM.
// CHECK-LABEL: dpu.program @transpose
// CHECK-NOT: dpu.alloc
// CHECK: dpu.dma_copy engine 1 src(%arg0 : {{.*}} dst(%out0 : {{.*}} dims [1, 1, 1, 1, 16, 8] src_strides [0, 0, 0, 0, 1, 16] dst_strides [0, 0, 0, 0, 8, 1]
// CHECK-NOT: dpu.dma_copy
func.func @transpose(%x: tensor<8x16xi8>) -> tensor<16x8xi8> {
  %0 = tosa.transpose %x {perms = array<i32: 1, 0>} : (tensor<8x16xi8>) -> tensor<16x8xi8>
  return %0 : tensor<16x8xi8>
}

// -----

// A copy for each operand of a concatenation.
// CHECK-LABEL: dpu.program @concat
// CHECK-NOT: dpu.alloc
// CHECK: dpu.dma_copy engine 1 element 16 src(%arg0 : {{.*}} dst(%out0 : {{.*}} dst_strides [0, 0, 0, 0, 0, 32]
// CHECK-NEXT: dpu.dma_copy engine 1 element 16 src(%arg1 : {{.*}} dst(%out0 + 16 : {{.*}} dst_strides [0, 0, 0, 0, 0, 32]
// CHECK-NOT: dpu.dma_copy
func.func @concat(%x: tensor<2x16xi8>, %y: tensor<2x16xi8>) -> tensor<2x32xi8> {
  %0 = tosa.concat %x, %y {axis = 1 : i32} : (tensor<2x16xi8>, tensor<2x16xi8>) -> tensor<2x32xi8>
  return %0 : tensor<2x32xi8>
}

// -----

// The reduced axis has a stride of 0 in the output.
// CHECK-LABEL: dpu.program @reduce
// CHECK: dpu.vec_reduce axis 4 dims [1, 1, 1, 4, 16, 1] {{.*}} out_strides [0, 0, 0, 4, 0, 4]
func.func @reduce(%x: tensor<4x16xi32>) -> tensor<4x1xi32> {
  %0 = tosa.reduce_sum %x {axis = 1 : i32} : (tensor<4x16xi32>) -> tensor<4x1xi32>
  return %0 : tensor<4x1xi32>
}

// -----

// Bitwise operators, shifts and divisions are tasks of the vector engine, as other element-wise operators are.
// CHECK-LABEL: dpu.program @bits
// CHECK: dpu.vec_binary op xor dims
// CHECK: dpu.vec_binary op lsr dims
// CHECK: dpu.vec_unary op not dims
func.func @bits(%x: tensor<16xi16>, %y: tensor<16xi16>) -> tensor<16xi16> {
  %0 = tosa.bitwise_xor %x, %y : (tensor<16xi16>, tensor<16xi16>) -> tensor<16xi16>
  %1 = tosa.logical_right_shift %0, %y : (tensor<16xi16>, tensor<16xi16>) -> tensor<16xi16>
  %2 = tosa.bitwise_not %1 : (tensor<16xi16>) -> tensor<16xi16>
  return %2 : tensor<16xi16>
}

// -----

// The positions of the greatest values select rows, which a DMA engine copies by the list of positions.
// CHECK-LABEL: dpu.program @lookup
// CHECK: dpu.vec_reduce op argmax axis 4 dims [1, 1, 1, 4, 8, 1]
// CHECK: dpu.dma_gather engine 1 element 4 axis 4 rows 8 src(%arg1 : {{.*}} dims [1, 1, 1, 1, 4, 4]
func.func @lookup(%x: tensor<1x4x8xi8>, %rows: tensor<1x8x16xi8>) -> tensor<1x4x16xi8> {
  %0 = tosa.argmax %x {axis = 2 : i32} : (tensor<1x4x8xi8>) -> tensor<1x4xi32>
  %1 = tosa.gather %rows, %0 : (tensor<1x8x16xi8>, tensor<1x4xi32>) -> tensor<1x4x16xi8>
  return %1 : tensor<1x4x16xi8>
}

// -----

// All values are copied, then some of the rows replaced.
// CHECK-LABEL: dpu.program @scatter
// CHECK: dpu.dma_copy engine 1 {{.*}}src(%arg0 : {{.*}} dst(%out0 :
// CHECK: dpu.dma_scatter engine 1 element 4 axis 4 rows 8 src(%arg2 : {{.*}} dst(%out0 :
func.func @scatter(%x: tensor<1x8x16xi8>, %i: tensor<1x4xi32>, %rows: tensor<1x4x16xi8>) -> tensor<1x8x16xi8> {
  %0 = tosa.scatter %x, %i, %rows : (tensor<1x8x16xi8>, tensor<1x4xi32>, tensor<1x4x16xi8>) -> tensor<1x8x16xi8>
  return %0 : tensor<1x8x16xi8>
}

// -----

// An image is resized tile by tile by the vector engine.
// CHECK-LABEL: dpu.program @resize
// CHECK: dpu.vec_resize mode bilinear {{.*}} in_h 4 in_w 4 channels 2 {{.*}} out_h 7 out_w 7 {{.*}} scale_y_n 2 scale_x_n 2
func.func @resize(%x: tensor<1x4x4x2xi8>) -> tensor<1x7x7x2xi32> {
  %s = tosa.const_shape {values = dense<[2, 1, 2, 1]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %z = tosa.const_shape {values = dense<0> : tensor<2xindex>} : () -> !tosa.shape<2>
  %0 = tosa.resize %x, %s, %z, %z {mode = BILINEAR} : (tensor<1x4x4x2xi8>, !tosa.shape<4>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<1x7x7x2xi32>
  return %0 : tensor<1x7x7x2xi32>
}

// -----

// Booleans are bytes, 0 or 1, also at the program's ends. A negation is 1 - x.
// CHECK-LABEL: dpu.program @booleans
// CHECK: dpu.input "arg0" : !dpu.buffer<dram, 16xi8>
// CHECK: dpu.vec_binary op greater {{.*}} a_dtype i32
// CHECK: dpu.vec_binary op and dims
// CHECK: dpu.vec_unary op negate {{.*}} in_zp 1
// CHECK: dpu.vec_select dims
func.func @booleans(%c: tensor<16xi1>, %x: tensor<16xi32>, %y: tensor<16xi32>) -> tensor<16xi32> {
  %0 = tosa.greater %x, %y : (tensor<16xi32>, tensor<16xi32>) -> tensor<16xi1>
  %1 = tosa.logical_and %c, %0 : (tensor<16xi1>, tensor<16xi1>) -> tensor<16xi1>
  %2 = tosa.logical_not %1 : (tensor<16xi1>) -> tensor<16xi1>
  %3 = tosa.select %2, %x, %y : (tensor<16xi1>, tensor<16xi32>, tensor<16xi32>) -> tensor<16xi32>
  return %3 : tensor<16xi32>
}
