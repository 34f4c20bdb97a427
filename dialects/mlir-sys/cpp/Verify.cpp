// The table of functions that Rust implements for the dialects.

#include "Verify.h"

#include "capi/Hooks.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Support.h"

using namespace mlir;

static StrumHooks hooks = {};

void strumSetHooks(StrumHooks installed) { hooks = installed; }

LogicalResult verifyInRust(Operation *op) {
  if (!hooks.verify)
    return op->emitOpError("cannot be verified: strum_ir::dialect_registry() has not been called");
  return unwrap(hooks.verify(wrap(op)));
}
