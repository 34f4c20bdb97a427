// Text form and verification of the strum dialect's attributes and types.

#include "strum/Strum.h"

#include "Shape.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace strum;

using EmitError = function_ref<InFlightDiagnostic()>;

//===----------------------------------------------------------------------===//
// Custom pieces of assembly formats
//===----------------------------------------------------------------------===//

/// `2` or `per_channel`.
static ParseResult parseShift(AsmParser &parser, int64_t &shift) {
  if (succeeded(parser.parseOptionalKeyword("per_channel"))) {
    shift = DliqAttr::kPerChannel;
    return success();
  }
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseInteger(shift))
    return failure();
  if (shift < 0)
    return parser.emitError(loc, "shift must not be negative, got ") << shift;
  return success();
}

static void printShift(AsmPrinter &printer, int64_t shift) {
  if (shift == DliqAttr::kPerChannel)
    printer << "per_channel";
  else
    printer << shift;
}

/// Nothing, or `, <keyword>`.
static ParseResult parseFlag(AsmParser &parser, StringRef keyword, bool &flag) {
  flag = succeeded(parser.parseOptionalComma());
  return flag ? parser.parseKeyword(keyword) : ParseResult::success();
}

static void printFlag(AsmPrinter &printer, StringRef keyword, bool flag) {
  if (flag)
    printer << ", " << keyword;
}

static ParseResult parseZero(AsmParser &parser, bool &zero) { return parseFlag(parser, "zero", zero); }
static void printZero(AsmPrinter &printer, bool zero) { printFlag(printer, "zero", zero); }
static ParseResult parseUnsigned(AsmParser &parser, bool &flag) { return parseFlag(parser, "unsigned", flag); }
static void printUnsigned(AsmPrinter &printer, bool flag) { printFlag(printer, "unsigned", flag); }

#include "strum/StrumEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "strum/StrumAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "strum/StrumTypes.cpp.inc"

void StrumDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "strum/StrumAttrs.cpp.inc"
      >();
}

void StrumDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "strum/StrumTypes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Weight formats
//===----------------------------------------------------------------------===//

static LogicalResult verifyBlock(EmitError emitError, int64_t w, int64_t low) {
  if (w != 4 && w != 8 && w != 16 && w != 32)
    return emitError() << "w must be 4, 8, 16 or 32, got " << w;
  if (low < 0 || low > w)
    return emitError() << "low must be in 0.." << w << ", got " << low;
  return success();
}

LogicalResult SparseAttr::verify(EmitError emitError, int64_t w, int64_t low) {
  return verifyBlock(emitError, w, low);
}

LogicalResult DliqAttr::verify(EmitError emitError, int64_t w, int64_t low, int64_t q, int64_t shift) {
  if (failed(verifyBlock(emitError, w, low)))
    return failure();
  if (q < 1 || q > 8)
    return emitError() << "q must be in 1..8, got " << q;
  if (shift != kPerChannel && (shift < 0 || shift > 8 - q))
    return emitError() << "shift must be per_channel or in 0.." << 8 - q << " for q = " << q << ", got " << shift;
  return success();
}

LogicalResult Mip2qAttr::verify(EmitError emitError, int64_t w, int64_t low, int64_t L, bool zero) {
  if (failed(verifyBlock(emitError, w, low)))
    return failure();
  if (L < 0 || L > 7)
    return emitError() << "L must be in 0..7, got " << L;
  // The exponents 0..L leave a code spare unless they fill their bits.
  if (zero && llvm::isPowerOf2_64(L + 1))
    return emitError() << "zero needs a spare exponent code, and L = " << L << " leaves none";
  return success();
}

LogicalResult PackedType::verify(EmitError emitError, ArrayRef<int64_t> shape, Type elementType, Attribute format) {
  if (!isa<DenseAttr, SparseAttr, DliqAttr, Mip2qAttr>(format))
    return emitError() << "format must be #strum.dense, #strum.sparse, #strum.dliq or #strum.mip2q, got " << format;
  if (!elementType.isSignlessInteger(8))
    return emitError() << "element type must be i8, got " << elementType;
  if (shape.size() != 4)
    return emitError() << "shape must have 4 dimensions [oc, ky, kx, ic], got " << shape.size();
  int64_t elements = 1;
  for (int64_t dim : shape) {
    if (dim < 1)
      return emitError() << "dimensions must be positive, got " << dim;
    if (llvm::MulOverflow(elements, dim, elements) || elements > kMaxElements)
      return emitError() << "shape has more than " << kMaxElements << " elements";
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Fused arithmetic
//===----------------------------------------------------------------------===//

static LogicalResult verifyScale(EmitError emitError, int64_t multiplier, int64_t shift) {
  if (multiplier < 0)
    return emitError() << "multiplier must not be negative, got " << multiplier;
  if (shift < 2 || shift > 62)
    return emitError() << "shift must be in 2..62, got " << shift;
  return success();
}

LogicalResult RescaleAttr::verify(EmitError emitError, int32_t zp, int32_t multiplier, int32_t shift, Round round,
                                  bool isUnsigned) {
  return verifyScale(emitError, multiplier, shift);
}

LogicalResult PpeAttr::verify(EmitError emitError, ArrayRef<int32_t> multiplier, ArrayRef<int32_t> shift, Round round,
                              int32_t zp, int32_t clampLo, int32_t clampHi, bool isUnsigned, DenseElementsAttr table) {
  if (multiplier.empty())
    return emitError() << "multiplier must not be empty";
  if (multiplier.size() != shift.size())
    return emitError() << "multiplier and shift must have the same length, got " << multiplier.size() << " and "
                       << shift.size();
  for (auto [m, s] : llvm::zip_equal(multiplier, shift))
    if (failed(verifyScale(emitError, m, s)))
      return failure();
  if (clampLo > clampHi)
    return emitError() << "clamp must not be empty, got [" << clampLo << ", " << clampHi << "]";
  if (isUnsigned && clampLo < 0)
    return emitError() << "clamp of an unsigned result must not be negative, got [" << clampLo << ", " << clampHi << "]";
  if (table && isUnsigned)
    return emitError() << "table needs a signed result";
  if (table && (!table.getElementType().isSignlessInteger(8) || table.getNumElements() != 256))
    return emitError() << "table must have 256 elements of type i8, got " << table.getType();
  return success();
}

Attribute PpeAttr::parse(AsmParser &parser, Type) {
  SmallVector<int32_t> multiplier, shift;
  int32_t zp = 0, lo = 0, hi = 0;
  bool isUnsigned = false;
  DenseElementsAttr table;
  SMLoc loc = parser.getCurrentLocation();
  auto field = [&](StringRef name) -> ParseResult { return failure(parser.parseKeyword(name) || parser.parseEqual()); };
  auto list = [&](SmallVector<int32_t> &values) {
    return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square,
                                          [&] { return parser.parseInteger(values.emplace_back()); });
  };
  if (parser.parseLess() || field("multiplier") || list(multiplier) || parser.parseComma() || field("shift") ||
      list(shift) || parser.parseComma() || field("round"))
    return {};
  FailureOr<Round> round = FieldParser<Round>::parse(parser);
  if (failed(round) || parser.parseComma() || field("zp") || parser.parseInteger(zp) || parser.parseComma() ||
      field("clamp") || parser.parseLSquare() || parser.parseInteger(lo) || parser.parseComma() ||
      parser.parseInteger(hi) || parser.parseRSquare())
    return {};
  bool more = succeeded(parser.parseOptionalComma());
  if (more && succeeded(parser.parseOptionalKeyword("unsigned"))) {
    isUnsigned = true;
    more = succeeded(parser.parseOptionalComma());
  }
  if (more && (field("table") || parser.parseAttribute(table)))
    return {};
  if (parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(), multiplier, shift, *round, zp, lo, hi,
                    isUnsigned, table);
}

void PpeAttr::print(AsmPrinter &printer) const {
  auto list = [&](ArrayRef<int32_t> values) {
    printer << '[';
    llvm::interleaveComma(values, printer);
    printer << ']';
  };
  printer << "<multiplier = ";
  list(getMultiplier());
  printer << ", shift = ";
  list(getShift());
  printer << ", round = " << stringifyRound(getRound()) << ", zp = " << getZp() << ", clamp = [" << getClampLo() << ", "
          << getClampHi() << ']';
  printUnsigned(printer, getIsUnsigned());
  if (getTable())
    printer << ", table = " << getTable();
  printer << '>';
}
