// Tiling: a layer that does not fit the SRAM is cut into tiles that are double-buffered: while one is computed, the next is loaded and the
// previous one is stored. A strategy fixes the cuts here, so that the layers can be small.
//
// RUN: split-file %s %t
// RUN: strum-opt %t/layers.mlir --strum-to-dpu=read-strategy=%t/cuts.json | FileCheck %s

// Along rows: four tiles of 16 rows of 32 pixels. A 3x3 kernel needs a halo of one row above and below, which is loaded twice; at the edges of
// the image there is padding instead. Weights are loaded once.
//
// CHECK-LABEL: dpu.program @rows
// CHECK: %[[X:.*]] = dpu.input
// CHECK: %[[Y:.*]] = dpu.output
// CHECK: dpu.layer "0.conv2d"
// CHECK-NEXT: dpu.dma_copy src(%const : {{.*}}) dst(%[[W:sram[_0-9]*]] :
// CHECK-NEXT: dpu.dma_copy src(%[[X]] : {{.*}}) dst(%[[A:sram[_0-9]*]] : {{.*}} dims [1, 1, 1, 1, 1, 34816]
// CHECK-NEXT: dpu.dma_copy src(%[[X]] + 30720 : {{.*}}) dst(%[[B:sram[_0-9]*]] : {{.*}} dims [1, 1, 1, 1, 1, 36864]
// CHECK-NEXT: dpu.conv_inv
// CHECK-NEXT: dpu.conv_var act(%[[A]] : {{.*}} in_h 17 {{.*}} origin_y -1 {{.*}} weights(%[[W]] {{.*}} out(%[[C:sram[_0-9]*]] : {{.*}} out_h 16
// CHECK-NEXT: dpu.dma_copy engine 1 src(%[[C]] : {{.*}} dst(%[[Y]] :
// CHECK-NEXT: dpu.dma_copy src(%[[X]] + 63488 : {{.*}}) dst(%[[A]] : {{.*}} dims [1, 1, 1, 1, 1, 36864]
// CHECK-NEXT: dpu.conv_var act(%[[B]] : {{.*}} in_h 18 {{.*}} weights(%[[W]] {{.*}} out(%[[D:sram[_0-9]*]] : {{.*}} out_h 16
// CHECK-NEXT: dpu.dma_copy engine 1 src(%[[D]] : {{.*}} dst(%[[Y]] + 8192 :
// CHECK-NEXT: dpu.dma_copy src(%[[X]] + 96256 : {{.*}}) dst(%[[B]] : {{.*}} dims [1, 1, 1, 1, 1, 34816]
// CHECK-NEXT: dpu.conv_var act(%[[A]] : {{.*}} in_h 18 {{.*}} weights(%[[W]] {{.*}} out(%[[C]] : {{.*}} out_h 16
// CHECK-NEXT: dpu.dma_copy engine 1 src(%[[C]] : {{.*}} dst(%[[Y]] + 16384 :
// CHECK-NEXT: dpu.conv_var act(%[[B]] : {{.*}} in_h 17 {{.*}} weights(%[[W]] {{.*}} out(%[[D]] : {{.*}} out_h 16
// CHECK-NEXT: dpu.dma_copy engine 1 src(%[[D]] : {{.*}} dst(%[[Y]] + 24576 :
// CHECK-NEXT: }

// Along output channels: three tiles of 32 of the 96. The image is loaded once, the weights are double-buffered, and each tile's results are
// stored with a stride: 16 pixels of 32 bytes, 96 bytes apart.
//
// CHECK-LABEL: dpu.program @channels
// CHECK: %[[X:.*]] = dpu.input
// CHECK: %[[Y:.*]] = dpu.output
// CHECK: dpu.layer "0.conv2d"
// CHECK-NEXT: dpu.dma_copy src(%const{{.*}} dst(%[[A:sram[_0-9]*]] :
// CHECK-NEXT: dpu.dma_copy src(%[[X]] : {{.*}} dst(%[[IMAGE:sram[_0-9]*]] :
// CHECK-NEXT: dpu.dma_copy src(%const{{.*}} dst(%[[B:sram[_0-9]*]] :
// CHECK-NEXT: dpu.conv_inv
// CHECK-NEXT: dpu.conv_var act(%[[IMAGE]] : {{.*}} weights(%[[A]] {{.*}} out_c 32
// CHECK-NEXT: dpu.dma_copy engine 1 {{.*}} dst(%[[Y]] : {{.*}} dims [1, 1, 1, 1, 16, 32] {{.*}} dst_strides [0, 0, 0, 0, 96, 1]
// CHECK-NEXT: dpu.dma_copy src(%const{{.*}} dst(%[[A]] :
// CHECK-NEXT: dpu.conv_var act(%[[IMAGE]] : {{.*}} weights(%[[B]] {{.*}} out_c 32
// CHECK-NEXT: dpu.dma_copy engine 1 {{.*}} dst(%[[Y]] + 32 : {{.*}} dims [1, 1, 1, 1, 16, 32] {{.*}} dst_strides [0, 0, 0, 0, 96, 1]
// CHECK-NEXT: dpu.conv_var act(%[[IMAGE]] : {{.*}} weights(%[[A]] {{.*}} out_c 32
// CHECK-NEXT: dpu.dma_copy engine 1 {{.*}} dst(%[[Y]] + 64 : {{.*}} dims [1, 1, 1, 1, 16, 32] {{.*}} dst_strides [0, 0, 0, 0, 96, 1]
// CHECK-NEXT: }

// Along the reduction: 192 input channels in three tiles of 64. The first writes 32-bit partial sums (acc_out), the second adds to them
// (acc_in acc_out), and only the last (acc_in) is rescaled and writes an output.
//
// CHECK-LABEL: dpu.program @reduction
// CHECK: %[[X:.*]] = dpu.input
// CHECK: %[[Y:.*]] = dpu.output
// CHECK: dpu.layer "0.conv2d"
// CHECK: dpu.conv_var act(%[[A:sram[_0-9]*]] : {{.*}} in_c 64 {{.*}} out_c 16 acc_out psum(%[[SUMS:sram[_0-9]*]] :
// CHECK: dpu.dma_copy src(%[[X]] + 128 : {{.*}} dst(%[[A]] :
// CHECK-NEXT: dpu.conv_var act(%[[B:sram[_0-9]*]] : {{.*}} in_c 64 {{.*}} out_c 16 acc_in acc_out psum(%[[SUMS]] :
// CHECK-NEXT: dpu.conv_var act(%[[A]] : {{.*}} in_c 64 {{.*}} out(%[[OUT:sram[_0-9]*]] : {{.*}} out_c 16 {{.*}} acc_in psum(%[[SUMS]] :
// CHECK-NEXT: dpu.dma_copy engine 1 src(%[[OUT]] : {{.*}} dst(%[[Y]] : {{.*}} dims [1, 1, 1, 1, 1, 16]
// CHECK-NEXT: }

//--- layers.mlir
func.func @rows(%x: tensor<1x64x32x64xi8>) -> tensor<1x64x32x16xi8> {
  %w = "tosa.const"() <{values = dense<1> : tensor<16x3x3x64xi8>}> : () -> tensor<16x3x3x64xi8>
  %0 = strum.conv2d %x, %w pads [1, 1, 1, 1] ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x64x32x64xi8>, tensor<16x3x3x64xi8>) -> tensor<1x64x32x16xi8>
  return %0 : tensor<1x64x32x16xi8>
}

func.func @channels(%x: tensor<1x4x4x64xi8>) -> tensor<1x4x4x96xi8> {
  %w = "tosa.const"() <{values = dense<1> : tensor<96x1x1x64xi8>}> : () -> tensor<96x1x1x64xi8>
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x4x4x64xi8>, tensor<96x1x1x64xi8>) -> tensor<1x4x4x96xi8>
  return %0 : tensor<1x4x4x96xi8>
}

func.func @reduction(%x: tensor<1x1x1x192xi8>) -> tensor<1x1x1x16xi8> {
  %w = "tosa.const"() <{values = dense<1> : tensor<16x1x1x192xi8>}> : () -> tensor<16x1x1x192xi8>
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x1x1x192xi8>, tensor<16x1x1x192xi8>) -> tensor<1x1x1x16xi8>
  return %0 : tensor<1x1x1x16xi8>
}

//--- cuts.json
{
  "version": 1,
  "programs": [
    {
      "name": "rows",
      "layers": [{"name": "0.conv2d", "tiling": {
        "oy": 16, "ox": 32, "oc": 16, "ic": 64, "ky": 3, "kx": 3, "order": "spatial_outer",
        "act_slots": 2, "weight_slots": 1, "out_slots": 2, "gather": false, "split_weights": false
      }}]
    },
    {
      "name": "channels",
      "bundle": {"constant_bytes": 0, "first_bytes": 0, "transfer_bytes": 0},
      "layers": [{"name": "0.conv2d", "tiling": {
        "oy": 1, "ox": 16, "oc": 32, "ic": 64, "ky": 1, "kx": 1, "order": "spatial_outer",
        "act_slots": 1, "weight_slots": 2, "out_slots": 2, "gather": false, "split_weights": false
      }}]
    },
    {
      "name": "reduction",
      "layers": [{"name": "0.conv2d", "tiling": {
        "oy": 1, "ox": 1, "oc": 16, "ic": 64, "ky": 1, "kx": 1, "order": "spatial_outer",
        "act_slots": 2, "weight_slots": 2, "out_slots": 1, "gather": false, "split_weights": false
      }}]
    }
  ]
}
