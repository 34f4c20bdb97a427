// A resampled image is a concatenation of slices, and their number is limited.
// RUN: strum-opt %s --canonicalize-layout --split-input-file --verify-diagnostics

// Nearest-neighbor downsampling by 2: every pixel is a slice of its own.
func.func @places(%x: tensor<1x1x2050x1xf32>) -> tensor<1x1x1025x1xf32> {
  %scale = tosa.const_shape {values = dense<[1, 1, 1, 2]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %offset = tosa.const_shape {values = dense<0> : tensor<2xindex>} : () -> !tosa.shape<2>
  %border = tosa.const_shape {values = dense<[0, -1]> : tensor<2xindex>} : () -> !tosa.shape<2>
  // expected-error@+1 {{unsupported: resampling axis 2 needs 1025 slices, at most 1024 are supported}}
  %0 = tosa.resize %x, %scale, %offset, %border {mode = NEAREST_NEIGHBOR} : (tensor<1x1x2050x1xf32>, !tosa.shape<4>, !tosa.shape<2>, !tosa.shape<2>) -> tensor<1x1x1025x1xf32>
  return %0 : tensor<1x1x1025x1xf32>
}

// -----

// An unknown operator before a known one.
func.func @between(%x: tensor<1x2x2x4xf32>) -> tensor<1x4x2x2xf32> {
  // expected-error@+1 {{'tosa.sin' op unsupported: operation is not supported in a float network}}
  %0 = tosa.sin %x : (tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32>
  %1 = tosa.transpose %0 {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x2x2x4xf32>) -> tensor<1x4x2x2xf32>
  return %1 : tensor<1x4x2x2xf32>
}
