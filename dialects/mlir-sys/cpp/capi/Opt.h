// The work of mlir-opt, with diagnostics, input and output under the caller's control.

#pragma once

#include "mlir-c/Diagnostics.h"
#include "mlir-c/IR.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The parts of a command line that the caller needs. The strings live as long as the process.
typedef struct {
  MlirStringRef input;  // `-` is standard input
  MlirStringRef output; // `-` is standard output
  MlirStringRef irdl;   // file with dialects, or the empty string
  bool allowUnregistered;
  bool lists; // dialects or passes are listed, and nothing is read
} StrumOptLine;

/// Declares mlir-opt's options and reads a command line, once per process. False if it is invalid, which has been reported on
/// standard error. Ends the process after printing `--help`.
bool strumOptReadLine(int argc, const char *const *argv, MlirStringRef title, MlirDialectRegistry registry, StrumOptLine *line);

/// An input, with its name in locations.
typedef struct {
  MlirStringRef name;
  MlirStringRef bytes;
} StrumOptSource;

typedef struct {
  StrumOptSource input;
  StrumOptSource irdl; // empty bytes: none
  int output;          // a file descriptor, which stays open
  /// Receives each diagnostic, on any thread; without its notes if `notes` is false. Not called with --verify-diagnostics.
  void (*diagnostic)(MlirDiagnostic diagnostic, bool notes, void *userData);
  void *userData;
} StrumOptJob;

typedef struct {
  bool success;
  bool usage;     // the failure is an invalid command line
  int writeError; // errno of writing the output; 0 if none
} StrumOptResult;

/// Executes the command line that was read last.
StrumOptResult strumOptRun(const StrumOptJob *job, MlirDialectRegistry registry);

#ifdef __cplusplus
}
#endif
