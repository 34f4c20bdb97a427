// RUN: strum-opt %s --fold-batch-norm --split-input-file --verify-diagnostics

func.func @fourier(%x: tensor<1x4x4xf32>) -> (tensor<1x4x3xf32>, tensor<1x4x3xf32>) {
  // expected-error@+1 {{'tosa.rfft2d' op unsupported: operation is not supported in a float network}}
  %0, %1 = tosa.rfft2d %x {local_bound = false} : (tensor<1x4x4xf32>) -> (tensor<1x4x3xf32>, tensor<1x4x3xf32>)
  return %0, %1 : tensor<1x4x3xf32>, tensor<1x4x3xf32>
}

// -----

// Of a bilinear upsampling, as torch-mlir writes it from PyTorch.
func.func @integers() -> tensor<4xf32> {
  %0 = "tosa.const"() <{values = dense<[0, 1, 2, 3]> : tensor<4xi64>}> : () -> tensor<4xi64>
  // expected-error@+1 {{'tosa.cast' op unsupported: operand #0 of type 'tensor<4xi64>' (from tosa.const): integer tensors are not supported in a float network (export interpolation through ONNX, which uses none)}}
  %1 = tosa.cast %0 : (tensor<4xi64>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// expected-error@+1 {{argument #0: 'tensor<?x4x4x2xf32>' has a dynamic dimension: export the network with static shapes, for example with a batch size of 1}}
func.func @dynamic(%x: tensor<?x4x4x2xf32>) -> tensor<?x4x4x2xf32> {
  %0 = tosa.abs %x : (tensor<?x4x4x2xf32>) -> tensor<?x4x4x2xf32>
  return %0 : tensor<?x4x4x2xf32>
}
