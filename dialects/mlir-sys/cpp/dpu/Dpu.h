// The dpu dialect's classes, as mlir-tblgen makes them from td/dpu, and the text form that its instructions share.

#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dpu/DpuDialect.h.inc"
#include "dpu/DpuEnums.h.inc"

namespace dpu {

/// Everything that an instruction may touch.
struct MachineResource : mlir::SideEffects::Resource::Base<MachineResource> {
  llvm::StringRef getName() override { return "DpuMachine"; }
};

mlir::ParseResult parseInstr(mlir::OpAsmParser &parser, mlir::OperationState &result);
void printInstr(mlir::OpAsmPrinter &printer, mlir::Operation *op);

} // namespace dpu

#define GET_ATTRDEF_CLASSES
#include "dpu/DpuAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dpu/DpuTypes.h.inc"
#define GET_OP_CLASSES
#include "dpu/DpuOps.h.inc"
