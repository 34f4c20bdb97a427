// Prefetch: loads of weights depend on nothing, so they are issued ahead of an earlier layer's tasks where the DMA engine would otherwise wait
// for a free slot. `prefetch_bytes` is the SRAM that they may fill. With 0, or with `prefetch` false for the layer, the loads are
// issued where the layer begins.
//
// RUN: split-file %s %t
// RUN: strum-opt %t/layers.mlir --strum-to-dpu=read-strategy=%t/ahead.json | FileCheck %s --check-prefixes=CHECK,AHEAD
// RUN: strum-opt %t/layers.mlir --strum-to-dpu=read-strategy=%t/no-bytes.json | FileCheck %s --check-prefixes=CHECK,LATE
// RUN: strum-opt %t/layers.mlir --strum-to-dpu=read-strategy=%t/not-this.json | FileCheck %s --check-prefixes=CHECK,LATE

// Layer 0 has four tiles in two slots: the last one is loaded after the second has been computed, and then the engine is idle.
// CHECK-LABEL: dpu.program @main
// CHECK: %[[X:.*]] = dpu.input
// CHECK: dpu.layer "1.conv2d"
// CHECK: dpu.dma_copy src(%[[X]] : {{.*}} layer 0
// CHECK: dpu.conv_var {{.*}} layer 0
// CHECK: dpu.conv_var {{.*}} layer 0
// CHECK: dpu.dma_copy src(%[[X]] + 96256 : {{.*}} layer 0

// AHEAD-NEXT: dpu.dma_copy src(%const{{.*}} layer 1
// AHEAD-NEXT: dpu.dma_copy src(%const{{.*}} layer 1
// AHEAD-NEXT: dpu.conv_var {{.*}} layer 0
// AHEAD: dpu.conv_var {{.*}} layer 0
// AHEAD-NOT: {{src\(%const.*}} layer 1
// AHEAD: dpu.conv_var {{.*}} layer 1

// LATE-NEXT: dpu.conv_var {{.*}} layer 0
// LATE-NEXT: dpu.conv_var {{.*}} layer 0
// LATE-NEXT: dpu.dma_copy src(%const{{.*}} layer 1
// LATE-NEXT: dpu.dma_copy src(%const{{.*}} layer 1
// LATE: dpu.conv_var {{.*}} layer 1

//--- layers.mlir
func.func @main(%x: tensor<1x64x32x64xi8>) -> tensor<1x64x32x64xi8> {
  %w = "tosa.const"() <{values = dense<1> : tensor<16x3x3x64xi8>}> : () -> tensor<16x3x3x64xi8>
  %v = "tosa.const"() <{values = dense<2> : tensor<64x3x3x16xi8>}> : () -> tensor<64x3x3x16xi8>
  %0 = strum.conv2d %x, %w pads [1, 1, 1, 1] ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x64x32x64xi8>, tensor<16x3x3x64xi8>) -> tensor<1x64x32x16xi8>
  %1 = strum.conv2d %0, %v pads [1, 1, 1, 1] ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x64x32x16xi8>, tensor<64x3x3x16xi8>) -> tensor<1x64x32x64xi8>
  return %1 : tensor<1x64x32x64xi8>
}

//--- ahead.json
{
  "version": 1,
  "programs": [{
    "name": "main",
    "prefetch_bytes": 2097152,
    "bundle": {"constant_bytes": 0, "first_bytes": 0, "transfer_bytes": 0},
    "layers": [
      {"name": "0.conv2d", "tiling": {
        "oy": 16, "ox": 32, "oc": 16, "ic": 64, "ky": 3, "kx": 3, "order": "spatial_outer",
        "act_slots": 2, "weight_slots": 1, "gather": false, "split_weights": false
      }}
    ]
  }]
}

//--- no-bytes.json
{
  "version": 1,
  "programs": [{
    "name": "main",
    "prefetch_bytes": 0,
    "layers": [
      {"name": "0.conv2d", "tiling": {
        "oy": 16, "ox": 32, "oc": 16, "ic": 64, "ky": 3, "kx": 3, "order": "spatial_outer",
        "act_slots": 2, "weight_slots": 1, "gather": false, "split_weights": false
      }}
    ]
  }]
}

//--- not-this.json
{
  "version": 1,
  "programs": [{
    "name": "main",
    "prefetch_bytes": 2097152,
    "bundle": {"constant_bytes": 0, "first_bytes": 0, "transfer_bytes": 0},
    "layers": [
      {"name": "0.conv2d", "tiling": {
        "oy": 16, "ox": 32, "oc": 16, "ic": 64, "ky": 3, "kx": 3, "order": "spatial_outer",
        "act_slots": 2, "weight_slots": 1, "gather": false, "split_weights": false
      }},
      {"name": "1.conv2d", "prefetch": false}
    ]
  }]
}
