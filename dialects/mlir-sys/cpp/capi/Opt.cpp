// The work of mlir-opt, with diagnostics, input and output under the caller's control.
//
// MlirOptMain verifies what it parses before anyone can inspect it, and opens the files that locations name; hence the
// driver is written here, from the parts that MLIR provides for such tools.

#include "capi/Opt.h"

#include "parsed/Parsed.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/CAPI/Diagnostics.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Support.h"
#include "mlir/Debug/CLOptionsSetup.h"
#include "mlir/Dialect/IRDL/IR/IRDL.h"
#include "mlir/Dialect/IRDL/IRDLLoading.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Remark/RemarkStreamer.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Support/Timing.h"
#include "mlir/Support/ToolUtilities.h"
#include "mlir/Tools/ParseUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

#include <unistd.h>

using namespace mlir;

//===----------------------------------------------------------------------===//
// The command line
//===----------------------------------------------------------------------===//

namespace {
/// The positional argument and -o, which mlir-opt declares where it parses.
struct FileOptions {
  llvm::cl::opt<std::string> input{llvm::cl::Positional, llvm::cl::desc("<input file>"), llvm::cl::init("-")};
  llvm::cl::opt<std::string> output{"o", llvm::cl::desc("Output filename"), llvm::cl::value_desc("filename"),
                                    llvm::cl::init("-")};
};
} // namespace

/// Runs at process exit, for output printed by LLVM: a reader that closes early is not a failure; anything else is, and is
/// reported like any other.
static void finishStandardOutput() {
  llvm::raw_fd_ostream &out = llvm::outs();
  out.flush();
  std::error_code error = out.error();
  out.clear_error();
  if (!error || error == std::errc::broken_pipe)
    return;
  llvm::errs() << "strum-opt: error: <stdout>: " << error.message() << "\n";
  _exit(EXIT_FAILURE);
}

bool strumOptReadLine(int argc, const char *const *argv, MlirStringRef title, MlirDialectRegistry registry,
                      StrumOptLine *line) {
  static FileOptions files;
  llvm::outs(); // created first, so that it is destroyed after the function runs
  std::atexit(finishStandardOutput);
  std::string help = registerCLIOptions(unwrap(title), *unwrap(registry));
  // With a stream for errors, they do not end the process.
  if (!llvm::cl::ParseCommandLineOptions(argc, argv, help, &llvm::errs()))
    return false;
  static MlirOptMainConfig config = MlirOptMainConfig::createFromCLOptions();
  *line = {wrap(StringRef(files.input.getValue())),
           wrap(StringRef(files.output.getValue())),
           wrap(config.getIrdlFile()),
           config.shouldAllowUnregisteredDialects(),
           config.shouldShowDialects() || config.shouldListPasses()};
  return true;
}

//===----------------------------------------------------------------------===//
// Diagnostics
//===----------------------------------------------------------------------===//

namespace {

/// Forwards diagnostics of the severities that the user asked for.
class Teller : public ScopedDiagnosticHandler {
public:
  Teller(MLIRContext *context, const MlirOptMainConfig &config, const StrumOptJob &job) : ScopedDiagnosticHandler(context) {
    setHandler([&](Diagnostic &diagnostic) {
      DiagnosticSeverity severity = diagnostic.getSeverity();
      VerbosityLevel level = config.getDiagnosticVerbosityLevel();
      bool shown = severity == DiagnosticSeverity::Error || level == VerbosityLevel::ErrorsWarningsAndRemarks ||
                   (severity == DiagnosticSeverity::Warning && level == VerbosityLevel::ErrorsAndWarnings);
      if (shown)
        job.diagnostic(wrap(diagnostic), config.shouldShowNotes(), job.userData);
      return success();
    });
  }
};

/// Keeps MLIR's checker of expected diagnostics from opening any file but the input: a diagnostic elsewhere gets its position in
/// its text.
class Localizer : public ScopedDiagnosticHandler {
public:
  Localizer(MLIRContext *context, StringRef input) : ScopedDiagnosticHandler(context) {
    setHandler([context, input](Diagnostic &diagnostic) -> LogicalResult {
      bool local = isLocal(diagnostic.getLocation(), input);
      for (Diagnostic &note : diagnostic.getNotes())
        local &= isLocal(note.getLocation(), input);
      if (local)
        return failure(); // left to the next handler
      Diagnostic moved(moveTo(diagnostic.getLocation(), input), diagnostic.getSeverity());
      put(moved, diagnostic, input);
      for (Diagnostic &note : diagnostic.getNotes())
        put(moved.attachNote(moveTo(note.getLocation(), input)), note, input);
      context->getDiagEngine().emit(std::move(moved));
      return success();
    });
  }

private:
  static bool isLocal(Location location, StringRef input) {
    bool local = true;
    location->walk([&](Location part) {
      if (auto file = dyn_cast<FileLineColRange>(LocationAttr(part)))
        local &= file.getFilename() == input;
      return WalkResult::advance();
    });
    return local;
  }

  /// The first location in the input, or the unknown one.
  static Location moveTo(Location location, StringRef input) {
    Location found = UnknownLoc::get(location.getContext());
    location->walk([&](Location part) {
      auto file = dyn_cast<FileLineColRange>(LocationAttr(part));
      if (!file || file.getFilename() != input)
        return WalkResult::advance();
      found = part;
      return WalkResult::interrupt();
    });
    return found;
  }

  static void put(Diagnostic &to, Diagnostic &from, StringRef input) {
    to << from.str();
    if (!isLocal(from.getLocation(), input) && isa<UnknownLoc>(moveTo(from.getLocation(), input)))
      to << " (at " << from.getLocation() << ")";
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// The work
//===----------------------------------------------------------------------===//

namespace {

/// One chunk of the input, or all of it.
class Chunk {
public:
  Chunk(const MlirOptMainConfig &config, const StrumOptJob &job, MLIRContext *context)
      : config(config), job(job), context(context) {}

  LogicalResult run(const std::shared_ptr<llvm::SourceMgr> &sources, raw_ostream &os);

  /// Whether the command line is invalid.
  bool usage = false;

private:
  LogicalResult loadIrdl(MLIRContext *into);
  LogicalResult roundTrip(Operation *op, bool bytecode);
  LogicalResult enableRemarks();
  LogicalResult setUp(PassManager &manager, TimingScope &timing, PassReproducerOptions &reproducer);
  LogicalResult write(Operation *op, FallbackAsmResourceMap &others, raw_ostream &os);

  const MlirOptMainConfig &config;
  const StrumOptJob &job;
  MLIRContext *context;
};

} // namespace

LogicalResult Chunk::loadIrdl(MLIRContext *into) {
  StringRef text = unwrap(job.irdl.bytes);
  if (text.empty())
    return success();
  into->getOrLoadDialect<irdl::IRDLDialect>();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, into, unwrap(job.irdl.name));
  return module ? irdl::loadDialects(*module) : failure();
}

/// Writes the operation, reads it again, and compares both.
LogicalResult Chunk::roundTrip(Operation *op, bool bytecode) {
  OpPrintingFlags flags = OpPrintingFlags().printGenericOpForm().enableDebugInfo();
  auto print = [&](Operation *what) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    what->print(stream, flags);
    return text;
  };
  std::string reference = print(op), written = bytecode ? std::string() : reference, found;
  llvm::raw_string_ostream stream(written);
  bool isWritten = !bytecode || succeeded(writeBytecodeToFile(op, stream));
  // A separate context, in which resources keep their names.
  MLIRContext other(context->getDialectRegistry());
  other.allowUnregisteredDialects(context->allowsUnregisteredDialects());
  Teller teller(&other, config, job);
  if (failed(loadIrdl(&other)))
    return failure();
  FallbackAsmResourceMap others;
  auto again = parseSourceString<Operation *>(written, ParserConfig(&other, /*verifyAfterParse=*/false, &others));
  if (isWritten && again && succeeded(strum::verifyParsed(*again, config.shouldVerifyOnParsing())))
    found = print(*again);
  if (found == reference)
    return success();
  InFlightDiagnostic error = op->emitOpError() << "is not preserved by a round trip through " << (bytecode ? "bytecode" : "text");
  error.attachNote() << "written:\n" << reference;
  if (!found.empty())
    error.attachNote() << "read:\n" << found;
  return error;
}

LogicalResult Chunk::enableRemarks() {
  remark::RemarkCategories categories{config.getRemarksAllFilter(), config.getRemarksPassedFilter(),
                                      config.getRemarksMissedFilter(), config.getRemarksAnalyseFilter(),
                                      config.getRemarksFailedFilter()};
  std::unique_ptr<remark::detail::RemarkEmittingPolicyBase> policy;
  if (config.getRemarkPolicy() == RemarkPolicy::REMARK_POLICY_FINAL)
    policy = std::make_unique<remark::RemarkEmittingPolicyFinal>();
  else
    policy = std::make_unique<remark::RemarkEmittingPolicyAll>();
  std::string file = config.getRemarksOutputFile();
  auto toFile = [&](StringRef standard, llvm::remarks::Format format) {
    return remark::enableOptimizationRemarksWithLLVMStreamer(*context, file.empty() ? standard : StringRef(file), format,
                                                             std::move(policy), categories);
  };
  switch (config.getRemarkFormat()) {
  case RemarkFormat::REMARK_FORMAT_YAML:
    return toFile("mlir-remarks.yaml", llvm::remarks::Format::YAML);
  case RemarkFormat::REMARK_FORMAT_BITSTREAM:
    return toFile("mlir-remarks.bitstream", llvm::remarks::Format::Bitstream);
  case RemarkFormat::REMARK_FORMAT_STDOUT:
    break;
  }
  return remark::enableOptimizationRemarks(*context, nullptr, std::move(policy), categories, /*printAsEmitRemarks=*/true);
}

/// Fills the pass manager, from a reproducer and from the command line.
LogicalResult Chunk::setUp(PassManager &manager, TimingScope &timing, PassReproducerOptions &reproducer) {
  manager.enableVerifier(config.shouldVerifyPasses());
  usage = true;
  if (failed(applyPassManagerCLOptions(manager)))
    return failure();
  manager.enableTiming(timing);
  usage = false;
  if (config.shouldRunReproducer() && failed(reproducer.apply(manager)))
    return failure();
  usage = true;
  if (failed(config.setupPassPipeline(manager)))
    return failure();
  usage = false;
  return success();
}

LogicalResult Chunk::write(Operation *op, FallbackAsmResourceMap &others, raw_ostream &os) {
  std::optional<int64_t> version = config.bytecodeVersionToEmit();
  if (config.shouldEmitBytecode()) {
    BytecodeWriterConfig writer(others);
    if (version)
      writer.setDesiredBytecodeVersion(*version);
    if (config.shouldElideResourceDataFromBytecode())
      writer.setElideResourceDataFlag();
    return writeBytecodeToFile(op, os, writer);
  }
  if (version) {
    usage = true;
    return emitError(UnknownLoc::get(context), "--emit-bytecode-version takes --emit-bytecode");
  }
  AsmState state(op, OpPrintingFlags(), /*locationMap=*/nullptr, &others);
  os << OpWithState(op, state) << '\n';
  return success();
}

LogicalResult Chunk::run(const std::shared_ptr<llvm::SourceMgr> &sources, raw_ostream &os) {
  if (failed(loadIrdl(context)))
    return failure();
  context->allowUnregisteredDialects(config.shouldAllowUnregisteredDialects());
  tracing::InstallDebugHandler debugHandler(*context, config.getDebugConfig());

  DefaultTimingManager timingManager;
  applyDefaultTimingManagerCLOptions(timingManager);
  TimingScope timing = timingManager.getRootScope();

  PassReproducerOptions reproducer;
  FallbackAsmResourceMap others;
  ParserConfig parser(context, /*verifyAfterParse=*/false, &others);
  if (config.shouldRunReproducer())
    reproducer.attachResourceParser(parser);

  // A single thread parses faster without synchronization.
  bool threads = context->isMultithreadingEnabled();
  context->disableMultithreading();
  TimingScope parsing = timing.nest("Parser");
  auto op = parseSourceFileForTool(sources, parser, !config.shouldUseExplicitModule());
  if (!op || failed(strum::verifyParsed(*op, config.shouldVerifyOnParsing())))
    return failure();
  parsing.stop();
  if (config.shouldVerifyRoundtrip()) {
    bool text = succeeded(roundTrip(*op, /*bytecode=*/false)), bytecode = succeeded(roundTrip(*op, /*bytecode=*/true));
    if (!text || !bytecode)
      return failure();
  }
  context->enableMultithreading(threads);

  PassManager manager(op.get()->getName(), PassManager::Nesting::Implicit);
  if (failed(enableRemarks()) || failed(setUp(manager, timing, reproducer)) || failed(manager.run(*op)))
    return failure();
  if (!config.getReproducerFilename().empty())
    makeReproducer(manager.getAnyOpAnchorName(), manager.getPasses(), *op, config.getReproducerFilename());

  TimingScope writing = timing.nest("Output");
  if (failed(write(*op, others, os)))
    return failure();
  if (remark::detail::RemarkEngine *engine = context->getRemarkEngine())
    engine->getRemarkEmittingPolicy()->finalize();
  return success();
}

/// Prints the lists of dialects or passes.
static void list(const MlirOptMainConfig &config, DialectRegistry &registry) {
  if (!config.shouldShowDialects())
    return printRegisteredPasses();
  llvm::outs() << "Available Dialects: ";
  llvm::interleave(registry.getDialectNames(), llvm::outs(), ",");
  llvm::outs() << "\n";
}

StrumOptResult strumOptRun(const StrumOptJob *job, MlirDialectRegistry registry) {
  const MlirOptMainConfig config = MlirOptMainConfig::createFromCLOptions();
  StrumOptResult result = {/*success=*/true, /*usage=*/false, /*writeError=*/0};
  if (config.shouldShowDialects() || config.shouldListPasses()) {
    list(config, *unwrap(registry));
    return result;
  }
  StringRef name = unwrap(job->input.name);
  std::string error;
  std::unique_ptr<llvm::MemoryBuffer> input = strum::copyToParse(unwrap(job->input.bytes), name, error);
  if (!input) {
    llvm::errs() << name << ": error: " << error << "\n";
    return {false, false, 0};
  }

  // The thread pool of this context serves those of all chunks.
  MLIRContext threads;
  llvm::ThreadPoolInterface *pool = threads.isMultithreadingEnabled() ? &threads.getThreadPool() : nullptr;
  auto alias = [](llvm::MemoryBufferRef buffer) {
    return llvm::MemoryBuffer::getMemBuffer(buffer, /*RequiresNullTerminator=*/false);
  };
  llvm::SourceMgr whole;
  whole.AddNewSourceBuffer(alias(input->getMemBufferRef()), llvm::SMLoc());
  SourceMgrDiagnosticVerifierHandler expected(whole, &threads, config.verifyDiagnosticsLevel());

  auto chunk = [&](std::unique_ptr<llvm::MemoryBuffer> piece, const llvm::MemoryBufferRef &source,
                   raw_ostream &os) -> LogicalResult {
    auto sources = std::make_shared<llvm::SourceMgr>();
    // Lines are counted in the first buffer, and the last one is parsed.
    sources->AddNewSourceBuffer(alias(source), llvm::SMLoc());
    sources->AddNewSourceBuffer(std::move(piece), llvm::SMLoc());
    MLIRContext context(*unwrap(registry), MLIRContext::Threading::DISABLED);
    if (pool)
      context.setThreadPool(*pool);
    Chunk work(config, *job, &context);
    if (!config.shouldVerifyDiagnostics()) {
      Teller teller(&context, config, *job);
      LogicalResult done = work.run(sources, os);
      result.usage |= work.usage;
      return done;
    }
    expected.registerInContext(&context);
    Localizer localizer(&context, name);
    context.printOpOnDiagnostic(false);
    // The expected diagnostics decide, not success.
    (void)work.run(sources, os);
    return success();
  };
  llvm::raw_fd_ostream os(job->output, /*shouldClose=*/false);
  LogicalResult status = splitAndProcessBuffer(alias(input->getMemBufferRef()), chunk, os, config.inputSplitMarker(),
                                               config.outputSplitMarker());
  if (config.shouldVerifyDiagnostics() && failed(expected.verify()))
    status = failure();
  os.flush();
  result.writeError = os.error().value();
  os.clear_error();
  result.success = succeeded(status);
  return result;
}
