// Layers are named as reports name them. What the file does not name is as the options say.
//
// RUN: echo '{"version": 1, "programs": [{"name": "named", "layers": [{"name": "0.conv2d", "weights": "2x1x1x3", "method": "dliq", "q": 3, "shift": 2, "p": 0.25}, {"name": "2.depthwise_conv2d", "method": "sparse"}, {"name": "1.conv2d", "method": "dense"}]}]}' > %t.json
// RUN: strum-opt %s --strum-pack="packing=%t.json" | FileCheck %s
//
// RUN: echo '{"version": 1, "programs": [{"name": "named", "layers": [{"name": "2.conv2d", "method": "dense"}]}]}' > %t.json
// RUN: not strum-opt %s --strum-pack="packing=%t.json" 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: echo '{"version": 1, "programs": [{"name": "named", "layers": [{"name": "0.conv2d", "weights": "2x1x1x4", "method": "dense"}]}]}' > %t.json
// RUN: not strum-opt %s --strum-pack="packing=%t.json" 2>&1 | FileCheck %s --check-prefix=SHAPE
// RUN: echo '{"version": 1, "programs": [{"name": "named", "layers": [{"name": "3.conv2d", "method": "sparse"}]}]}' > %t.json
// RUN: not strum-opt %s --strum-pack="packing=%t.json" 2>&1 | FileCheck %s --check-prefix=ZERO
// RUN: echo '{"version": 1, "programs": [{"name": "other"}]}' > %t.json
// RUN: not strum-opt %s --strum-pack="packing=%t.json" 2>&1 | FileCheck %s --check-prefix=FUNCTION
// RUN: echo '{"version": 1, "programs": [{"name": "named", "layers": [{"name": "0.conv2d", "method": "mip2q", "L": 8}]}]}' > %t.json
// RUN: not strum-opt %s --strum-pack="packing=%t.json" 2>&1 | FileCheck %s --check-prefix=VALUE
// RUN: echo '{"version": 1, "programs": [{"name": "named", "layers": [{"name": "0.conv2d", "method": "sparse"}]}]}' > %t.json
// RUN: strum-opt %s --strum-pack="method=mip2q min-channels=1" -o %t.packed.mlir
// RUN: not strum-opt %t.packed.mlir --strum-pack="packing=%t.json" 2>&1 | FileCheck %s --check-prefix=AGAIN
// RUN: not strum-opt %s --strum-pack="packing=%t.none" 2>&1 | FileCheck %s --check-prefix=FILE

// NONE: file.mlir:[[@LINE+8]]:{{[0-9]+}}: error: {{.*}}packing file: unknown convolution '2.conv2d', but '2.depthwise_conv2d'
// SHAPE: file.mlir:[[@LINE+15]]:{{[0-9]+}}: error: {{.*}}packing file: the weights of layer '0.conv2d' are 2x1x1x3, not 2x1x1x4
// ZERO: error: {{.*}}packing file: weights cannot be packed: the weight zero point is 4
// FUNCTION: error: {{.*}}packing file: unknown function 'other'
// VALUE: error: {{.*}}packing file '{{.*}}.json': L must be 0 to 7, got 8 at line 1
// AGAIN: error: {{.*}}packing file: the weights of this layer are already packed
// FILE: error: {{.*}}packing file '{{.*}}.none': No such file
// CHECK-LABEL: func.func @named
func.func @named(%x: tensor<1x2x2x3xi8>) -> tensor<1x2x2x1xi32> {
  // CHECK: strum.conv2d {{.*}} !strum.packed<2x1x1x3xi8, #strum.dliq<w = 16, low = 4, q = 3, shift = 2>>
  // CHECK: strum.conv2d {{.*}} tensor<16x1x1x2xi8>
  // CHECK: strum.depthwise_conv2d {{.*}} !strum.packed<1x1x1x16xi8, #strum.sparse<w = 16, low = 8>>
  %w = "tosa.const"() <{values = dense<5> : tensor<2x1x1x3xi8>}> : () -> tensor<2x1x1x3xi8>
  %v = "tosa.const"() <{values = dense<6> : tensor<16x1x1x2xi8>}> : () -> tensor<16x1x1x2xi8>
  %u = "tosa.const"() <{values = dense<7> : tensor<1x1x16x1xi8>}> : () -> tensor<1x1x16x1xi8>
  %t = "tosa.const"() <{values = dense<7> : tensor<1x1x1x16xi8>}> : () -> tensor<1x1x1x16xi8>
  %0 = strum.conv2d %x, %w ppe(#strum.ppe<multiplier = [1073741824], shift = [31], round = single, zp = 0, clamp = [-128, 127]>) : (tensor<1x2x2x3xi8>, tensor<2x1x1x3xi8>) -> tensor<1x2x2x2xi8>
  %1 = strum.conv2d %0, %v ppe(#strum.ppe<multiplier = [1073741824], shift = [31], round = single, zp = 0, clamp = [-128, 127]>) : (tensor<1x2x2x2xi8>, tensor<16x1x1x2xi8>) -> tensor<1x2x2x16xi8>
  %2 = strum.depthwise_conv2d %1, %u ppe(#strum.ppe<multiplier = [1073741824], shift = [31], round = single, zp = 0, clamp = [-128, 127]>) : (tensor<1x2x2x16xi8>, tensor<1x1x16x1xi8>) -> tensor<1x2x2x16xi8>
  %3 = strum.conv2d %2, %t weight_zp 4 : (tensor<1x2x2x16xi8>, tensor<1x1x1x16xi8>) -> tensor<1x2x2x1xi32>
  return %3 : tensor<1x2x2x1xi32>
}
