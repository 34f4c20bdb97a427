// Passes and pipelines written in Rust, as members of MLIR's own registry.

#pragma once

#include "mlir-c/IR.h"
#include "mlir-c/Pass.h"

#ifdef __cplusplus
extern "C" {
#endif

/// An option of a pass or pipeline, for MLIR's help, listings and printed pipelines; Rust parses its text.
typedef struct {
  MlirStringRef name;
  MlirStringRef description;
  MlirStringRef valueName; // placeholder for the value in help
  MlirStringRef defaultValue;
} StrumOption;

/// A pass that is running.
typedef struct {
  void *ptr;
} StrumPass;

typedef struct {
  MlirTypeID id; // unique for each pass, from an address that nothing else has
  MlirStringRef argument;
  MlirStringRef description;
  MlirStringRef opName; // the empty string: any operation
  intptr_t nDialects;
  const MlirDialectHandle *dialects; // the dialects that the pass may create operations of
  intptr_t nOptions;
  const StrumOption *options;
  /// Reads options. Returns their value, which the caller owns, and passes their text, defaults omitted, to `answer`; or returns null
  /// and passes the reason.
  void *(*read)(MlirStringRef text, MlirStringCallback answer, void *answerData);
  /// Destroys a value.
  void (*drop)(void *value);
  /// Runs with a value, which clones of the pass share on all threads.
  MlirLogicalResult (*run)(MlirOperation op, StrumPass pass, const void *value);
} StrumPassDesc;

/// A description that lives as long as the process.
typedef struct {
  const void *ptr;
} StrumPassSpec;

/// Copies a description.
StrumPassSpec strumPassSpecCreate(const StrumPassDesc *desc);

/// Registers a pass with MLIR.
void strumRegisterPass(StrumPassSpec spec);

/// A pass with a value of its options, which it takes ownership of, and their text. The caller owns the pass.
MlirPass strumPassCreate(StrumPassSpec spec, void *value, MlirStringRef text);

/// Adds a pass to a pass manager, which takes ownership of it; or destroys it, fails, and passes the reason to
/// `error`.
MlirLogicalResult strumOpPassManagerAddPass(MlirOpPassManager manager, MlirPass pass, MlirStringCallback error,
                                            void *errorData);

/// Declares that the running pass has changed nothing.
void strumPassMarkAllAnalysesPreserved(StrumPass pass);

typedef struct {
  MlirStringRef argument;
  MlirStringRef description;
  intptr_t nOptions;
  const StrumOption *options;
  /// Adds the passes for the options of this text to the pass manager; or fails and passes the reason to
  /// `error`.
  MlirLogicalResult (*build)(MlirStringRef options, MlirOpPassManager manager, MlirStringCallback error, void *errorData);
} StrumPipelineDesc;

/// Puts a pipeline into MLIR's registry: `--<argument>="option=value …"`. The description is copied.
void strumRegisterPipeline(const StrumPipelineDesc *desc);

#ifdef __cplusplus
}
#endif
