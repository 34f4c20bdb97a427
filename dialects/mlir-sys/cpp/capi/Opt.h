// The work of mlir-opt, with diagnostics, input and output in the caller's hands.

#pragma once

#include "mlir-c/Diagnostics.h"
#include "mlir-c/IR.h"

#ifdef __cplusplus
extern "C" {
#endif

/// What a command line says that the caller has to know. The strings live as long as the process.
typedef struct {
  MlirStringRef input;  // `-` is standard input
  MlirStringRef output; // `-` is standard output
  MlirStringRef irdl;   // file with dialects, or the empty string
  bool allowUnregistered;
  bool lists; // dialects or passes are listed, and nothing is read
} StrumOptLine;

/// Declares mlir-opt's options and reads a command line, once for each process. False if it is wrong, which has been said on standard
/// error. Ends the process after what `--help` prints.
bool strumOptReadLine(int argc, const char *const *argv, MlirStringRef title, MlirDialectRegistry registry, StrumOptLine *line);

/// Something to be read, with the name that locations have.
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
  bool usage;     // if it failed, the command line was wrong
  int writeError; // of the output, as errno has it; 0 if none
} StrumOptResult;

/// Does what the command line says that was read last.
StrumOptResult strumOptRun(const StrumOptJob *job, MlirDialectRegistry registry);

#ifdef __cplusplus
}
#endif
