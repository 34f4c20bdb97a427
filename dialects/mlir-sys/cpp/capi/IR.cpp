// What MLIR's C interface lacks for reading, building and parsing IR.

#include "capi/IR.h"

#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Support.h"
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

/// The resources that an operation and all operations in it name.
static llvm::StringSet<> resourcesIn(Operation *root) {
  llvm::StringSet<> keys;
  AttrTypeWalker walker;
  walker.addWalk([&](DenseResourceElementsAttr resource) { keys.insert(resource.getRawHandle().getKey()); });
  root->walk([&](Operation *op) {
    walker.walk(op->getAttrDictionary());
    // Attributes kept as properties are in the dictionary, too; types may hold resources as well.
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

static bool isBytecodeFile(StringRef buffer) { return buffer.starts_with("ML\xefR"); }

static MlirModule parse(MlirContext context, std::unique_ptr<llvm::MemoryBuffer> buffer) {
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  return wrap(parseSourceFile<ModuleOp>(sources, ParserConfig(unwrap(context))).release());
}

MlirModule strumParseFile(MlirContext context, MlirStringRef path) {
  // The parser of text wants a terminating null; bytecode must be mapped as it is, or its resources would be copied.
  auto buffer = llvm::MemoryBuffer::getFile(unwrap(path), /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (buffer && !isBytecodeFile((*buffer)->getBuffer()))
    buffer = llvm::MemoryBuffer::getFile(unwrap(path));
  if (!buffer) {
    emitError(UnknownLoc::get(unwrap(context))) << "cannot open '" << unwrap(path) << "': " << buffer.getError().message();
    return {nullptr};
  }
  return parse(context, std::move(*buffer));
}

MlirModule strumParseBytes(MlirContext context, MlirStringRef bytes, MlirStringRef name) {
  // Bytecode may ask for any alignment of its resources, and gets at most a page from a file, too.
  const llvm::Align page(4096);
  StringRef source = unwrap(bytes);
  auto buffer = llvm::WritableMemoryBuffer::getNewUninitMemBuffer(source.size(), unwrap(name), page);
  if (!buffer) {
    emitError(UnknownLoc::get(unwrap(context))) << "out of memory for " << source.size() << " bytes";
    return {nullptr};
  }
  llvm::copy(source, buffer->getBufferStart());
  return parse(context, std::move(buffer));
}

void strumOperationDropAllReferences(MlirOperation op) {
  unwrap(op)->walk([](Operation *nested) { nested->dropAllUses(); });
  unwrap(op)->dropAllReferences();
}

MlirOperation strumOperationGetPrevInBlock(MlirOperation op) { return wrap(unwrap(op)->getPrevNode()); }

bool strumOperationIsTriviallyDead(MlirOperation op) { return isOpTriviallyDead(unwrap(op)); }

intptr_t strumOperationGetNumDeclaredAttributes(MlirOperation op) {
  return unwrap(op)->getName().getAttributeNames().size();
}

MlirStringRef strumOperationGetDeclaredAttribute(MlirOperation op, intptr_t index) {
  return wrap(unwrap(op)->getName().getAttributeNames()[index].strref());
}
