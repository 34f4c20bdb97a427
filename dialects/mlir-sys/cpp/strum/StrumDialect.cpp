// Registration of the strum dialect, its operations' folders, and the dispatch to their verifiers.

#include "strum/Strum.h"

#include "Hooks.h"

using namespace mlir;
using namespace strum;

#include "strum/StrumDialect.cpp.inc"

#define GET_OP_CLASSES
#include "strum/StrumOps.cpp.inc"

namespace {
/// Long per-channel lists move to the head of the file, so that a layer stays one readable line.
struct StrumAsm : OpAsmDialectInterface {
  using OpAsmDialectInterface::OpAsmDialectInterface;

  AliasResult getAlias(Attribute attr, raw_ostream &os) const override {
    auto ppe = dyn_cast<PpeAttr>(attr);
    if (!ppe || (ppe.getMultiplier().size() <= 4 && !ppe.getTable()))
      return AliasResult::NoAlias;
    os << "ppe";
    return AliasResult::FinalAlias;
  }
};
} // namespace

void StrumDialect::initialize() {
  registerAttributes();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "strum/StrumOps.cpp.inc"
      >();
  addInterfaces<StrumAsm>();
}

VERIFY_ATTRIBUTES_IN_RUST(StrumDialect)

Operation *StrumDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type, Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  auto packed = dyn_cast<PackedType>(type);
  if (!elements || !packed)
    return nullptr;
  return ConstantOp::create(builder, loc, packed, elements);
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

LogicalResult ConstantOp::verify() { return verifyInRust(getOperation()); }
LogicalResult Conv2DOp::verify() { return verifyInRust(getOperation()); }
LogicalResult DepthwiseConv2DOp::verify() { return verifyInRust(getOperation()); }
LogicalResult MatMulOp::verify() { return verifyInRust(getOperation()); }
LogicalResult EltwiseOp::verify() { return verifyInRust(getOperation()); }
