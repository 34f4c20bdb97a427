// Registration of the dpu dialect and its types.

#include "dpu/Dpu.h"

#include "Shape.h"
#include "Hooks.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace dpu;

#include "dpu/DpuDialect.cpp.inc"
#include "dpu/DpuEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dpu/DpuAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dpu/DpuTypes.cpp.inc"
#define GET_OP_CLASSES
#include "dpu/DpuOps.cpp.inc"

void DpuDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dpu/DpuAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dpu/DpuTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dpu/DpuOps.cpp.inc"
      >();
}

VERIFY_ATTRIBUTES_IN_RUST(DpuDialect)

using SetName = OpAsmSetValueNameFn;

void InputOp::getAsmResultNames(SetName set) { set(getBuffer(), getName()); }
void OutputOp::getAsmResultNames(SetName set) { set(getBuffer(), getName()); }
void ConstantOp::getAsmResultNames(SetName set) { set(getBuffer(), "const"); }
void AllocOp::getAsmResultNames(SetName set) { set(getBuffer(), stringifySpace(getBuffer().getType().getSpace())); }
void BarCfgOp::getAsmResultNames(SetName set) {
  std::optional<int64_t> number = getBarrier();
  set(getResult(), number ? "b" + std::to_string(*number) : "b");
}

LogicalResult BufferType::verify(function_ref<InFlightDiagnostic()> emitError, Space space, ArrayRef<int64_t> shape,
                                 Type elementType) {
  auto integer = dyn_cast<IntegerType>(elementType);
  unsigned width = integer ? integer.getWidth() : 0;
  bool isSigned = integer && integer.isSignless() && (width == 8 || width == 16 || width == 32);
  bool isUnsigned = integer && integer.isUnsigned() && (width == 8 || width == 16);
  if (!isSigned && !isUnsigned)
    return emitError() << "element type must be i8, ui8, i16, ui16 or i32, got " << elementType;
  int64_t elements = 1;
  for (int64_t dim : shape) {
    if (dim < 1)
      return emitError() << "dimensions must be positive, got " << dim;
    if (llvm::MulOverflow(elements, dim, elements) || elements > kMaxElements)
      return emitError() << "shape has more than " << kMaxElements << " elements";
  }
  return success();
}
