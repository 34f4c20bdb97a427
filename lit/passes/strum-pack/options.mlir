// RUN: not strum-opt %s --strum-pack=p=0.3 2>&1 | FileCheck %s --check-prefix=P
// RUN: not strum-opt %s --strum-pack=p=1.5 2>&1 | FileCheck %s --check-prefix=RANGE
// RUN: not strum-opt %s --strum-pack=w=12 2>&1 | FileCheck %s --check-prefix=W
// RUN: not strum-opt %s --strum-pack=method=ternary 2>&1 | FileCheck %s --check-prefix=METHOD
// RUN: not strum-opt %s --strum-pack=select=best 2>&1 | FileCheck %s --check-prefix=SELECT
// RUN: not strum-opt %s --strum-pack=correct=most 2>&1 | FileCheck %s --check-prefix=CORRECT
// RUN: not strum-opt %s --strum-pack=w=300 2>&1 | FileCheck %s --check-prefix=BYTE
// RUN: not strum-opt %s --strum-pack="method=dliq shift=row" 2>&1 | FileCheck %s --check-prefix=SHIFT
// RUN: not strum-opt %s --strum-pack="method=dliq q=4 shift=5" 2>&1 | FileCheck %s --check-prefix=SHIFT5
// RUN: not strum-opt %s --strum-pack="method=mip2q L=9" 2>&1 | FileCheck %s --check-prefix=L
// RUN: not strum-opt %s --strum-pack="method=mip2q L=7 zero=true" 2>&1 | FileCheck %s --check-prefix=SPARE
// RUN: not strum-opt %s --strum-pack="method=sparse q=3" 2>&1 | FileCheck %s --check-prefix=Q
// RUN: not strum-opt %s --strum-pack="method=dense depthwise=true" 2>&1 | FileCheck %s --check-prefix=DENSE

// Q: error: wrong option: q has no effect with method sparse, but with dliq
// DENSE: error: wrong option: depthwise has no effect with method dense, but with sparse, dliq, mip2q
// P: error: wrong option: p = 0.3 of w = 16 is 4.8 low members, expected a whole number
// RANGE: error: wrong option: p must be a number from 0 to 1, got 1.5
// W: error: wrong option: w must be 4, 8, 16 or 32, got 12
// METHOD: error: wrong option: method 'ternary' is not known, expected dense, sparse, dliq
// SELECT: error: wrong option: select must be error, magnitude or activation, got best
// CORRECT: error: wrong option: correct must be none, bias, scale or both, got most
// BYTE: error: wrong option: w must be 4, 8, 16 or 32, got 300
// SHIFT: error: wrong option: shift must be layer, channel or 0 to 7, got row
// SHIFT5: error: wrong option: shift must be in 0..=4, got 5
// L: error: wrong option: L must be 0 to 7, got 9
// SPARE: error: wrong option: mip2q with L = 7 has no spare code that could mean zero
func.func @f(%x: tensor<1x2x2x16xi8>) -> tensor<1x2x2x1xi32> {
  %w = "tosa.const"() <{values = dense<5> : tensor<1x1x1x16xi8>}> : () -> tensor<1x1x1x16xi8>
  %0 = strum.conv2d %x, %w : (tensor<1x2x2x16xi8>, tensor<1x1x1x16xi8>) -> tensor<1x2x2x1xi32>
  return %0 : tensor<1x2x2x1xi32>
}
