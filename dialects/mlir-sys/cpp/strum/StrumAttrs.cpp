// Text form and verification of the strum dialect's attributes and types.

#include "strum/Strum.h"

#include "Hooks.h"
#include "Shape.h"
#include "mlir/CAPI/Support.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace strum;

using EmitError = function_ref<InFlightDiagnostic()>;

//===----------------------------------------------------------------------===//
// Custom pieces of assembly formats
//===----------------------------------------------------------------------===//

/// Nothing, or `, <keyword>`.
static ParseResult parseFlag(AsmParser &parser, StringRef keyword, bool &flag) {
  flag = succeeded(parser.parseOptionalComma());
  return flag ? parser.parseKeyword(keyword) : ParseResult::success();
}

static void printFlag(AsmPrinter &printer, StringRef keyword, bool flag) {
  if (flag)
    printer << ", " << keyword;
}

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

/// The keyword value of a field.
static constexpr int64_t kWord = -1;

LogicalResult FormatAttr::verify(EmitError emitError, StringRef method, ArrayRef<int64_t> values) {
  std::string reason = formatFault(method, values);
  return reason.empty() ? success() : LogicalResult(emitError() << reason);
}

/// Reads the value of a field whose name has been read.
static ParseResult parseValue(AsmParser &parser, const StrumFormatField &field, int64_t &value) {
  value = 1;
  if (field.isFlag)
    return success();
  if (parser.parseEqual())
    return failure();
  StringRef word = unwrap(field.word);
  if (!word.empty() && succeeded(parser.parseOptionalKeyword(word))) {
    value = kWord;
    return success();
  }
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseInteger(value))
    return failure();
  if (value < 0)
    return parser.emitError(loc, unwrap(field.name)) << " must not be negative, got " << value;
  return success();
}

Attribute FormatAttr::parseFields(AsmParser &parser, StringRef method) {
  SMLoc loc = parser.getCurrentLocation();
  ArrayRef<StrumFormatField> fields = *formatFields(method);
  SmallVector<std::optional<int64_t>> given(fields.size());
  auto parseField = [&]() -> ParseResult {
    SMLoc at = parser.getCurrentLocation();
    StringRef name;
    if (parser.parseKeyword(&name))
      return failure();
    const auto *field = llvm::find_if(fields, [&](const StrumFormatField &field) { return unwrap(field.name) == name; });
    if (field == fields.end())
      return parser.emitError(at, "'") << method << "' has no field '" << name << "'";
    std::optional<int64_t> &value = given[field - fields.begin()];
    if (value)
      return parser.emitError(at, "field '") << name << "' is given twice";
    return parseValue(parser, *field, value.emplace());
  };
  if (!fields.empty() && parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater, parseField))
    return {};
  SmallVector<int64_t> values;
  for (auto [field, value] : llvm::zip_equal(fields, given)) {
    if (!value && !field.isFlag)
      return parser.emitError(loc, "'") << method << "' needs the field '" << unwrap(field.name) << "'", Attribute();
    values.push_back(value.value_or(0));
  }
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(), method, values);
}

void FormatAttr::printFields(AsmPrinter &printer) const {
  printer << getMethod();
  std::optional<ArrayRef<StrumFormatField>> fields = formatFields(getMethod());
  if (!fields || fields->empty())
    return;
  printer << '<';
  StringRef separator;
  for (auto [field, value] : llvm::zip_equal(*fields, getValues())) {
    if (field.isFlag && !value)
      continue;
    printer << std::exchange(separator, ", ") << unwrap(field.name);
    if (field.isFlag)
      continue;
    printer << " = ";
    if (value == kWord)
      printer << unwrap(field.word);
    else
      printer << value;
  }
  printer << '>';
}

Attribute StrumDialect::parseAttribute(DialectAsmParser &parser, Type type) const {
  SMLoc loc = parser.getCurrentLocation();
  StringRef mnemonic;
  Attribute attribute;
  OptionalParseResult result = generatedAttributeParser(parser, &mnemonic, type, attribute);
  if (result.has_value())
    return attribute;
  if (formatFields(mnemonic))
    return FormatAttr::parseFields(parser, mnemonic);
  parser.emitError(loc) << "unknown attribute '" << mnemonic << "' in dialect 'strum'";
  return {};
}

void StrumDialect::printAttribute(Attribute attribute, DialectAsmPrinter &printer) const {
  if (auto format = dyn_cast<FormatAttr>(attribute))
    return format.printFields(printer);
  (void)generatedAttributePrinter(attribute, printer);
}

LogicalResult PackedType::verify(EmitError emitError, ArrayRef<int64_t> shape, Type elementType, Attribute format) {
  if (!isa<FormatAttr>(format))
    return emitError() << "format must be a weight format, such as #strum.dense, got " << format;
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
