// RUN: strum-opt %s | FileCheck %s
// RUN: strum-opt %s | strum-opt | FileCheck %s
// RUN: strum-opt %s --mlir-print-op-generic | strum-opt | FileCheck %s
// RUN: strum-opt %s --emit-bytecode | strum-opt | FileCheck %s
// RUN: strum-opt %s --verify-roundtrip

// CHECK-LABEL: dpu.program @draft machine "flexnn-16x16" stage draft {
dpu.program @draft machine "flexnn-16x16" stage draft {
  // CHECK: %[[X:x.*]] = dpu.input "x" : !dpu.buffer<dram, 1x8x8x16xi8>
  // CHECK: %[[Y:y.*]] = dpu.output "y" align 64 : !dpu.buffer<dram, 1x8x8x16xui8>
  // CHECK: %[[W:const.*]] = dpu.constant dense_resource<w> : tensor<16xi8> -> !dpu.buffer<dram, 16xi8>
  // CHECK: %[[S:sram.*]] = dpu.alloc : !dpu.buffer<sram, 4096xi8>
  // CHECK: %[[D:dram.*]] = dpu.alloc : !dpu.buffer<dram, i32>
  %x = dpu.input "x" : !dpu.buffer<dram, 1x8x8x16xi8>
  %y = dpu.output "y" align 64 : !dpu.buffer<dram, 1x8x8x16xui8>
  %w = dpu.constant dense_resource<w> : tensor<16xi8> -> !dpu.buffer<dram, 16xi8>
  %s = dpu.alloc align 16 : !dpu.buffer<sram, 4096xi8>
  %d = dpu.alloc : !dpu.buffer<dram, i32>
  // CHECK: dpu.layer "conv1" of "strum.conv2d" macs 147456
  dpu.layer "conv1" of "strum.conv2d" macs 147456

  // Fields come in the order of the table, whatever order they are written in; defaults are left out.
  // CHECK: dpu.dma_copy engine 1 element 16 src(%[[X]] : <dram, 1x8x8x16xi8>) dst(%[[S]] + 1024 : <sram, 4096xi8>)
  // CHECK-SAME: dims [1, 1, 1, 1, 8, 8] src_strides [0, 0, 0, 0, 128, 16] dst_strides [0, 0, 0, 0, 128, 16] layer 0
  dpu.dma_copy src(%x + 0 : !dpu.buffer<dram, 1x8x8x16xi8>) dst(%s + 1024 : <sram, 4096xi8>) element 16 dims [1, 1, 1, 1, 8, 8]
    layer 0 src_strides [0, 0, 0, 0, 128, 16] dst_strides [0, 0, 0, 0, 128, 16] tile 0 engine 1
  // CHECK: dpu.dma_fill dst(%[[D]] : <dram, i32>) value -1
  dpu.dma_fill dst(%d : <dram, i32>) value -1
  // A flag is its name; an enumeration its keyword.
  // CHECK: dpu.conv_inv slot 2 method mip2q block 16 low 8 param 7 scale round double out_zp -128 clamp_lo -128 clamp_hi 127
  // CHECK-SAME: lut lut_addr(%[[S]] + 16 : <sram, 4096xi8>) sched_oc 16 sched_ic 16
  dpu.conv_inv slot 2 method mip2q block 16 low 8 param 7 scale round double out_zp -128 clamp_lo -128 clamp_hi 127
    lut lut_addr(%s + 16 : <sram, 4096xi8>) sched_oc 16 sched_ic 16
  // An address that is not in use has no buffer, and may keep an offset.
  // CHECK: dpu.conv_inv lut_addr(64)
  dpu.conv_inv lut_addr(64)
  // CHECK: dpu.conv_var slot 2 act(%[[S]] + 1024 : <sram, 4096xi8>) in_h 8 in_w 8 in_c 16 act_row 128 act_pixel 16 origin_y -1
  // CHECK-SAME: kernel_h 3 weights(%[[S]] : <sram, 4096xi8>) table(%[[S]] : <sram, 4096xi8>) acc_out psum(%[[S]] + 2048 : <sram, 4096xi8>)
  dpu.conv_var slot 2 act(%s + 1024 : <sram, 4096xi8>) in_h 8 in_w 8 in_c 16 act_row 128 act_pixel 16 origin_y -1 kernel_h 3
    weights(%s : <sram, 4096xi8>) table(%s : <sram, 4096xi8>) acc_out psum(%s + 2048 : <sram, 4096xi8>)
  // CHECK: dpu.pool_inv slot 3 mode avg dtype i16
  dpu.pool_inv slot 3 mode avg dtype i16
  // CHECK: dpu.pool_var slot 3 act(%[[S]] : <sram, 4096xi8>) out(%[[S]] + 8 : <sram, 4096xi8>)
  dpu.pool_var slot 3 act(%s : <sram, 4096xi8>) out(%s + 8 : <sram, 4096xi8>)
  // CHECK: dpu.vec_binary op asr_round a(%[[S]] : <sram, 4096xi8>) a_dtype u8 b(%[[S]] : <sram, 4096xi8>) out(%[[S]] : <sram, 4096xi8>)
  dpu.vec_binary op asr_round a(%s : <sram, 4096xi8>) a_dtype u8 b(%s : <sram, 4096xi8>) out(%s : <sram, 4096xi8>)
  // CHECK: dpu.vec_unary op clz src(%[[S]] : <sram, 4096xi8>) out(%[[S]] : <sram, 4096xi8>) {other.note = "discardable"}
  dpu.vec_unary op clz src(%s : <sram, 4096xi8>) out(%s : <sram, 4096xi8>) {other.note = "discardable"}
  // CHECK: dpu.vec_rescale src(%[[S]] : <sram, 4096xi8>) out(%[[S]] : <sram, 4096xi8>) per_channel params(%[[S]] : <sram, 4096xi8>)
  dpu.vec_rescale src(%s : <sram, 4096xi8>) out(%s : <sram, 4096xi8>) per_channel params(%s : <sram, 4096xi8>)
  // CHECK: dpu.vec_table src(%[[S]] : <sram, 4096xi8>) src_dtype i16 out(%[[S]] : <sram, 4096xi8>) table(%[[S]] : <sram, 4096xi8>)
  dpu.vec_table src(%s : <sram, 4096xi8>) src_dtype i16 out(%s : <sram, 4096xi8>) table(%s : <sram, 4096xi8>)
  // CHECK: dpu.vec_reduce op max axis 5 src(%[[S]] : <sram, 4096xi8>) out(%[[S]] : <sram, 4096xi8>) accumulate
  dpu.vec_reduce op max axis 5 src(%s : <sram, 4096xi8>) out(%s : <sram, 4096xi8>) accumulate
  // CHECK: dpu.dma_gather element 2 axis 4 rows 10 src(%[[W]] : <dram, 16xi8>) dims [1, 1, 1, 1, 3, 5]
  // CHECK-SAME: indices(%[[S]] + 64 : <sram, 4096xi8>) index_strides [0, 0, 0, 0, 4, 0] dst(%[[S]] : <sram, 4096xi8>)
  dpu.dma_gather element 2 axis 4 rows 10 src(%w : <dram, 16xi8>) dims [1, 1, 1, 1, 3, 5]
    indices(%s + 64 : <sram, 4096xi8>) index_strides [0, 0, 0, 0, 4, 0] dst(%s : <sram, 4096xi8>)
  // CHECK: dpu.dma_scatter axis 5 rows 9 src(%[[S]] : <sram, 4096xi8>) indices(%[[S]] : <sram, 4096xi8>) dst(%[[D]] : <dram, i32>)
  dpu.dma_scatter axis 5 rows 9 src(%s : <sram, 4096xi8>) indices(%s : <sram, 4096xi8>) dst(%d : <dram, i32>)
  // CHECK: dpu.vec_select cond(%[[S]] : <sram, 4096xi8>) dtype i32 a(%[[S]] : <sram, 4096xi8>) b(%[[S]] : <sram, 4096xi8>)
  // CHECK-SAME: out(%[[S]] + 512 : <sram, 4096xi8>)
  dpu.vec_select cond(%s : <sram, 4096xi8>) dtype i32 a(%s : <sram, 4096xi8>) b(%s : <sram, 4096xi8>)
    out(%s + 512 : <sram, 4096xi8>)
  // CHECK: dpu.vec_resize mode bilinear src(%[[S]] : <sram, 4096xi8>) image_h 6 image_w 6 out(%[[S]] : <sram, 4096xi8>)
  // CHECK-SAME: scale_y_n 4 scale_y_d 2 offset_y -1
  dpu.vec_resize mode bilinear src(%s : <sram, 4096xi8>) image_h 6 image_w 6 out(%s : <sram, 4096xi8>)
    scale_y_n 4 scale_y_d 2 offset_y -1
}

// CHECK-LABEL: dpu.program @allocated machine "other" stage allocated attributes {machine_toml = "name = \22other\22"} {
dpu.program @allocated machine "other" stage allocated attributes {machine_toml = "name = \"other\""} {
  // CHECK: dpu.input "x" address 0 : !dpu.buffer<dram, 16xi16>
  // CHECK: dpu.output "x" address 32 : !dpu.buffer<dram, 16xui16>
  // CHECK: dpu.alloc address 4294967280 : !dpu.buffer<sram, 16xi8>
  // CHECK: dpu.alloc address 7 align 1 : !dpu.buffer<sram, 16xi8>
  %x = dpu.input "x" address 0 : !dpu.buffer<dram, 16xi16>
  %y = dpu.output "x" address 32 : !dpu.buffer<dram, 16xui16>
  %s = dpu.alloc address 4294967280 : !dpu.buffer<sram, 16xi8>
  %t = dpu.alloc address 7 align 1 : !dpu.buffer<sram, 16xi8>
  dpu.dma_fill dst(%s : <sram, 16xi8>)
  dpu.dma_fill dst(%t : <sram, 16xi8>)
}

// CHECK-LABEL: dpu.program @scheduled
dpu.program @scheduled machine "flexnn-16x16" stage scheduled {
  %s = dpu.alloc address 0 : !dpu.buffer<sram, 16xi8>
  // CHECK: %[[A:b63]] = dpu.bar_cfg barrier 63 producers 2 consumers 1
  // CHECK: %[[B:b0]] = dpu.bar_cfg barrier 0 producers 1 consumers 0
  %a = dpu.bar_cfg barrier 63 producers 2 consumers 1
  %b = dpu.bar_cfg barrier 0 producers 1 consumers 0
  // CHECK: dpu.dma_fill post(%[[A]])
  // CHECK: dpu.dma_fill wait(%[[A]]) post(%[[A]], %[[B]]) engine 1
  dpu.dma_fill post(%a) dst(%s : <sram, 16xi8>)
  dpu.dma_fill wait(%a) post(%a, %b) dst(%s : <sram, 16xi8>) engine 1
  // CHECK: dpu.end
  dpu.end
}

{-#
  dialect_resources: { builtin: { w: "0x0100000001020304000000000000000000000000" } }
#-}
