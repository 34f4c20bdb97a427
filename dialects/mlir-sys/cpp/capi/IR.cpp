// What MLIR's C interface lacks for reading, building and parsing IR.

#include "capi/IR.h"

#include "parsed/Parsed.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Support.h"
#include "mlir/CAPI/Utils.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/BuiltinDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;

bool strumDenseResourceGetBlob(MlirAttribute attribute, const uint8_t **data, size_t *size) {
  auto resource = dyn_cast<DenseResourceElementsAttr>(unwrap(attribute));
  AsmResourceBlob *blob = resource ? resource.getRawHandle().getBlob() : nullptr;
  if (!blob)
    return false;
  *data = reinterpret_cast<const uint8_t *>(blob->getData().data());
  *size = blob->getData().size();
  return true;
}

MlirStringRef strumDenseResourceGetKey(MlirAttribute attribute) {
  auto resource = dyn_cast<DenseResourceElementsAttr>(unwrap(attribute));
  return wrap(resource ? resource.getRawHandle().getKey() : StringRef());
}

/// The resources that an operation and its nested operations refer to.
static llvm::StringSet<> resourcesIn(Operation *root) {
  llvm::StringSet<> keys;
  AttrTypeWalker walker;
  walker.addWalk([&](DenseResourceElementsAttr resource) { keys.insert(resource.getRawHandle().getKey()); });
  root->walk([&](Operation *op) {
    walker.walk(op->getAttrDictionary());
    // Attributes kept as properties are in the dictionary, too; types may refer to resources as well.
    for (Type type : op->getResultTypes())
      walker.walk(type);
  });
  return keys;
}

void strumReleaseUnusedResources(MlirContext context, MlirOperation root) {
  auto *builtin = unwrap(context)->getLoadedDialect<BuiltinDialect>();
  auto *interface = builtin ? builtin->getRegisteredInterface<ResourceBlobManagerDialectInterface>() : nullptr;
  if (!interface)
    return;
  llvm::StringSet<> used;
  if (Operation *op = unwrap(root))
    used = resourcesIn(op);
  SmallVector<StringRef> unused;
  interface->getBlobManager().getBlobMap([&](const llvm::StringMap<DialectResourceBlobManager::BlobEntry> &blobs) {
    for (const auto &entry : blobs)
      if (entry.second.getBlob() && !used.contains(entry.getKey()))
        unused.push_back(entry.getKey());
  });
  for (StringRef key : unused)
    interface->getBlobManager().update(key, AsmResourceBlob());
}

void strumEmit(MlirLocation location, StrumSeverity severity, MlirStringRef message, intptr_t nNotes,
               const MlirLocation *noteLocations, const MlirStringRef *notes) {
  Location loc = unwrap(location);
  InFlightDiagnostic diagnostic = severity == STRUM_ERROR     ? emitError(loc)
                                  : severity == STRUM_WARNING ? emitWarning(loc)
                                                              : emitRemark(loc);
  diagnostic << unwrap(message);
  for (intptr_t i = 0; i < nNotes; ++i)
    diagnostic.attachNote(unwrap(noteLocations[i])) << unwrap(notes[i]);
}

/// Parses bytes, which are copied, and verifies the result. Null after errors.
template <typename Op>
static OwningOpRef<Op> parse(MlirContext context, MlirStringRef bytes, MlirStringRef name,
                             FallbackAsmResourceMap *others = nullptr) {
  std::string error;
  std::unique_ptr<llvm::MemoryBuffer> buffer = strum::copyToParse(unwrap(bytes), unwrap(name), error);
  if (!buffer) {
    emitError(UnknownLoc::get(unwrap(context))) << error;
    return nullptr;
  }
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  auto op = parseSourceFile<Op>(sources, ParserConfig(unwrap(context), /*verifyAfterParse=*/false, others));
  if (op && failed(strum::verifyParsed(*op)))
    return nullptr;
  return op;
}

MlirModule strumParseBytes(MlirContext context, MlirStringRef bytes, MlirStringRef name) {
  return wrap(parse<ModuleOp>(context, bytes, name).release());
}

bool strumRewriteBytecode(MlirContext context, MlirStringRef bytes, MlirStringRef name, MlirStringCallback out,
                          void *userData) {
  FallbackAsmResourceMap others;
  auto op = parse<Operation *>(context, bytes, name, &others);
  mlir::detail::CallbackOstream stream(out, userData);
  return op && succeeded(writeBytecodeToFile(*op, stream, BytecodeWriterConfig(others)));
}

void strumOperationDropAllReferences(MlirOperation op) {
  unwrap(op)->walk([](Operation *nested) { nested->dropAllUses(); });
  unwrap(op)->dropAllReferences();
}

bool strumOperationIsTriviallyDead(MlirOperation op) { return isOpTriviallyDead(unwrap(op)); }

intptr_t strumOperationGetNumDeclaredAttributes(MlirOperation op) {
  return unwrap(op)->getName().getAttributeNames().size();
}

MlirStringRef strumOperationGetDeclaredAttribute(MlirOperation op, intptr_t index) {
  return wrap(unwrap(op)->getName().getAttributeNames()[index].strref());
}
