// The way from an operation's `verify` to its verifier in Rust.

#pragma once

#include "mlir/IR/Operation.h"

/// Runs the verifier that Rust has installed (capi/Hooks.h). Without one the operation is an error: nothing passes unseen.
llvm::LogicalResult verifyInRust(mlir::Operation *op);
