// The tools that MLIR has as libraries.

#include "capi/Tool.h"

#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Support.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Config/llvm-config.h"

using namespace mlir;

int strumOptMain(int argc, const char *const *argv, MlirStringRef toolName, MlirDialectRegistry registry) {
  return asMainReturnCode(MlirOptMain(argc, const_cast<char **>(argv), unwrap(toolName), *unwrap(registry)));
}

int strumLspMain(int argc, const char *const *argv, MlirDialectRegistry registry) {
  return asMainReturnCode(MlirLspServerMain(argc, const_cast<char **>(argv), *unwrap(registry)));
}

MlirStringRef strumLlvmVersion(void) { return wrap(StringRef(LLVM_VERSION_STRING)); }
