// The tools that MLIR has as libraries.

#pragma once

#include "mlir-c/IR.h"

#ifdef __cplusplus
extern "C" {
#endif

/// mlir-lsp-server's main function. Returns the exit code.
int strumLspMain(int argc, const char *const *argv, MlirDialectRegistry registry);

/// LLVM's version, such as `22.1.8`.
MlirStringRef strumLlvmVersion(void);

/// Makes the C library return blocks of 64 KiB and more to the system as soon as they are freed, where this can be set.
void strumReturnFreedMemory(void);

#ifdef __cplusplus
}
#endif
