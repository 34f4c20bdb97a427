// What must hold of IR that has just been parsed before MLIR's verifiers and folders may see it.

#pragma once

#include "mlir/IR/Operation.h"

namespace strum {

/// Makes sure of what MLIR's own verifiers and folders take for granted, and then verifies. To be called on IR that was
/// parsed without verification.
///
/// Some of them read constant operands element by element, and end the process if the elements are a `dense_resource`. Such
/// an operand is written out as `dense`, or is an error at the constant if its resource does not fit. All other resources
/// stay what they are: they are shared, and may be large. With `verify` false, nothing else is checked.
mlir::LogicalResult verifyParsed(mlir::Operation *root, bool verify = true);

/// A copy of `bytes` that the parser can take, with the alignment that resources of bytecode may want. Null, and the reason in `error`, if
/// there is no memory for it.
std::unique_ptr<llvm::MemoryBuffer> copyToParse(llvm::StringRef bytes, llvm::StringRef name, std::string &error);

} // namespace strum
