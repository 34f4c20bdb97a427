// The text of shapes in types: `64x3x3x64xi8`.

#pragma once

#include "mlir/IR/OpImplementation.h"

inline mlir::ParseResult parseShape(mlir::AsmParser &parser, llvm::SmallVector<int64_t> &shape,
                                    mlir::Type &elementType) {
  return mlir::failure(parser.parseDimensionList(shape, /*allowDynamic=*/false) || parser.parseType(elementType));
}

inline void printShape(mlir::AsmPrinter &printer, llvm::ArrayRef<int64_t> shape, mlir::Type elementType) {
  for (int64_t dim : shape)
    printer << dim << 'x';
  printer << elementType;
}
