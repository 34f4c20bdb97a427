// RUN: strum-opt %s --split-input-file --verify-diagnostics --specialize-shapes
// RUN: not strum-opt %S/shapes.mlir --specialize-shapes=input-shapes=z=1x2 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not strum-opt %S/shapes.mlir --specialize-shapes=input-shapes=image=q 2>&1 | FileCheck %s --check-prefix=TEXT
// RUN: not strum-opt %S/../strum-pack/basic.mlir --specialize-shapes=batch=4 2>&1 | FileCheck %s --check-prefix=BATCH

// NAME: error: 'func.func' op wrong option: no input is called 'z': the inputs are 'image', 'arg1'
// TEXT: error: 'func.func' op wrong option: input-shapes: 'image=q': expected extents such as 1x224x224x3, behind NAME= if there are several inputs
// BATCH: error: 'func.func' op wrong option: batch 4 has no effect: no argument has a dynamic first extent

// expected-error@+1 {{unsupported: argument 'arg0' of type 'tensor<?x?x2xi8>' has dynamic extents: give its shape (--input-shape)}}
func.func @unknown(%x: tensor<?x?x2xi8>) {
  return
}

// -----

func.func @fixed(%x: tensor<?x4xi8>) -> tensor<?x3xi8> {
  %flat = tosa.const_shape {values = dense<[-1, 3]> : tensor<2xindex>} : () -> !tosa.shape<2>
  // expected-error@+1 {{unsupported: [1, 4] does not become [-1, 3]: the network was exported for another shape}}
  %0 = tosa.reshape %x, %flat : (tensor<?x4xi8>, !tosa.shape<2>) -> tensor<?x3xi8>
  return %0 : tensor<?x3xi8>
}

// -----

func.func @linalg(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{unsupported: 'math.exp' on dynamic extents: only TOSA is known; export the network with static shapes}}
  %0 = math.exp %x : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @scattered(%x: tensor<?x4x2xi8>, %i: tensor<?x3xi32>, %y: tensor<?x3x2xi8>) -> tensor<?x4x2xi8> {
  // expected-error@+1 {{unsupported: the result's extents do not follow from the operands}}
  %0 = tosa.scatter %x, %i, %y : (tensor<?x4x2xi8>, tensor<?x3xi32>, tensor<?x3x2xi8>) -> tensor<?x4x2xi8>
  return %0 : tensor<?x4x2xi8>
}

// -----

func.func @two(%x: tensor<?x8x16xf32>) -> (tensor<?x8x9xf32>, tensor<?x8x9xf32>) {
  // expected-error@+1 {{unsupported: several results, of which one is dynamic}}
  %0, %1 = tosa.rfft2d %x : (tensor<?x8x16xf32>) -> (tensor<?x8x9xf32>, tensor<?x8x9xf32>)
  return %0, %1 : tensor<?x8x9xf32>, tensor<?x8x9xf32>
}

// -----

func.func @contradiction(%x: tensor<?x4xi8>) -> tensor<?x9xi8> {
  %twice = tosa.const_shape {values = dense<[1, 2]> : tensor<2xindex>} : () -> !tosa.shape<2>
  // expected-error@+1 {{the result has type 'tensor<?x9xi8>', and [1, 8] follows from the operands}}
  %0 = tosa.tile %x, %twice : (tensor<?x4xi8>, !tosa.shape<2>) -> tensor<?x9xi8>
  return %0 : tensor<?x9xi8>
}
