// The table of functions that Rust implements for the dialects.

#include "Hooks.h"

#include "dpu/Dpu.h"
#include "strum/Strum.h"

#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Support.h"

using namespace mlir;

static StrumHooks hooks = {};

void strumInsertDialects(MlirDialectRegistry registry, StrumHooks installed) {
  if (!hooks.verify) // written once: loaded dialects read it on any thread
    hooks = installed;
  unwrap(registry)->insert<strum::StrumDialect, dpu::DpuDialect>();
}

LogicalResult verifyInRust(Operation *op) { return unwrap(hooks.verify(wrap(op))); }

LogicalResult verifyAttributeInRust(Operation *op, NamedAttribute attribute, bool onOperation) {
  return unwrap(
      hooks.verifyAttribute(wrap(op), wrap(attribute.getName().strref()), wrap(attribute.getValue()), onOperation));
}

ArrayRef<StrumField> instrFields(StringRef mnemonic) {
  const StrumField *fields = nullptr;
  intptr_t count = hooks.fields(wrap(mnemonic), &fields);
  return ArrayRef(fields, count);
}

std::optional<ArrayRef<StrumFormatField>> formatFields(StringRef method) {
  const StrumFormatField *fields = nullptr;
  intptr_t count = hooks.formatFields(wrap(method), &fields);
  return count < 0 ? std::nullopt : std::optional(ArrayRef(fields, count));
}

std::string formatFault(StringRef method, ArrayRef<int64_t> values) {
  std::string reason;
  auto append = [](MlirStringRef part, void *text) { static_cast<std::string *>(text)->append(part.data, part.length); };
  hooks.formatFault(wrap(method), values.size(), values.data(), append, &reason);
  return reason;
}
