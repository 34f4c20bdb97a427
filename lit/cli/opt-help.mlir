// The file arguments of strum-opt, as --help lists them.

// RUN: strum-opt --help | FileCheck %s

// CHECK: USAGE: strum-opt [options] <input file>
// CHECK: -o <filename> - Output filename
