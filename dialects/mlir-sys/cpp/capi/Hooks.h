// Functions that Rust implements for the dialects.

#pragma once

#include "mlir-c/IR.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  STRUM_FIELD_INT,
  STRUM_FIELD_FLAG,
  STRUM_FIELD_KEYWORD,
  STRUM_FIELD_ADDRESS,
  STRUM_FIELD_BARRIERS,
} StrumFieldKind;

/// A field of an instruction, as needed for parsing and printing.
typedef struct {
  MlirStringRef name;
  StrumFieldKind kind;
  intptr_t count;               // of integers; 1 unless the field is an array
  int64_t neutral;              // the default of an integer
  MlirStringRef neutralKeyword; // the default of a keyword
} StrumField;

/// A field of a weight format, as needed for parsing and printing.
typedef struct {
  MlirStringRef name;
  MlirStringRef word; // the keyword for the value -1; empty if there is none
  bool isFlag;        // the name alone, for the value 1
} StrumFormatField;

typedef struct {
  /// Verifies one operation of the strum or dpu dialect, after its declared constraints. Reports violations as MLIR errors.
  /// Called on any thread.
  MlirLogicalResult (*verify)(MlirOperation op);
  /// Verifies an attribute that `op` does not declare and whose name begins with `strum.` or `dpu.`; if not `onOperation`, it is one of an
  /// argument or a result. Reports and is called as `verify`.
  MlirLogicalResult (*verifyAttribute)(MlirOperation op, MlirStringRef name, MlirAttribute value, bool onOperation);
  /// The fields of the instruction `mnemonic`, in table order: their number, and a pointer that is valid for the life of the process.
  intptr_t (*fields)(MlirStringRef mnemonic, const StrumField **fields);
  /// The fields of the weight format `method`: their number, and a pointer that is valid for the life of the process; -1 for an unknown
  /// method.
  intptr_t (*formatFields)(MlirStringRef method, const StrumFormatField **fields);
  /// Reports the error in the values of a format's fields; nothing if they are legal.
  void (*formatFault)(MlirStringRef method, intptr_t nValues, const int64_t *values, MlirStringCallback reason, void *userData);
} StrumHooks;

/// Registers both dialects, and installs their hooks, process-wide: the dialects must not have been loaded in any other way.
void strumInsertDialects(MlirDialectRegistry registry, StrumHooks hooks);

#ifdef __cplusplus
}
#endif
