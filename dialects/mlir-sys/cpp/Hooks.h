// What C++ asks of Rust.

#pragma once

#include "capi/Hooks.h"
#include "mlir/IR/Operation.h"

/// Runs the verifier that Rust has installed (capi/Hooks.h). Without one the operation is an error: nothing passes unseen.
llvm::LogicalResult verifyInRust(mlir::Operation *op);

/// The fields of a weight format; nothing if there is no such method.
std::optional<llvm::ArrayRef<StrumFormatField>> formatFields(llvm::StringRef method);

/// What is wrong with the values of a format's fields; empty if they are legal.
std::string formatFault(llvm::StringRef method, llvm::ArrayRef<int64_t> values);

/// Runs Rust's check of an attribute whose name begins with one of the dialects, on an operation, or on one of its arguments or results.
llvm::LogicalResult verifyAttributeInRust(mlir::Operation *op, mlir::NamedAttribute attribute, bool onOperation);

/// The fields of an instruction; none if Rust has installed nothing, in which case its verifier reports that.
llvm::ArrayRef<StrumField> instrFields(llvm::StringRef mnemonic);
