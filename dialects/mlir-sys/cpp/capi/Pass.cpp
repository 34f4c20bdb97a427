// Passes and pipelines written in Rust, as members of MLIR's own registry.

#include "capi/Pass.h"

#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Pass.h"
#include "mlir/CAPI/Support.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;
using mlir::detail::PassOptions;

namespace {

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

/// A copy of a StrumOption. The command line keeps references to the strings, so it must outlive the options made from it.
struct OptionSpec {
  std::string name, description, valueName, defaultValue;
};

std::vector<OptionSpec> copyOptions(intptr_t n, const StrumOption *options) {
  std::vector<OptionSpec> specs;
  for (const StrumOption &o : ArrayRef(options, n))
    specs.push_back({unwrap(o.name).str(), unwrap(o.description).str(), unwrap(o.valueName).str(),
                     unwrap(o.defaultValue).str()});
  return specs;
}

/// Options as MLIR lists and prints them. Their values are text, so that a printed pipeline holds the text as written and not a
/// rounded number. `Parent` is their owner, a Pass or a PassOptions.
template <typename Option> class OptionTable {
public:
  template <typename Parent> OptionTable(Parent &parent, const std::vector<OptionSpec> &specs) {
    for (const OptionSpec &spec : specs)
      options.push_back(std::make_unique<Option>(parent, spec.name, llvm::cl::desc(spec.description),
                                                 llvm::cl::value_desc(spec.valueName),
                                                 llvm::cl::init(spec.defaultValue)));
  }

private:
  std::vector<std::unique_ptr<Option>> options;
};

void append(MlirStringRef text, void *to) { *static_cast<std::string *>(to) += unwrap(text); }

//===----------------------------------------------------------------------===//
// Passes
//===----------------------------------------------------------------------===//

struct PassSpec {
  TypeID id;
  std::string argument, description, opName;
  std::vector<MlirDialectHandle> dialects;
  std::vector<OptionSpec> options;
  void *(*read)(MlirStringRef, MlirStringCallback, void *);
  void (*drop)(void *);
  MlirLogicalResult (*run)(MlirOperation, StrumPass, const void *);
};

class RustPass : public Pass {
public:
  /// Takes ownership of the value.
  RustPass(const PassSpec &spec, void *value) : RustPass(spec, std::shared_ptr<void>(value, spec.drop)) {}

  StringRef getName() const override { return spec.argument; }
  StringRef getArgument() const override { return spec.argument; }
  StringRef getDescription() const override { return spec.description; }

  bool canScheduleOn(RegisteredOperationName name) const override {
    return !getOpName() || name.getStringRef() == *getOpName();
  }

  void getDependentDialects(DialectRegistry &registry) const override {
    for (MlirDialectHandle dialect : spec.dialects)
      mlirDialectHandleInsertDialect(dialect, wrap(&registry));
  }

  LogicalResult initializeOptions(StringRef text,
                                  function_ref<LogicalResult(const Twine &)> errorHandler) override {
    std::string answer;
    void *read = spec.read(wrap(text), append, &answer);
    if (!read)
      return errorHandler(answer);
    value = std::shared_ptr<void>(read, spec.drop);
    return show(answer, errorHandler);
  }

  /// Passes the text of the options to MLIR.
  LogicalResult show(StringRef text, function_ref<LogicalResult(const Twine &)> errorHandler) {
    return Pass::initializeOptions(text, errorHandler);
  }

  std::unique_ptr<Pass> clonePass() const override { return std::unique_ptr<Pass>(new RustPass(spec, value)); }

  void runOnOperation() override {
    if (failed(unwrap(spec.run(wrap(getOperation()), {this}, value.get()))))
      signalPassFailure();
  }

  using Pass::getOpName;
  using Pass::markAllAnalysesPreserved;

private:
  // The options of a pass are declared through a type that is protected in Pass.
  struct PassOption : Pass::Option<std::string> { using Pass::Option<std::string>::Option; };

  RustPass(const PassSpec &spec, std::shared_ptr<void> value)
      : Pass(spec.id, spec.opName.empty() ? std::nullopt : std::optional<StringRef>(spec.opName)), spec(spec),
        value(std::move(value)), options(*this, spec.options) {}

  const PassSpec &spec;
  std::shared_ptr<void> value; // the options as parsed by Rust
  OptionTable<PassOption> options;
};

RustPass &unwrap(StrumPass pass) { return *static_cast<RustPass *>(pass.ptr); }

const PassSpec &unwrap(StrumPassSpec spec) { return *static_cast<const PassSpec *>(spec.ptr); }

/// Passes the reason of a failure to Rust.
LogicalResult fail(const Twine &reason, MlirStringCallback error, void *errorData) {
  std::string text = reason.str();
  error(wrap(StringRef(text)), errorData);
  return failure();
}

} // namespace

StrumPassSpec strumPassSpecCreate(const StrumPassDesc *desc) {
  // Never freed: the registry and its passes refer to it.
  auto *spec = new PassSpec{unwrap(desc->id),
                            unwrap(desc->argument).str(),
                            unwrap(desc->description).str(),
                            unwrap(desc->opName).str(),
                            {desc->dialects, desc->dialects + desc->nDialects},
                            copyOptions(desc->nOptions, desc->options),
                            desc->read,
                            desc->drop,
                            desc->run};
  return {spec};
}

void strumRegisterPass(StrumPassSpec handle) {
  const PassSpec &spec = unwrap(handle);
  registerPass([&spec]() -> std::unique_ptr<Pass> {
    std::string ignored;
    return std::make_unique<RustPass>(spec, spec.read(wrap(StringRef()), append, &ignored));
  });
}

MlirPass strumPassCreate(StrumPassSpec spec, void *value, MlirStringRef text) {
  auto pass = std::make_unique<RustPass>(unwrap(spec), value);
  // The text was written by Rust and is valid; only printed pipelines use it.
  (void)pass->show(unwrap(text), [](const Twine &) { return failure(); });
  return wrap(static_cast<Pass *>(pass.release()));
}

MlirLogicalResult strumOpPassManagerAddPass(MlirOpPassManager manager, MlirPass raw, MlirStringCallback error,
                                            void *errorData) {
  std::unique_ptr<RustPass> pass(static_cast<RustPass *>(unwrap(raw)));
  OpPassManager &to = *unwrap(manager);
  std::optional<StringRef> runsOn = pass->getOpName(), intended = to.getOpName();
  // As in MLIR's pipeline parser, whose addPass ends the process.
  if (to.getNesting() == OpPassManager::Nesting::Explicit && runsOn && intended && *runsOn != *intended)
    return wrap(fail("Can't add pass '" + pass->getName() + "' restricted to '" + *runsOn +
                         "' on a PassManager intended to run on '" + *intended + "', did you intend to nest?",
                     error, errorData));
  to.addPass(std::move(pass));
  return wrap(success());
}

void strumPassMarkAllAnalysesPreserved(StrumPass pass) { unwrap(pass).markAllAnalysesPreserved(); }

//===----------------------------------------------------------------------===//
// Pipelines
//===----------------------------------------------------------------------===//

namespace {

/// The options of a pipeline, as MLIR lists them.
struct PipelineOptions : PassOptions {
  explicit PipelineOptions(const std::vector<OptionSpec> &specs) : table(static_cast<PassOptions &>(*this), specs) {}
  OptionTable<PassOptions::Option<std::string>> table;
};

} // namespace

void strumRegisterPipeline(const StrumPipelineDesc *desc) {
  auto specs = std::make_shared<std::vector<OptionSpec>>(copyOptions(desc->nOptions, desc->options));
  auto build = desc->build;
  registerPassPipeline(
      unwrap(desc->argument), unwrap(desc->description),
      [build](OpPassManager &manager, StringRef text,
              function_ref<LogicalResult(const Twine &)> errorHandler) -> LogicalResult {
        std::string error;
        if (failed(unwrap(build(wrap(text), wrap(&manager), append, &error))))
          return errorHandler(error);
        return success();
      },
      [specs](function_ref<void(const PassOptions &)> handle) { handle(PipelineOptions(*specs)); });
}
