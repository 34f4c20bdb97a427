// RUN: strum-opt %s --specialize-shapes='input-shapes=image=1x4x6x2' | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%{{.*}}: tensor<1x4x6x2xi8> {tosa.tensor_name = "image"}, %{{.*}}: tensor<1x1x1x2xi8>) -> tensor<1x4x6x2xi8>
func.func @main(%x: tensor<?x?x?x2xi8> {tosa.tensor_name = "image"}, %y: tensor<?x1x1x2xi8>) -> tensor<?x?x?x2xi8> {
  %0 = tosa.add %x, %y : (tensor<?x?x?x2xi8>, tensor<?x1x1x2xi8>) -> tensor<?x?x?x2xi8>
  return %0 : tensor<?x?x?x2xi8>
}
