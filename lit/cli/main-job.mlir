// The complete flow by hand: a network through the named pipeline, to a binary, and the audit of the binary.

// RUN: strum-opt %s --strum-pipeline="method=mip2q p=0.5" --emit-bytecode | strum-translate --mlir-to-dpu -o %t.dpu
// RUN: strum-translate --dpu-audit %t.dpu | FileCheck %s --check-prefix=AUDIT
// AUDIT: low bits per size
// AUDIT: layer op weights % bytes weight vs INT8 format
// AUDIT: conv2d strum.conv2d 32 50.00 32 8.000 1.0000 mip2q<w = 16, low = 8, L = 7>
// AUDIT: total 32
// AUDIT: magnitude
// AUDIT: high
// AUDIT: low

// strumc runs the very same pipeline.
// RUN: strumc compile %s -o %t.strumc.dpu --method mip2q --p 0.5 | FileCheck %s --check-prefix=COMPILE
// RUN: cmp %t.dpu %t.strumc.dpu
// COMPILE: program {{.*}}.strumc.dpu, {{[0-9]+}} bytes: {{[0-9]+}} instructions in 1 layers, 512 macs
// COMPILE: weights 32 in 32 bytes: 8.000 bits each, 50.00 % low

// RUN: strumc compile --print-pipeline --method mip2q --p 0.25 --machine flexnn-4x4 | FileCheck %s --check-prefix=PIPELINE
// PIPELINE: builtin.module(strum-pipeline{machine=flexnn-4x4 p=0.25})

// Assembly and IR hold all that the binary holds.
// RUN: strum-translate --dpu-to-asm %t.dpu | FileCheck %s --check-prefix=ASM
// RUN: strum-translate --dpu-to-asm %t.dpu | strum-translate --asm-to-dpu | cmp - %t.dpu
// RUN: strum-translate --dpu-to-mlir %t.dpu | strum-translate --mlir-to-dpu | cmp - %t.dpu
// RUN: strum-translate --dpu-to-mlir %t.dpu | strum-opt --emit-bytecode | strum-translate --mlir-to-dpu | cmp - %t.dpu
// ASM: .dpu 1
// ASM: name = "flexnn-16x16"
// ASM: .input "arg0" i8 [1, 4, 4, 16] at
// ASM: .code
// ASM: conv_inv
// ASM: conv_var
// ASM: end
// ASM: .const

func.func @main(%x: tensor<1x4x4x16xi8>) -> tensor<1x4x4x2xi32> {
  %w = "tosa.const"() <{values = dense<[[[[1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12, 13, -14, 15, -16]]], [[[-97, 3, 14, -6, 41, 0, -22, 9, -1, 64, -35, 5, 118, -12, 2, -50]]]]> : tensor<2x1x1x16xi8>}> : () -> tensor<2x1x1x16xi8>
  %b = "tosa.const"() <{values = dense<[7, -9]> : tensor<2xi32>}> : () -> tensor<2xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x16xi8>, tensor<2x1x1x16xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x4x2xi32>
  return %0 : tensor<1x4x4x2xi32>
}
