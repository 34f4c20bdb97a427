// A file that can be read, but not copied for the parser.

// RUN: truncate -s 400M %t.mlir
// RUN: sh -c 'ulimit -v 1300000; ! strum-opt %t.mlir -o /dev/null' 2>&1 | FileCheck %s

// CHECK: memory.mlir.tmp.mlir: error: out of memory: 419430400 bytes to parse
