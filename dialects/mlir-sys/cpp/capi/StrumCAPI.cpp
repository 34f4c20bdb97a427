// The C interface of the strum dialect.

#include "strum/Strum.h"

#include "capi/Dialects.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Registration.h"
#include "mlir/CAPI/Support.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace strum;

MLIR_DEFINE_CAPI_DIALECT_REGISTRATION(Strum, strum, strum::StrumDialect)

/// Calls `T::getChecked` with errors going to `location`.
template <typename T, typename... Args> static T checked(MlirLocation location, Args &&...args) {
  Location loc = unwrap(location);
  return T::getChecked([loc] { return emitError(loc); }, loc.getContext(), std::forward<Args>(args)...);
}

static Round toRound(bool isDouble) { return isDouble ? Round::Double : Round::Single; }

bool strumAttributeGetFormat(MlirAttribute attribute, StrumFormat *format) {
  auto attr = dyn_cast<FormatAttr>(unwrap(attribute));
  if (!attr)
    return false;
  *format = {wrap(attr.getMethod()), static_cast<intptr_t>(attr.getValues().size()), attr.getValues().data()};
  return true;
}

MlirAttribute strumFormatGetChecked(MlirLocation location, StrumFormat f) {
  return wrap(checked<FormatAttr>(location, unwrap(f.method), ArrayRef(f.values, f.nValues)));
}

bool strumAttributeGetRescale(MlirAttribute attribute, StrumRescale *rescale) {
  auto attr = dyn_cast<RescaleAttr>(unwrap(attribute));
  if (!attr)
    return false;
  *rescale = {attr.getZp(), attr.getMultiplier(), attr.getShift(), attr.getRound() == Round::Double, attr.getIsUnsigned()};
  return true;
}

MlirAttribute strumRescaleGetChecked(MlirLocation location, StrumRescale r) {
  return wrap(checked<RescaleAttr>(location, r.zp, r.multiplier, r.shift, toRound(r.doubleRound), r.isUnsigned));
}

bool strumAttributeGetPpe(MlirAttribute attribute, StrumPpe *ppe) {
  auto attr = dyn_cast<PpeAttr>(unwrap(attribute));
  if (!attr)
    return false;
  ppe->channels = attr.getMultiplier().size();
  ppe->multiplier = attr.getMultiplier().data();
  ppe->shift = attr.getShift().data();
  ppe->doubleRound = attr.getRound() == Round::Double;
  ppe->isUnsigned = attr.getIsUnsigned();
  ppe->zp = attr.getZp();
  ppe->clampLo = attr.getClampLo();
  ppe->clampHi = attr.getClampHi();
  ppe->table = wrap(Attribute(attr.getTable()));
  return true;
}

MlirAttribute strumPpeGetChecked(MlirLocation location, StrumPpe p) {
  auto table = cast_or_null<DenseElementsAttr>(unwrap(p.table));
  return wrap(checked<PpeAttr>(location, ArrayRef(p.multiplier, p.channels), ArrayRef(p.shift, p.channels),
                               toRound(p.doubleRound), p.zp, p.clampLo, p.clampHi, p.isUnsigned, table));
}

int32_t strumAttributeGetEltwiseKind(MlirAttribute attribute) {
  auto kind = dyn_cast<EltwiseKindAttr>(unwrap(attribute));
  return kind ? static_cast<int32_t>(kind.getValue()) : -1;
}

MlirAttribute strumEltwiseKindGet(MlirContext context, int32_t kind) {
  std::optional<EltwiseKind> value = symbolizeEltwiseKind(kind);
  return value ? wrap(EltwiseKindAttr::get(unwrap(context), *value)) : MlirAttribute{nullptr};
}

bool strumTypeGetPacked(MlirType type, StrumPacked *packed) {
  auto t = dyn_cast<PackedType>(unwrap(type));
  if (!t)
    return false;
  *packed = {static_cast<intptr_t>(t.getShape().size()), t.getShape().data(), wrap(t.getFormat())};
  return true;
}

MlirType strumPackedTypeGetChecked(MlirLocation location, StrumPacked p) {
  Type i8 = IntegerType::get(unwrap(location).getContext(), 8);
  return wrap(checked<PackedType>(location, ArrayRef(p.shape, p.rank), i8, unwrap(p.format)));
}
