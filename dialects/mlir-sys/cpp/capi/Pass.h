// Passes and pipelines written in Rust, as members of MLIR's own registry.

#pragma once

#include "mlir-c/IR.h"
#include "mlir-c/Pass.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { STRUM_OPTION_BOOL, STRUM_OPTION_I64, STRUM_OPTION_F64, STRUM_OPTION_STRING } StrumOptionKind;

/// An option of a pass or pipeline. `defaultValue` is the option's text: `true`, `12`, `0.5`, a string.
typedef struct {
  MlirStringRef name;
  MlirStringRef description;
  MlirStringRef defaultValue;
  StrumOptionKind kind;
} StrumOption;

/// The options of one run, in the order of their declaration. Valid during the callback that receives it.
typedef struct {
  const void *ptr;
} StrumOptionValues;

bool strumOptionGetBool(StrumOptionValues values, intptr_t index);
int64_t strumOptionGetI64(StrumOptionValues values, intptr_t index);
double strumOptionGetF64(StrumOptionValues values, intptr_t index);
MlirStringRef strumOptionGetString(StrumOptionValues values, intptr_t index);

/// A pass that is running.
typedef struct {
  void *ptr;
} StrumPass;

typedef struct {
  MlirTypeID id; // one for each pass, of an address that nothing else has
  MlirStringRef name;
  MlirStringRef argument;
  MlirStringRef description;
  MlirStringRef opName; // the empty string: any operation
  intptr_t nDialects;
  const MlirDialectHandle *dialects; // the dialects that the pass may create operations of
  intptr_t nOptions;
  const StrumOption *options;
  const void *userData; // shared by all clones on all threads, for the life of the process
  MlirLogicalResult (*run)(MlirOperation op, StrumPass pass, StrumOptionValues options, const void *userData);
} StrumPassDesc;

/// Puts a pass into MLIR's registry. The description is copied.
void strumRegisterPass(const StrumPassDesc *desc);

/// Declares that the running pass has changed nothing.
void strumPassMarkAllAnalysesPreserved(StrumPass pass);

typedef struct {
  MlirStringRef argument;
  MlirStringRef description;
  intptr_t nOptions;
  const StrumOption *options;
  const void *userData;
  /// Hands the textual pipeline for the options, without its anchor, to `text`; or fails and hands it the reason.
  MlirLogicalResult (*build)(StrumOptionValues options, MlirStringCallback text, void *textData, const void *userData);
} StrumPipelineDesc;

/// Puts a pipeline into MLIR's registry: `--<argument>="option=value …"`. The description is copied.
void strumRegisterPipeline(const StrumPipelineDesc *desc);

#ifdef __cplusplus
}
#endif
