// RUN: strum-opt %s --split-input-file --strum-to-dpu | FileCheck %s

// Arguments and results are named buffers, a layer is a dpu.layer with its tasks, and the result is computed in its output.
// CHECK-LABEL: dpu.program @conv machine "flexnn-16x16" stage draft
// CHECK-SAME: input_sha256 = "{{[0-9a-f]+}}"
// CHECK: %[[X:.*]] = dpu.input "arg0" : !dpu.buffer<dram, 1x4x4x16xi8>
// CHECK: %[[Y:.*]] = dpu.output "out0" : !dpu.buffer<dram, 1x4x4x16xi8>
// CHECK: %[[W:.*]] = dpu.constant dense_resource<weights> : tensor<512xi8>
// CHECK: dpu.layer "0.conv2d" of "strum.conv2d" macs 4096
// CHECK: dpu.dma_copy src(%[[W]]
// CHECK: dpu.dma_copy src(%[[X]]
// CHECK: dpu.conv_inv in_zp -3 block 16 scale round double out_zp 5 clamp_lo -128 clamp_hi 100
// CHECK: dpu.conv_var act(
// CHECK: dpu.dma_copy engine 1 src({{.*}}) dst(%[[Y]]
// CHECK-NOT: dpu.end
func.func @conv(%x: tensor<1x4x4x16xi8>) -> tensor<1x4x4x16xi8> {
  %w = "tosa.const"() <{values = dense<1> : tensor<16x1x1x16xi8>}> : () -> tensor<16x1x1x16xi8>
  %0 = strum.conv2d %x, %w input_zp -3 ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 5, clamp = [-128, 100]>) : (tensor<1x4x4x16xi8>, tensor<16x1x1x16xi8>) -> tensor<1x4x4x16xi8>
  return %0 : tensor<1x4x4x16xi8>
}

// -----

// A reshape is not a task, names of the front end are kept, and a result that is an argument is copied.
// CHECK-LABEL: dpu.program @names
// CHECK: dpu.input "image" : !dpu.buffer<dram, 4x4xi8>
// CHECK: dpu.output "flat" : !dpu.buffer<dram, 16xi8>
// CHECK: dpu.layer "0.copy" of "func.return" macs 0
// CHECK-COUNT-1: dpu.dma_copy
// CHECK-NOT: dpu.dma_copy
func.func @names(%x: tensor<4x4xi8> {tosa.tensor_name = "image"}) -> (tensor<16xi8> {ml_program.identifier = "flat"}) {
  %s = tosa.const_shape {values = dense<16> : tensor<1xindex>} : () -> !tosa.shape<1>
  %0 = tosa.reshape %x, %s : (tensor<4x4xi8>, !tosa.shape<1>) -> tensor<16xi8>
  return %0 : tensor<16xi8>
}

// -----

// A bias that the program computes is added by the vector engine.
// CHECK-LABEL: dpu.program @dynamic_bias
// CHECK: dpu.conv_var
// CHECK: dpu.vec_binary
// CHECK: dpu.vec_rescale
func.func @dynamic_bias(%x: tensor<1x2x2x4xi8>, %w: tensor<4x1x1x4xi8>, %b: tensor<4xi32>) -> tensor<1x2x2x4xi8> {
  %0 = strum.conv2d %x, %w, %b ppe(#strum.ppe<multiplier = [1073741824], shift = [38], round = double, zp = 0, clamp = [-128, 127]>) : (tensor<1x2x2x4xi8>, tensor<4x1x1x4xi8>, tensor<4xi32>) -> tensor<1x2x2x4xi8>
  return %0 : tensor<1x2x2x4xi8>
}

// -----

// Packed weights stay packed.
// CHECK-LABEL: dpu.program @packed
// CHECK: dpu.conv_inv method mip2q block 16 low 8 param 7
func.func @packed(%x: tensor<1x1x1x16xi8>) -> tensor<1x1x1x1xi32> {
  %w = strum.constant dense_resource<w> : tensor<16xi8> -> !strum.packed<1x1x1x16xi8, #strum.mip2q<w = 16, low = 8, L = 7>>
  %0 = strum.conv2d %x, %w : (tensor<1x1x1x16xi8>, !strum.packed<1x1x1x16xi8, #strum.mip2q<w = 16, low = 8, L = 7>>) -> tensor<1x1x1x1xi32>
  return %0 : tensor<1x1x1x1xi32>
}

{-#
  dialect_resources: { builtin: { w: "0x0100000055b49f0e29eadd76f4cea13068120000" } }
#-}
