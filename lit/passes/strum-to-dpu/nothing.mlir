// RUN: strum-opt %s --strum-to-dpu --strum-log=debug 2>&1 | FileCheck %s

// A module without functions is left alone.
// CHECK: no function to lower
// CHECK: module
module {}
