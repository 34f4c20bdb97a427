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
  std::string name, description, defaultValue;
  StrumOptionKind kind;
};

std::vector<OptionSpec> copyOptions(intptr_t n, const StrumOption *options) {
  std::vector<OptionSpec> specs;
  for (const StrumOption &o : ArrayRef(options, n))
    specs.push_back({unwrap(o.name).str(), unwrap(o.description).str(), unwrap(o.defaultValue).str(), o.kind});
  return specs;
}

/// Options with their values. `Parent` is what they belong to, a Pass or a PassOptions.
class OptionTable {
public:
  template <template <typename> class Option, typename Parent>
  void fill(Parent &parent, const std::vector<OptionSpec> &specs) {
    for (const OptionSpec &spec : specs) {
      StringRef text = spec.defaultValue;
      switch (spec.kind) {
      case STRUM_OPTION_BOOL:
        add<Option<bool>>(parent, spec, llvm::cl::init(text == "true"));
        break;
      case STRUM_OPTION_I64: {
        int64_t value = 0;
        (void)text.getAsInteger(10, value);
        add<Option<int64_t>>(parent, spec, llvm::cl::init(value));
        break;
      }
      case STRUM_OPTION_F64: {
        double value = 0;
        (void)text.getAsDouble(value);
        add<Option<double>>(parent, spec, llvm::cl::init(value));
        break;
      }
      case STRUM_OPTION_STRING:
        add<Option<std::string>>(parent, spec, llvm::cl::init(spec.defaultValue));
        break;
      }
    }
  }

  template <typename T> const T &get(intptr_t index) const { return static_cast<const T &>(*options[index]); }

private:
  template <typename T, typename Parent, typename... Args>
  void add(Parent &parent, const OptionSpec &spec, Args &&...args) {
    options.push_back(
        std::make_unique<T>(parent, spec.name, llvm::cl::desc(spec.description), std::forward<Args>(args)...));
  }

  std::vector<std::unique_ptr<llvm::cl::Option>> options;
};

const OptionTable &unwrap(StrumOptionValues values) { return *static_cast<const OptionTable *>(values.ptr); }

template <typename T> using FreeOption = PassOptions::Option<T>;

//===----------------------------------------------------------------------===//
// Passes
//===----------------------------------------------------------------------===//

struct PassSpec {
  TypeID id;
  std::string name, argument, description, opName;
  std::vector<MlirDialectHandle> dialects;
  std::vector<OptionSpec> options;
  const void *userData;
  MlirLogicalResult (*run)(MlirOperation, StrumPass, StrumOptionValues, const void *);
};

class RustPass : public Pass {
public:
  explicit RustPass(std::shared_ptr<const PassSpec> spec)
      : Pass(spec->id, spec->opName.empty() ? std::nullopt : std::optional<StringRef>(spec->opName)),
        spec(std::move(spec)) {
    options.fill<PassOption>(*this, this->spec->options);
  }

  StringRef getName() const override { return spec->name; }
  StringRef getArgument() const override { return spec->argument; }
  StringRef getDescription() const override { return spec->description; }

  bool canScheduleOn(RegisteredOperationName name) const override {
    return !getOpName() || name.getStringRef() == *getOpName();
  }

  void getDependentDialects(DialectRegistry &registry) const override {
    for (MlirDialectHandle dialect : spec->dialects)
      mlirDialectHandleInsertDialect(dialect, wrap(&registry));
  }

  std::unique_ptr<Pass> clonePass() const override { return std::make_unique<RustPass>(spec); }

  void runOnOperation() override {
    if (failed(unwrap(spec->run(wrap(getOperation()), {this}, {&options}, spec->userData))))
      signalPassFailure();
  }

  using Pass::markAllAnalysesPreserved;

private:
  // The options of a pass are declared through types that Pass keeps to its subclasses.
  template <typename T> struct PassOption : Pass::Option<T> { using Pass::Option<T>::Option; };

  std::shared_ptr<const PassSpec> spec;
  OptionTable options;
};

RustPass &unwrap(StrumPass pass) { return *static_cast<RustPass *>(pass.ptr); }

} // namespace

bool strumOptionGetBool(StrumOptionValues values, intptr_t index) {
  return unwrap(values).get<FreeOption<bool>>(index).getValue();
}

int64_t strumOptionGetI64(StrumOptionValues values, intptr_t index) {
  return unwrap(values).get<FreeOption<int64_t>>(index).getValue();
}

double strumOptionGetF64(StrumOptionValues values, intptr_t index) {
  return unwrap(values).get<FreeOption<double>>(index).getValue();
}

MlirStringRef strumOptionGetString(StrumOptionValues values, intptr_t index) {
  return wrap(StringRef(unwrap(values).get<FreeOption<std::string>>(index).getValue()));
}

void strumRegisterPass(const StrumPassDesc *desc) {
  auto spec = std::make_shared<PassSpec>();
  spec->id = unwrap(desc->id);
  spec->name = unwrap(desc->name).str();
  spec->argument = unwrap(desc->argument).str();
  spec->description = unwrap(desc->description).str();
  spec->opName = unwrap(desc->opName).str();
  spec->dialects.assign(desc->dialects, desc->dialects + desc->nDialects);
  spec->options = copyOptions(desc->nOptions, desc->options);
  spec->userData = desc->userData;
  spec->run = desc->run;
  registerPass([spec]() -> std::unique_ptr<Pass> { return std::make_unique<RustPass>(spec); });
}

void strumPassMarkAllAnalysesPreserved(StrumPass pass) { unwrap(pass).markAllAnalysesPreserved(); }

//===----------------------------------------------------------------------===//
// Pipelines
//===----------------------------------------------------------------------===//

namespace {

/// The options of one use of a pipeline.
struct PipelineOptions : PassOptions {
  explicit PipelineOptions(const std::vector<OptionSpec> &specs) {
    table.fill<FreeOption>(static_cast<PassOptions &>(*this), specs);
  }
  OptionTable table;
};

void append(MlirStringRef text, void *to) { *static_cast<std::string *>(to) += unwrap(text); }

} // namespace

void strumRegisterPipeline(const StrumPipelineDesc *desc) {
  auto specs = std::make_shared<std::vector<OptionSpec>>(copyOptions(desc->nOptions, desc->options));
  auto build = desc->build;
  const void *userData = desc->userData;
  registerPassPipeline(
      unwrap(desc->argument), unwrap(desc->description),
      [specs, build, userData](OpPassManager &manager, StringRef text,
                               function_ref<LogicalResult(const Twine &)> errorHandler) -> LogicalResult {
        PipelineOptions options(*specs);
        std::string error;
        llvm::raw_string_ostream errors(error);
        if (failed(options.parseFromString(text, errors)))
          return errorHandler(error);
        std::string pipeline;
        if (failed(unwrap(build({&options.table}, append, &pipeline, userData))))
          return errorHandler(pipeline);
        if (failed(parsePassPipeline(pipeline, manager, errors)))
          return errorHandler(error);
        return success();
      },
      [specs](function_ref<void(const PassOptions &)> handle) { handle(PipelineOptions(*specs)); });
}
