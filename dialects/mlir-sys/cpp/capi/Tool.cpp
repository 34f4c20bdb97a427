// The tools that MLIR has as libraries.

#include "capi/Tool.h"

#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Support.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"
#include "llvm/Config/llvm-config.h"

#if defined(__linux__) && __has_include(<malloc.h>)
#include <malloc.h>
#endif

using namespace mlir;

int strumLspMain(int argc, const char *const *argv, MlirDialectRegistry registry) {
  return failed(MlirLspServerMain(argc, const_cast<char **>(argv), *unwrap(registry)));
}

MlirStringRef strumLlvmVersion(void) { return wrap(StringRef(LLVM_VERSION_STRING)); }

void strumReturnFreedMemory(void) {
#ifdef M_MMAP_THRESHOLD
  // glibc no longer raises a threshold that is set explicitly, as it otherwise does whenever a large block is
  // freed.
  mallopt(M_MMAP_THRESHOLD, 64 * 1024);
#endif
}
