// The text form of all instructions: the fields come from the instruction table, through Rust's hooks.
//
//   dpu.dma_copy wait(%b0) post(%b1) engine 1 src(%x + 64 : <dram, 4096xi8>) dst(%t : <sram, 64xi8>) dims [1, 1, 1, 1, 1, 64]
//
// A field at its default is omitted; a flag is its name alone; an address is a buffer and an offset into it, or a bare offset where the
// field is not in use.

#include "dpu/Dpu.h"

#include "Hooks.h"
#include "mlir/CAPI/Support.h"

using namespace mlir;
using namespace dpu;

static constexpr StringLiteral kLayer = "layer";
static constexpr StringLiteral kSegments = "operandSegmentSizes";

static std::string offsetName(const StrumField &field) { return (unwrap(field.name) + "_offset").str(); }

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

namespace {
/// Reads the fields of one instruction, in any order.
class InstrParser {
public:
  InstrParser(OpAsmParser &parser, OperationState &result, ArrayRef<StrumField> fields)
      : parser(parser), result(result), fields(fields), operands(fields.size()), types(fields.size()) {
    for (const StrumField &field : fields)
      names.push_back(unwrap(field.name));
    names.push_back(kLayer);
  }

  ParseResult run() {
    StringRef keyword;
    SMLoc loc = parser.getCurrentLocation();
    while (succeeded(parser.parseOptionalKeyword(&keyword, names))) {
      if (!seen.insert(keyword).second)
        return parser.emitError(loc, "field '") << keyword << "' is given twice";
      if (keyword == kLayer ? parseInt(kLayer) : parseField(llvm::find(names, keyword) - names.begin()))
        return failure();
      loc = parser.getCurrentLocation();
    }
    return failure(parser.parseOptionalAttrDict(result.attributes) || resolve());
  }

private:
  ParseResult parseField(size_t index) {
    const StrumField &field = fields[index];
    StringRef name = unwrap(field.name);
    switch (field.kind) {
    case STRUM_FIELD_INT:
      return field.count == 1 ? parseInt(name) : parseInts(name);
    case STRUM_FIELD_FLAG:
      result.addAttribute(name, parser.getBuilder().getBoolAttr(true));
      return success();
    case STRUM_FIELD_KEYWORD: {
      StringRef value;
      if (parser.parseKeyword(&value))
        return failure();
      result.addAttribute(name, parser.getBuilder().getStringAttr(value));
      return success();
    }
    case STRUM_FIELD_ADDRESS:
      return parseAddress(index);
    case STRUM_FIELD_BARRIERS:
      types[index] = BarrierType::get(parser.getContext());
      return parser.parseOperandList(operands[index], OpAsmParser::Delimiter::Paren);
    }
    return failure();
  }

  ParseResult parseInt(StringRef name) {
    int64_t value;
    if (parser.parseInteger(value))
      return failure();
    result.addAttribute(name, parser.getBuilder().getI64IntegerAttr(value));
    return success();
  }

  ParseResult parseInts(StringRef name) {
    SmallVector<int64_t> values;
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square,
                                       [&] { return parser.parseInteger(values.emplace_back()); }))
      return failure();
    result.addAttribute(name, parser.getBuilder().getDenseI64ArrayAttr(values));
    return success();
  }

  /// `(%buffer : <type>)`, `(%buffer + offset : <type>)` or `(offset)`
  ParseResult parseAddress(size_t index) {
    OpAsmParser::UnresolvedOperand operand;
    std::string offset = offsetName(fields[index]);
    if (parser.parseLParen())
      return failure();
    OptionalParseResult buffer = parser.parseOptionalOperand(operand);
    if (!buffer.has_value())
      return failure(parseInt(offset) || parser.parseRParen());
    BufferType type;
    if (failed(*buffer) || (succeeded(parser.parseOptionalPlus()) && parseInt(offset)) || parser.parseColon() ||
        parser.parseCustomTypeWithFallback(type))
      return failure();
    operands[index].push_back(operand);
    types[index] = type;
    return parser.parseRParen();
  }

  /// Adds the operands in table order, with the size of each group.
  ParseResult resolve() {
    SmallVector<int32_t> segments;
    for (auto [index, field] : llvm::enumerate(fields)) {
      if (field.kind != STRUM_FIELD_ADDRESS && field.kind != STRUM_FIELD_BARRIERS)
        continue;
      segments.push_back(operands[index].size());
      if (types[index] && parser.resolveOperands(operands[index], types[index], result.operands))
        return failure();
    }
    if (segments.size() > 1) // a single group needs no sizes, and ODS declares none
      result.addAttribute(kSegments, parser.getBuilder().getDenseI32ArrayAttr(segments));
    return success();
  }

  OpAsmParser &parser;
  OperationState &result;
  ArrayRef<StrumField> fields;
  std::vector<SmallVector<OpAsmParser::UnresolvedOperand, 1>> operands;
  std::vector<Type> types;
  SmallVector<StringRef> names;
  llvm::SmallDenseSet<StringRef> seen;
};
} // namespace

ParseResult dpu::parseInstr(OpAsmParser &parser, OperationState &result) {
  return InstrParser(parser, result, instrFields(result.name.stripDialect())).run();
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

static void printValue(OpAsmPrinter &printer, const StrumField &field, Attribute value) {
  StringRef name = unwrap(field.name);
  auto isDefault = [&](int64_t element) { return element == field.neutral; };
  if (auto integer = dyn_cast_or_null<IntegerAttr>(value)) {
    if (field.kind == STRUM_FIELD_FLAG && integer.getValue().getBoolValue())
      printer << ' ' << name;
    else if (field.kind == STRUM_FIELD_INT && !isDefault(integer.getInt()))
      printer << ' ' << name << ' ' << integer.getInt();
  } else if (auto integers = dyn_cast_or_null<DenseI64ArrayAttr>(value)) {
    if (llvm::all_of(integers.asArrayRef(), isDefault) && integers.size() == field.count)
      return;
    printer << ' ' << name << " [";
    llvm::interleaveComma(integers.asArrayRef(), printer);
    printer << ']';
  } else if (auto keyword = dyn_cast_or_null<StringAttr>(value)) {
    if (keyword.getValue() != unwrap(field.neutralKeyword))
      printer << ' ' << name << ' ' << keyword.getValue();
  }
}

static void printAddress(OpAsmPrinter &printer, const StrumField &field, OperandRange buffer, Attribute offset) {
  auto integer = dyn_cast_or_null<IntegerAttr>(offset);
  int64_t bytes = integer ? integer.getInt() : 0;
  if (buffer.empty()) {
    if (bytes != 0)
      printer << ' ' << unwrap(field.name) << '(' << bytes << ')';
    return;
  }
  printer << ' ' << unwrap(field.name) << '(' << buffer.front();
  if (bytes != 0)
    printer << " + " << bytes;
  printer << " : ";
  printer.printStrippedAttrOrType(cast<BufferType>(buffer.front().getType()));
  printer << ')';
}

void dpu::printInstr(OpAsmPrinter &printer, Operation *op) {
  auto segments = dyn_cast_or_null<DenseI32ArrayAttr>(op->getInherentAttr(kSegments).value_or(Attribute()));
  unsigned group = 0, first = 0;
  auto nextGroup = [&] {
    unsigned size = !segments ? op->getNumOperands() : group < segments.size() ? segments[group] : 0;
    OperandRange range = op->getOperands().slice(first, size);
    ++group, first += size;
    return range;
  };
  for (const StrumField &field : instrFields(op->getName().stripDialect())) {
    switch (field.kind) {
    case STRUM_FIELD_ADDRESS:
      printAddress(printer, field, nextGroup(), op->getAttr(offsetName(field)));
      break;
    case STRUM_FIELD_BARRIERS:
      if (OperandRange barriers = nextGroup(); !barriers.empty())
        printer << ' ' << unwrap(field.name) << '(' << barriers << ')';
      break;
    default:
      printValue(printer, field, op->getAttr(unwrap(field.name)));
    }
  }
  if (auto layer = op->getAttrOfType<IntegerAttr>(kLayer))
    printer << ' ' << kLayer << ' ' << layer.getInt();
  printer.printOptionalAttrDict(llvm::to_vector(op->getDiscardableAttrs()));
}
