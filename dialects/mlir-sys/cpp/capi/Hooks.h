// Functions that Rust implements for the dialects.

#pragma once

#include "mlir-c/IR.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  /// Verifies one operation of the strum or dpu dialect, after its declared constraints have been checked. Reports what it finds
  /// as MLIR errors. Called on any thread.
  MlirLogicalResult (*verify)(MlirOperation op);
} StrumHooks;

/// Installs the hooks, process-wide. To be called before the dialects are used.
void strumSetHooks(StrumHooks hooks);

#ifdef __cplusplus
}
#endif
