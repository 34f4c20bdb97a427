// The C interface of the dpu dialect.

#include "dpu/Dpu.h"

#include "capi/Dialects.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Registration.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace dpu;

MLIR_DEFINE_CAPI_DIALECT_REGISTRATION(Dpu, dpu, dpu::DpuDialect)

bool dpuTypeGetBuffer(MlirType type, DpuBuffer *buffer) {
  auto t = dyn_cast<BufferType>(unwrap(type));
  if (!t)
    return false;
  *buffer = {t.getSpace() == Space::Sram, static_cast<intptr_t>(t.getShape().size()), t.getShape().data(),
             wrap(t.getElementType())};
  return true;
}

MlirType dpuBufferTypeGetChecked(MlirLocation location, DpuBuffer b) {
  Location loc = unwrap(location);
  return wrap(BufferType::getChecked([loc] { return emitError(loc); }, loc.getContext(),
                                     b.sram ? Space::Sram : Space::Dram, ArrayRef(b.shape, b.rank),
                                     unwrap(b.elementType)));
}

MlirType dpuBarrierTypeGet(MlirContext context) { return wrap(BarrierType::get(unwrap(context))); }

int32_t dpuAttributeGetStage(MlirAttribute attribute) {
  auto stage = dyn_cast<StageAttr>(unwrap(attribute));
  return stage ? static_cast<int32_t>(stage.getValue()) : -1;
}

MlirAttribute dpuStageGet(MlirContext context, int32_t stage) {
  std::optional<Stage> value = symbolizeStage(stage);
  return value ? wrap(StageAttr::get(unwrap(context), *value)) : MlirAttribute{nullptr};
}
