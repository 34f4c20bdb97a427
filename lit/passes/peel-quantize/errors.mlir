// RUN: strum-opt %s --split-input-file --verify-diagnostics --peel-quantize

func.func @scale(%x: tensor<4xf32>) -> tensor<4xi8> {
  %reciprocal = "tosa.const"() <{values = dense<-2.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  // expected-error@+1 {{a scale of -0.5 between real numbers and codes: expected one above 0}}
  %0 = tosa.mul %x, %reciprocal, %shift : (tensor<4xf32>, tensor<1xf32>, tensor<1xi8>) -> tensor<4xf32>
  %1 = tosa.cast %0 : (tensor<4xf32>) -> tensor<4xi8>
  return %1 : tensor<4xi8>
}

// -----

func.func @zero_point(%x: tensor<4xi8>) -> tensor<4xf32> {
  %zero = "tosa.const"() <{values = dense<300.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  // expected-error@+1 {{the zero point 300 is outside the 8-bit range}}
  %0 = tosa.cast %x : (tensor<4xi8>) -> tensor<4xf32>
  %1 = tosa.sub %0, %zero : (tensor<4xf32>, tensor<1xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
