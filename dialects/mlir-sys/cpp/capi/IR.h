// What MLIR's C interface lacks for reading, building and parsing IR.

#pragma once

#include "mlir-c/IR.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The bytes behind a dense_resource attribute, borrowed for the life of the context; false for any other attribute, or if the file
/// that names the resource does not contain it.
bool strumDenseResourceGetBlob(MlirAttribute attribute, const uint8_t **data, size_t *size);

/// The key of a dense_resource attribute; the empty string for any other attribute.
MlirStringRef strumDenseResourceGetKey(MlirAttribute attribute);

/// Frees the bytes of all dense_resource attributes of the context that neither `root` nor an operation in it refers to; of all, if
/// `root` is null. The attributes stay valid, without elements.
void strumReleaseUnusedResources(MlirContext context, MlirOperation root);

typedef enum { STRUM_ERROR, STRUM_WARNING, STRUM_REMARK } StrumSeverity;

/// Emits a diagnostic with notes.
void strumEmit(MlirLocation location, StrumSeverity severity, MlirStringRef message, intptr_t nNotes,
               const MlirLocation *noteLocations, const MlirStringRef *notes);

/// Parses a module, text or bytecode; `name` is the file name in locations. The bytes are copied. The null module after errors, which
/// carry the position in the file.
MlirModule strumParseBytes(MlirContext context, MlirStringRef bytes, MlirStringRef name);

/// Parses and verifies bytecode, and writes it again to `out` in pieces: the same operation, including resources that no dialect
/// knows. False after errors.
bool strumRewriteBytecode(MlirContext context, MlirStringRef bytes, MlirStringRef name, MlirStringCallback out, void *userData);

/// Drops all references of an operation and its nested operations, so that it may be destroyed later, in any order. The operation
/// must have been removed from its block, and no operation outside may use its results.
void strumOperationDropAllReferences(MlirOperation op);

/// Whether the operation can be removed when none of its results is used.
bool strumOperationIsTriviallyDead(MlirOperation op);

/// The number of attributes that the operation's definition declares.
intptr_t strumOperationGetNumDeclaredAttributes(MlirOperation op);

/// The name of one of them.
MlirStringRef strumOperationGetDeclaredAttribute(MlirOperation op, intptr_t index);

#ifdef __cplusplus
}
#endif
