// Selects whose condition is not a comparison that only they use.
// RUN: strum-opt %s --recognize-activations --split-input-file --verify-diagnostics

func.func @mask(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %mask = "tosa.const"() <{values = dense<[[true, false, true, false]]> : tensor<1x4xi1>}> : () -> tensor<1x4xi1>
  %zero = "tosa.const"() <{values = dense<0.0> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  // expected-error@+1 {{unsupported: the condition of tosa.select must be tosa.equal, tosa.greater or tosa.greater_equal}}
  %0 = tosa.select %mask, %x, %zero : (tensor<1x4xi1>, tensor<1x4xf32>, tensor<1x1xf32>) -> tensor<1x4xf32>
  return %0 : tensor<1x4xf32>
}

// -----

// A comparison whose result is also returned.
func.func @answer(%x: tensor<1x4xf32>) -> (tensor<1x4xf32>, tensor<1x4xi1>) {
  %zero = "tosa.const"() <{values = dense<0.0> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  // expected-error@+1 {{'tosa.greater' op unsupported: operation is not supported in a float network}}
  %positive = tosa.greater %x, %zero : (tensor<1x4xf32>, tensor<1x1xf32>) -> tensor<1x4xi1>
  %0 = tosa.select %positive, %x, %zero : (tensor<1x4xi1>, tensor<1x4xf32>, tensor<1x1xf32>) -> tensor<1x4xf32>
  return %0, %positive : tensor<1x4xf32>, tensor<1x4xi1>
}
