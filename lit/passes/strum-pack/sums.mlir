// RUN: strum-opt %s --split-input-file --verify-diagnostics --strum-pack="method=mip2q"

// 167,760 · 100 · 128 is 155,647 less than 2^31 - 1; with every second -100 stored as -128 it is more.
func.func @none_left(%x: tensor<1x1x1x167760xi8>) -> tensor<1x1x1x1xi32> {
  %w = "tosa.const"() <{values = dense<-100> : tensor<1x1x1x167760xi8>}> : () -> tensor<1x1x1x167760xi8>
  // expected-error@+1 {{accumulators could overflow 32 bits with the packed weights: keep this layer dense}}
  %0 = strum.conv2d %x, %w : (tensor<1x1x1x167760xi8>, tensor<1x1x1x167760xi8>) -> tensor<1x1x1x1xi32>
  return %0 : tensor<1x1x1x1xi32>
}

// -----

// Powers of two are unchanged.
func.func @enough(%x: tensor<1x1x1x167760xi8>) -> tensor<1x1x1x1xi32> {
  %w = "tosa.const"() <{values = dense<-64> : tensor<1x1x1x167760xi8>}> : () -> tensor<1x1x1x167760xi8>
  %0 = strum.conv2d %x, %w : (tensor<1x1x1x167760xi8>, tensor<1x1x1x167760xi8>) -> tensor<1x1x1x1xi32>
  return %0 : tensor<1x1x1x1xi32>
}

// -----

// Sums that had no room before are the network's own.
func.func @none_before(%x: tensor<1x1x1x167776xi8>) -> tensor<1x1x1x1xi32> {
  %w = "tosa.const"() <{values = dense<-101> : tensor<1x1x1x167776xi8>}> : () -> tensor<1x1x1x167776xi8>
  %0 = strum.conv2d %x, %w : (tensor<1x1x1x167776xi8>, tensor<1x1x1x167776xi8>) -> tensor<1x1x1x1xi32>
  return %0 : tensor<1x1x1x1xi32>
}
