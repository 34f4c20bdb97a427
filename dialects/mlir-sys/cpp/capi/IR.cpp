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
  auto module = parseSourceFile<ModuleOp>(sources, ParserConfig(unwrap(context), /*verifyAfterParse=*/false));
  if (!module || failed(strum::verifyParsed(*module)))
    return {nullptr};
  return wrap(module.release());
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

/// A copy of bytes that the parser can take; nothing, and an error, if there is no memory for it.
static std::unique_ptr<llvm::MemoryBuffer> copied(MlirContext context, StringRef source, StringRef name) {
  // Bytecode may ask for any alignment of its resources, and gets at most a page from a file, too.
  const llvm::Align page(4096);
  auto buffer = llvm::WritableMemoryBuffer::getNewUninitMemBuffer(source.size(), name, page);
  if (buffer)
    llvm::copy(source, buffer->getBufferStart());
  else
    emitError(UnknownLoc::get(unwrap(context))) << "out of memory for " << source.size() << " bytes";
  return buffer;
}

MlirModule strumParseBytes(MlirContext context, MlirStringRef bytes, MlirStringRef name) {
  auto buffer = copied(context, unwrap(bytes), unwrap(name));
  return buffer ? parse(context, std::move(buffer)) : MlirModule{nullptr};
}

bool strumRewriteBytecode(MlirContext context, MlirStringRef bytes, MlirStringRef name, MlirStringCallback out,
                          void *userData) {
  auto buffer = copied(context, unwrap(bytes), unwrap(name));
  if (!buffer)
    return false;
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  FallbackAsmResourceMap others;
  OwningOpRef<Operation *> op =
      parseSourceFile(sources, ParserConfig(unwrap(context), /*verifyAfterParse=*/false, &others));
  if (!op || failed(strum::verifyParsed(*op)))
    return false;
  mlir::detail::CallbackOstream stream(out, userData);
  return succeeded(writeBytecodeToFile(*op, stream, BytecodeWriterConfig(others)));
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
