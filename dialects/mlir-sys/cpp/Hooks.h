// Calls from C++ into Rust, through the hooks that come with the dialects (capi/Hooks.h).

#pragma once

#include "capi/Hooks.h"
#include "mlir/IR/Operation.h"

/// Runs Rust's verifier.
llvm::LogicalResult verifyInRust(mlir::Operation *op);

/// The fields of a weight format; nothing for an unknown method.
std::optional<llvm::ArrayRef<StrumFormatField>> formatFields(llvm::StringRef method);

/// The error in the values of a format's fields; empty if they are legal.
std::string formatFault(llvm::StringRef method, llvm::ArrayRef<int64_t> values);

/// Runs Rust's check of an attribute whose name begins with one of the dialects, on an operation, or on one of its arguments or results.
llvm::LogicalResult verifyAttributeInRust(mlir::Operation *op, mlir::NamedAttribute attribute, bool onOperation);

/// The fields of an instruction.
llvm::ArrayRef<StrumField> instrFields(llvm::StringRef mnemonic);

/// Makes a dialect verify the attributes with its prefix in Rust.
#define VERIFY_ATTRIBUTES_IN_RUST(DIALECT)                                                                             \
  llvm::LogicalResult DIALECT::verifyOperationAttribute(mlir::Operation *op, mlir::NamedAttribute attribute) {         \
    return verifyAttributeInRust(op, attribute, /*onOperation=*/true);                                                 \
  }                                                                                                                    \
  llvm::LogicalResult DIALECT::verifyRegionArgAttribute(mlir::Operation *op, unsigned, unsigned,                       \
                                                        mlir::NamedAttribute attribute) {                              \
    return verifyAttributeInRust(op, attribute, /*onOperation=*/false);                                                \
  }                                                                                                                    \
  llvm::LogicalResult DIALECT::verifyRegionResultAttribute(mlir::Operation *op, unsigned, unsigned,                    \
                                                           mlir::NamedAttribute attribute) {                           \
    return verifyAttributeInRust(op, attribute, /*onOperation=*/false);                                                \
  }
