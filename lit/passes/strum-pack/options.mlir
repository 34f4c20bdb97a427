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
// RUN: not strum-opt %s --strum-pack=methd=dliq 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not strum-opt %s --strum-pack=colour=red 2>&1 | FileCheck %s --check-prefix=FAR
// RUN: not strum-opt %s --strum-pack=select=magnitud 2>&1 | FileCheck %s --check-prefix=WORD
// RUN: not strum-opt %s --strum-pack="w=8 p=0.25 w=8" 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not strum-opt %s --strum-pack="w= p=0.25" 2>&1 | FileCheck %s --check-prefix=EMPTY
// RUN: not strum-opt %s --strum-pack="packing=it's p=0.25" 2>&1 | FileCheck %s --check-prefix=OPEN
// RUN: not strum-opt %s --strum-pack="packing='a{b'" 2>&1 | FileCheck %s --check-prefix=MARK
// RUN: not strum-opt %s --strum-pack=p 2>&1 | FileCheck %s --check-prefix=BARE
// RUN: not strum-opt %s --strum-unpack=w=8 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not strum-opt %s --pass-pipeline="builtin.module(func.func(strum-pack{methd=dliq}))" 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: strum-opt %s --strum-pack="w=16 zero=false depthwise packing= min-channels=" | FileCheck %s
// RUN: not strum-opt %s --strum-pack="method=dense depthwise=true" 2>&1 | FileCheck %s --check-prefix=DENSE

// CHECK: !strum.packed<
// NAME: error: unknown option 'methd' of strum-pack; did you mean 'method'?
// FAR: error: unknown option 'colour' of strum-pack; expected one of method, p, w, q, L, zero, shift, select, correct, depthwise, min-channels, packing
// WORD: error: option 'select' of strum-pack must be error, magnitude or activation, got 'magnitud'; did you mean 'magnitude'?
// TWICE: error: option 'w' of strum-pack is given twice
// OPEN: error: the options of strum-pack have an unclosed '
// MARK: error: option 'packing' of strum-pack cannot hold quotation marks, braces or line breaks, got 'a{b'
// EMPTY: error: option 'w' of strum-pack has no value, expected 4, 8, 16 or 32
// BARE: error: option 'p' of strum-pack has no value, expected a number from 0 to 1
// NONE: error: unknown option 'w' of strum-unpack; it has no options
// Q: error: strum-pack: q has no effect with method sparse, but with dliq
// DENSE: error: strum-pack: depthwise has no effect with method dense, but with sparse, dliq, mip2q
// P: error: strum-pack: p = 0.3 of w = 16 is 4.8 low members, expected a whole number
// RANGE: error: option 'p' of strum-pack must be a number from 0 to 1, got '1.5'
// W: error: option 'w' of strum-pack must be 4, 8, 16 or 32, got '12'
// METHOD: error: option 'method' of strum-pack must be dense, sparse, dliq or mip2q, got 'ternary'
// SELECT: error: option 'select' of strum-pack must be error, magnitude or activation, got 'best'
// CORRECT: error: option 'correct' of strum-pack must be none, bias, scale or both, got 'most'
// BYTE: error: option 'w' of strum-pack must be 4, 8, 16 or 32, got '300'
// SHIFT: error: option 'shift' of strum-pack must be layer, channel or 0 to 7, got 'row'
// SHIFT5: error: strum-pack: shift must be in 0..=4, got 5
// L: error: option 'L' of strum-pack must be 0 to 7, got '9'
// SPARE: error: strum-pack: mip2q with L = 7 has no spare code that could mean zero
func.func @f(%x: tensor<1x2x2x16xi8>) -> tensor<1x2x2x1xi32> {
  %w = "tosa.const"() <{values = dense<5> : tensor<1x1x1x16xi8>}> : () -> tensor<1x1x1x16xi8>
  %0 = strum.conv2d %x, %w : (tensor<1x2x2x16xi8>, tensor<1x1x1x16xi8>) -> tensor<1x2x2x1xi32>
  return %0 : tensor<1x2x2x1xi32>
}
