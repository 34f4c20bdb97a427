// The table of functions that Rust implements for the dialects.

#include "Hooks.h"

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

LogicalResult verifyAttributeInRust(Operation *op, NamedAttribute attribute, bool onOperation) {
  if (!hooks.verifyAttribute)
    return op->emitOpError("cannot be verified: strum_ir::dialect_registry() has not been called");
  return unwrap(
      hooks.verifyAttribute(wrap(op), wrap(attribute.getName().strref()), wrap(attribute.getValue()), onOperation));
}

ArrayRef<StrumField> instrFields(StringRef mnemonic) {
  const StrumField *fields = nullptr;
  intptr_t count = hooks.fields ? hooks.fields(wrap(mnemonic), &fields) : 0;
  return ArrayRef(fields, count);
}

std::optional<ArrayRef<StrumFormatField>> formatFields(StringRef method) {
  const StrumFormatField *fields = nullptr;
  intptr_t count = hooks.formatFields ? hooks.formatFields(wrap(method), &fields) : -1;
  return count < 0 ? std::nullopt : std::optional(ArrayRef(fields, count));
}

std::string formatFault(StringRef method, ArrayRef<int64_t> values) {
  std::string reason;
  if (!hooks.formatFault)
    return "cannot be verified: strum_ir::dialect_registry() has not been called";
  auto append = [](MlirStringRef part, void *text) { static_cast<std::string *>(text)->append(part.data, part.length); };
  hooks.formatFault(wrap(method), values.size(), values.data(), append, &reason);
  return reason;
}
