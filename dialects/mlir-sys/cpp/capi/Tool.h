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

/// Has the C library give blocks of 64 KiB and more back to the system as soon as they are freed, where it can be told.
void strumReturnFreedMemory(void);

#ifdef __cplusplus
}
#endif
