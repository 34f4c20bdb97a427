// Conditions on freshly parsed IR, checked before MLIR's verifiers and folders see it.

#include "parsed/Parsed.h"

#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

/// The operands that MLIR 22 reads element by element without checking that it can, by operation. The others are read as
/// DenseElementsAttr, which no resource is, or not at all.
static ArrayRef<unsigned> operandsRead(StringRef operation) {
  static const llvm::StringMap<SmallVector<unsigned, 2>> table = {
      // Zero points, by verifiers.
      {"tosa.avg_pool2d", {1, 2}},
      {"tosa.conv2d", {3, 4}},
      {"tosa.conv3d", {3, 4}},
      {"tosa.depthwise_conv2d", {3, 4}},
      {"tosa.matmul", {2, 3}},
      {"tosa.negate", {1, 2}},
      {"tosa.rescale", {3, 4}},
      {"tosa.transpose_conv2d", {3, 4}},
      // The shift, by the verifier and the folder.
      {"tosa.mul", {2}},
      // Folded operands: by tosa-layerwise-constant-fold, and by the canonicalizer.
      {"tosa.reduce_all", {0}},
      {"tosa.reduce_any", {0}},
      {"tosa.reduce_max", {0}},
      {"tosa.reduce_min", {0}},
      {"tosa.reduce_product", {0}},
      {"tosa.reduce_sum", {0}},
      {"tensor.extract", {0}},
  };
  auto entry = table.find(operation);
  return entry == table.end() ? ArrayRef<unsigned>() : ArrayRef<unsigned>(entry->second);
}

/// The bytes that the elements of a type take; nothing on overflow.
static std::optional<uint64_t> bytesOf(ShapedType type) {
  uint64_t bytes = type.getElementType().isIndex() ? 8 : llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  for (int64_t extent : type.getShape()) {
    bool overflow = false;
    bytes = llvm::SaturatingMultiply(bytes, static_cast<uint64_t>(extent), &overflow);
    if (overflow)
      return std::nullopt;
  }
  return bytes;
}

/// The elements of a resource as `dense`; nothing, and an error at `constant`, if there are none.
static DenseElementsAttr writtenOut(Operation *constant, DenseResourceElementsAttr resource, Operation *reader,
                                    unsigned operand) {
  auto type = cast<ShapedType>(resource.getType());
  std::string key = resource.getRawHandle().getKey().str();
  auto fail = [&](const Twine &what) -> DenseElementsAttr {
    InFlightDiagnostic error = constant->emitOpError() << "the resource '" << key << "' " << what;
    error.attachNote(reader->getLoc()) << "'" << reader->getName() << "' needs its elements, as operand #" << operand;
    return {};
  };
  if (!type.hasStaticShape() || !type.getElementType().isIntOrIndexOrFloat())
    return fail("must have a static shape and elements that are integers, index or floats");
  AsmResourceBlob *blob = resource.getRawHandle().getBlob();
  if (!blob)
    return fail("is not in the file");
  ArrayRef<char> data = blob->getData();
  std::optional<uint64_t> bytes = bytesOf(type);
  bool splat = false;
  if (bytes != data.size() || !DenseElementsAttr::isValidRawBuffer(type, data, splat)) {
    std::string takes = bytes ? std::to_string(*bytes) : "more than can be counted";
    return fail("has " + Twine(data.size()) + " bytes, and its type takes " + takes);
  }
  return DenseElementsAttr::getFromRawBuffer(type, data);
}

/// Expands the operands that `reader` reads. Failures are reported once per constant, and collected in
/// `broken`.
static void writeOut(Operation *reader, llvm::SmallPtrSetImpl<Operation *> &broken) {
  for (unsigned index : operandsRead(reader->getName().getStringRef())) {
    Operation *constant = index < reader->getNumOperands() ? reader->getOperand(index).getDefiningOp() : nullptr;
    if (!constant || !constant->hasTrait<OpTrait::ConstantLike>() || broken.contains(constant))
      continue;
    for (NamedAttribute attribute : constant->getAttrDictionary()) {
      auto resource = dyn_cast<DenseResourceElementsAttr>(attribute.getValue());
      if (!resource)
        continue;
      if (DenseElementsAttr dense = writtenOut(constant, resource, reader, index))
        constant->setAttr(attribute.getName(), dense);
      else
        broken.insert(constant);
    }
  }
}

std::unique_ptr<llvm::MemoryBuffer> strum::copyToParse(StringRef bytes, StringRef name, std::string &error) {
  // At most a page, as in a mapped file.
  auto buffer = llvm::WritableMemoryBuffer::getNewUninitMemBuffer(bytes.size(), name, llvm::Align(4096));
  if (buffer)
    llvm::copy(bytes, buffer->getBufferStart());
  else
    error = "out of memory: " + std::to_string(bytes.size()) + " bytes to parse";
  return buffer;
}

LogicalResult strum::verifyParsed(Operation *root, bool verify) {
  bool valid = true;
  llvm::SmallPtrSet<Operation *, 4> broken;
  // Readers look at constants, which may come after them and are then not yet verified.
  if (verify)
    root->walk([&](Operation *op) {
      if (isa<tosa::ConstOp, tosa::ConstShapeOp>(op))
        valid &= succeeded(mlir::verify(op, /*verifyRecursively=*/false));
    });
  root->walk([&](Operation *op) { writeOut(op, broken); });
  if (!valid || !broken.empty())
    return failure();
  return verify ? mlir::verify(root) : success();
}
