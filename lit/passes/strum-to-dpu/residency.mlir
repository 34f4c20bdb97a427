// Residency: which tensors between layers are kept in SRAM, where tiles read and write them directly, and which go through DRAM.
// RUN: split-file %s %t
// RUN: strum-opt %t/layers.mlir --strum-to-dpu=machine=flexnn-4x4 | FileCheck %s
// RUN: strum-opt %t/chain.mlir --strum-to-dpu="machine=flexnn-4x4 read-strategy=%t/through-dram.json" | FileCheck %s --check-prefix=TOLD

// Each of these tensors has 4 KB, the SRAM 64 KB: after the image, only weights are loaded, and only the result is stored. The sum overwrites
// an operand that is not read later, so two buffers are enough for three tensors.
// CHECK-LABEL: dpu.program @stays
// CHECK: %[[X:.*]] = dpu.input
// CHECK: %[[Y:.*]] = dpu.output
// CHECK-NOT: dpu.alloc : !dpu.buffer<dram
// CHECK-COUNT-2: dpu.alloc : !dpu.buffer<sram, 1x16x16x16xi8>
// CHECK-NOT: dpu.alloc : !dpu.buffer<{{dram|sram, 1x16x16x16xi8}}
// CHECK: dpu.layer "3.conv2d"
// CHECK: dpu.dma_copy src(%[[X]] : {{.*}} dst(%[[IMAGE:sram[_0-9]*]] : {{.*}} layer 0
// CHECK-NOT: src(%[[X]]
// CHECK: dpu.conv_var act(%[[IMAGE]] : {{.*}} out(%[[A:sram[_0-9]*]] : <sram, 1x16x16x16xi8>) {{.*}} layer 0
// CHECK-NOT: dst(%[[Y]]
// CHECK: dpu.conv_var act(%[[A]] : {{.*}} out(%[[B:sram[_0-9]*]] : {{.*}} layer 1
// CHECK-NOT: dst(%[[Y]]
// CHECK: dpu.vec_binary {{.*}} a(%[[A]] : {{.*}} b(%[[B]] : {{.*}} out(%[[SUM:sram[_0-9]*]] : <sram, 1x16x16x16xi8>) {{.*}} layer 2
// CHECK-NOT: dst(%[[Y]]
// CHECK: dpu.conv_var act(%[[SUM]] : {{.*}} layer 3
// CHECK: dpu.dma_copy engine 1 {{.*}} dst(%[[Y]] :

// The tensor between these layers has 128 KB, twice the SRAM: the first layer stores its tiles to DRAM, the second loads its own from there.
// CHECK-LABEL: dpu.program @spills
// CHECK: %[[T:.*]] = dpu.alloc : !dpu.buffer<dram, 1x64x64x32xi8>
// CHECK: dpu.dma_copy engine 1 {{.*}} dst(%[[T]] : {{.*}} layer 0
// CHECK: dpu.dma_copy src(%[[T]] : {{.*}} layer 1

// A strategy can send a tensor through DRAM although it would fit.
// TOLD-LABEL: dpu.program @chain
// TOLD: %[[T:.*]] = dpu.alloc : !dpu.buffer<dram, 1x16x16x16xi8>
// TOLD: dpu.dma_copy engine 1 {{.*}} dst(%[[T]] : {{.*}} layer 0
// TOLD: dpu.dma_copy {{.*}}src(%[[T]] : {{.*}} layer 1

//--- layers.mlir
func.func @stays(%x: tensor<1x16x16x16xi8>) -> tensor<1x16x16x16xi8> {
  %w = "tosa.const"() <{values = dense<1> : tensor<16x1x1x16xi8>}> : () -> tensor<16x1x1x16xi8>
  %v = "tosa.const"() <{values = dense<2> : tensor<16x1x1x16xi8>}> : () -> tensor<16x1x1x16xi8>
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x16x16x16xi8>, tensor<16x1x1x16xi8>) -> tensor<1x16x16x16xi8>
  %1 = strum.conv2d %0, %v ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x16x16x16xi8>, tensor<16x1x1x16xi8>) -> tensor<1x16x16x16xi8>
  %2 = strum.eltwise add %0, %1 ppe(#strum.ppe<multiplier = [1073741824], shift = [30], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x16x16x16xi8>, tensor<1x16x16x16xi8>) -> tensor<1x16x16x16xi8>
  %3 = strum.conv2d %2, %w ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x16x16x16xi8>, tensor<16x1x1x16xi8>) -> tensor<1x16x16x16xi8>
  return %3 : tensor<1x16x16x16xi8>
}

func.func @spills(%x: tensor<1x64x64x4xi8>) -> tensor<1x64x64x4xi8> {
  %w = "tosa.const"() <{values = dense<1> : tensor<32x1x1x4xi8>}> : () -> tensor<32x1x1x4xi8>
  %v = "tosa.const"() <{values = dense<1> : tensor<4x1x1x32xi8>}> : () -> tensor<4x1x1x32xi8>
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x64x64x4xi8>, tensor<32x1x1x4xi8>) -> tensor<1x64x64x32xi8>
  %1 = strum.conv2d %0, %v ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x64x64x32xi8>, tensor<4x1x1x32xi8>) -> tensor<1x64x64x4xi8>
  return %1 : tensor<1x64x64x4xi8>
}

//--- chain.mlir
func.func @chain(%x: tensor<1x16x16x16xi8>) -> tensor<1x16x16x16xi8> {
  %w = "tosa.const"() <{values = dense<1> : tensor<16x1x1x16xi8>}> : () -> tensor<16x1x1x16xi8>
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x16x16x16xi8>, tensor<16x1x1x16xi8>) -> tensor<1x16x16x16xi8>
  %1 = strum.conv2d %0, %w ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x16x16x16xi8>, tensor<16x1x1x16xi8>) -> tensor<1x16x16x16xi8>
  return %1 : tensor<1x16x16x16xi8>
}

//--- through-dram.json
{"version": 1, "programs": [{"name": "chain", "layers": [{"name": "0.conv2d", "stays": false}]}]}
