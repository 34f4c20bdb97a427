// doors.mlir as TOSA.
func.func @main(%x: tensor<1x2x4x2xf32>) -> tensor<1x2x4x3xf32> {
  %limit = "tosa.const"() <{values = dense<2.0e+01> : tensor<1x1x1x1xf64>}> : () -> tensor<1x1x1x1xf64>
  %zero = "tosa.const"() <{values = dense<0.0> : tensor<1x1x1x1xf64>}> : () -> tensor<1x1x1x1xf64>
  %one = "tosa.const"() <{values = dense<1.0> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %slopes = "tosa.const"() <{values = dense<[[[[0.25]], [[0.5]]]]> : tensor<1x2x1x1xf32>}> : () -> tensor<1x2x1x1xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %list = "tosa.const"() <{values = dense<[[0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 10, 10, 11, 12, 12, 13, 14, 14, 15]]> : tensor<1x24xi64>}> : () -> tensor<1x24xi64>
  %flat = tosa.const_shape {values = dense<[1, 16, 1]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %image = tosa.const_shape {values = dense<[1, 2, 4, 3]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = tosa.exp %x : (tensor<1x2x4x2xf32>) -> tensor<1x2x4x2xf32>
  %1 = tosa.add %0, %one : (tensor<1x2x4x2xf32>, tensor<1x1x1x1xf32>) -> tensor<1x2x4x2xf32>
  %2 = tosa.log %1 : (tensor<1x2x4x2xf32>) -> tensor<1x2x4x2xf32>
  %3 = tosa.cast %x : (tensor<1x2x4x2xf32>) -> tensor<1x2x4x2xf64>
  %4 = tosa.greater %3, %limit : (tensor<1x2x4x2xf64>, tensor<1x1x1x1xf64>) -> tensor<1x2x4x2xi1>
  %5 = tosa.select %4, %x, %2 : (tensor<1x2x4x2xi1>, tensor<1x2x4x2xf32>, tensor<1x2x4x2xf32>) -> tensor<1x2x4x2xf32>
  %6 = tosa.sub %5, %one : (tensor<1x2x4x2xf32>, tensor<1x1x1x1xf32>) -> tensor<1x2x4x2xf32>
  %7 = tosa.cast %6 : (tensor<1x2x4x2xf32>) -> tensor<1x2x4x2xf64>
  %8 = tosa.greater %zero, %7 : (tensor<1x1x1x1xf64>, tensor<1x2x4x2xf64>) -> tensor<1x2x4x2xi1>
  %9 = tosa.mul %6, %slopes, %shift : (tensor<1x2x4x2xf32>, tensor<1x2x1x1xf32>, tensor<1xi8>) -> tensor<1x2x4x2xf32>
  %10 = tosa.select %8, %9, %6 : (tensor<1x2x4x2xi1>, tensor<1x2x4x2xf32>, tensor<1x2x4x2xf32>) -> tensor<1x2x4x2xf32>
  %11 = tosa.reshape %10, %flat : (tensor<1x2x4x2xf32>, !tosa.shape<3>) -> tensor<1x16x1xf32>
  %12 = tosa.cast %list : (tensor<1x24xi64>) -> tensor<1x24xi32>
  %13 = tosa.gather %11, %12 : (tensor<1x16x1xf32>, tensor<1x24xi32>) -> tensor<1x24x1xf32>
  %14 = tosa.reshape %13, %image : (tensor<1x24x1xf32>, !tosa.shape<4>) -> tensor<1x2x4x3xf32>
  return %14 : tensor<1x2x4x3xf32>
}
