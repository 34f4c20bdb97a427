// The strum dialect's classes, as mlir-tblgen makes them from td/strum.

#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "strum/StrumDialect.h.inc"
#include "strum/StrumEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "strum/StrumAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "strum/StrumTypes.h.inc"
#define GET_OP_CLASSES
#include "strum/StrumOps.h.inc"
