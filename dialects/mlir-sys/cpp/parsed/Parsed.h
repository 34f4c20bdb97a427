// Conditions on freshly parsed IR, checked before MLIR's verifiers and folders see it.

#pragma once

#include "mlir/IR/Operation.h"

namespace strum {

/// Ensures what MLIR's own verifiers and folders take for granted, and then verifies. To be called on IR that was
/// parsed without verification.
///
/// Some of them read constant operands element by element, and end the process if the elements are a `dense_resource`. Such
/// an operand is converted to `dense`, or is an error at the constant if its resource does not fit. All other resources are
/// left alone: they are shared, and may be large. With `verify` false, nothing else is checked.
mlir::LogicalResult verifyParsed(mlir::Operation *root, bool verify = true);

/// A copy of `bytes` for the parser, with the alignment that resources of bytecode may require. Null, and the reason in `error`, if out of
/// memory.
std::unique_ptr<llvm::MemoryBuffer> copyToParse(llvm::StringRef bytes, llvm::StringRef name, std::string &error);

} // namespace strum
