// RUN: strum-opt %s --canonicalize-layout | FileCheck %s
// RUN: strum-opt %s --canonicalize-layout --mlir-print-debuginfo | FileCheck %s --check-prefix=LOC

// The transposes that torch-mlir leaves around a concatenation, as in SqueezeNet, and around a pad.
// CHECK-LABEL: func.func @concat
// CHECK-SAME: %[[A:.*]]: tensor<1x4x4x2xf32>, %[[B:.*]]: tensor<1x4x4x3xf32>
// CHECK-NOT: tosa.transpose
// CHECK: %[[BOTH:.*]] = tosa.concat %[[A]], %[[B]] {axis = 3 : i32}
// CHECK-NEXT: %[[Y:.*]] = tosa.max_pool2d %[[BOTH]]
// CHECK-NEXT: return %[[Y]]
// LOC: tosa.concat {{.*}} loc(#[[LOC:.*]])
// LOC: #[[LOC]] = loc("network.py":7:1)
func.func @concat(%a: tensor<1x4x4x2xf32>, %b: tensor<1x4x4x3xf32>) -> tensor<1x2x2x5xf32> {
  %0 = tosa.transpose %a {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x4x2xf32>) -> tensor<1x2x4x4xf32>
  %1 = tosa.transpose %b {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x4x3xf32>) -> tensor<1x3x4x4xf32>
  %2 = tosa.concat %0, %1 {axis = 1 : i32} : (tensor<1x2x4x4xf32>, tensor<1x3x4x4xf32>) -> tensor<1x5x4x4xf32> loc("network.py":7:1)
  %3 = tosa.transpose %2 {perms = array<i32: 0, 2, 3, 1>} : (tensor<1x5x4x4xf32>) -> tensor<1x4x4x5xf32>
  %4 = tosa.max_pool2d %3 {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x4x4x5xf32>) -> tensor<1x2x2x5xf32>
  return %4 : tensor<1x2x2x5xf32>
}

// As in EfficientNet: a pad that is NCHW between images that are NHWC.
// CHECK-LABEL: func.func @pad
// CHECK-SAME: %[[X:.*]]: tensor<1x4x4x2xf32>
// CHECK-DAG: %[[AROUND:.*]] = tosa.const_shape  {values = dense<[0, 0, 1, 0, 1, 0, 0, 0]>
// CHECK: %[[Y:.*]] = tosa.pad %[[X]], %[[AROUND]]
// CHECK-NEXT: return %[[Y]]
func.func @pad(%x: tensor<1x4x4x2xf32>) -> tensor<1x5x5x2xf32> {
  %around = tosa.const_shape {values = dense<[0, 0, 0, 0, 1, 0, 1, 0]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %zero = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %0 = tosa.transpose %x {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x4x2xf32>) -> tensor<1x2x4x4xf32>
  %1 = tosa.pad %0, %around, %zero : (tensor<1x2x4x4xf32>, !tosa.shape<8>, tensor<1xf32>) -> tensor<1x2x5x5xf32>
  %2 = tosa.transpose %1 {perms = array<i32: 0, 2, 3, 1>} : (tensor<1x2x5x5xf32>) -> tensor<1x5x5x2xf32>
  return %2 : tensor<1x5x5x2xf32>
}

// Does not apply: the sum meets an image that is there in one order alone.
// CHECK-LABEL: func.func @meets
// CHECK-NEXT: tosa.transpose
// CHECK-NEXT: tosa.add
func.func @meets(%a: tensor<1x4x4x2xf32>, %b: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %0 = tosa.transpose %a {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x4x2xf32>) -> tensor<1x2x4x4xf32>
  %1 = tosa.add %0, %b : (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  return %1 : tensor<1x2x4x4xf32>
}

// A layer of squeeze-and-excitation of MobileNetV3: torch-mlir writes transposes of one pixel as reshapes.
// CHECK-LABEL: func.func @squeeze
// CHECK-SAME: %[[X:.*]]: tensor<1x4x4x3xf32>, %[[A:.*]]: tensor<1x1x1x3xf32>
// CHECK-NOT: tosa.reshape
// CHECK: %[[CLAMPED:.*]] = tosa.clamp %[[A]]
// CHECK: %[[Y:.*]] = tosa.mul %[[CLAMPED]], %[[X]]
// CHECK-NEXT: return %[[Y]]
func.func @squeeze(%x: tensor<1x4x4x3xf32>, %a: tensor<1x1x1x3xf32>) -> tensor<1x4x4x3xf32> {
  %nchw = tosa.const_shape {values = dense<[1, 3, 1, 1]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.transpose %x {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x4x4x3xf32>) -> tensor<1x3x4x4xf32>
  %1 = tosa.reshape %a, %nchw : (tensor<1x1x1x3xf32>, !tosa.shape<4>) -> tensor<1x3x1x1xf32>
  %2 = tosa.clamp %1 {max_val = 1.0 : f32, min_val = 0.0 : f32} : (tensor<1x3x1x1xf32>) -> tensor<1x3x1x1xf32>
  %3 = tosa.mul %2, %0, %shift : (tensor<1x3x1x1xf32>, tensor<1x3x4x4xf32>, tensor<1xi8>) -> tensor<1x3x4x4xf32>
  %4 = tosa.transpose %3 {perms = array<i32: 0, 2, 3, 1>} : (tensor<1x3x4x4xf32>) -> tensor<1x4x4x3xf32>
  return %4 : tensor<1x4x4x3xf32>
}

// Before the first convolution of SqueezeNet: what its windows do not reach is cut off while the image is still NCHW.
// CHECK-LABEL: func.func @cut
// CHECK-SAME: %[[X:.*]]: tensor<1x3x8x8xf32>
// CHECK: %[[T:.*]] = tosa.transpose %[[X]]
// CHECK: %[[Y:.*]] = tosa.slice %[[T]], %{{.*}} -> tensor<1x7x8x3xf32>
// CHECK-NEXT: return %[[Y]]
func.func @cut(%x: tensor<1x3x8x8xf32>) -> tensor<1x7x8x3xf32> {
  %start = tosa.const_shape {values = dense<0> : tensor<4xindex>} : () -> !tosa.shape<4>
  %size = tosa.const_shape {values = dense<[1, 3, 7, 8]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %0 = tosa.slice %x, %start, %size : (tensor<1x3x8x8xf32>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x3x7x8xf32>
  %1 = tosa.transpose %0 {perms = array<i32: 0, 2, 3, 1>} : (tensor<1x3x7x8xf32>) -> tensor<1x7x8x3xf32>
  return %1 : tensor<1x7x8x3xf32>
}
