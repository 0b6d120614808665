//===- Compile.cpp - A source file -> libraries ---------------------------===//
//
// The spine, to be read downwards: one call a station, each of which takes one
// value and gives the next.
//
//===----------------------------------------------------------------------===//

#include "compiler/driver/Compile.h"

#include "compiler/driver/Backend.h"
#include "compiler/driver/Frontend.h"
#include "compiler/driver/Output.h"
#include "compiler/driver/Reports.h"
#include "compiler/emit/Library.h"
#include "compiler/import/Import.h"
#include "compiler/interpret/GradCheck.h"
#include "compiler/passes/Passes.h"
#include "dsl/Check.h"
#include "dsl/Parse.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/WithColor.h"

#include <sstream>

using namespace mlir;
using namespace nnc;
using namespace nnc::driver;

namespace {

/// One run of the compiler.
class Compilation {
public:
  Compilation(const Options &options, MLIRContext &context, llvm::SourceMgr &sources)
      : options(options), context(context), sources(sources), target(*targets::findTarget(options.target)) {}

  ExitCode run();

private:
  ExitCode compileModule();
  ExitCode compileProgram();
  LogicalResult reportPending(const dsl::Model &model);
  ExitCode compileNetwork(dsl::Network &network);
  ExitCode checkGradients(ModuleOp module);
  OwningOpRef<ModuleOp> plan(const dsl::Network &network, ArrayRef<dsl::Bptt> policies);
  LogicalResult runPasses(ModuleOp module, Station last);
  ExitCode writeDependencies();
  ExitCode compilePlanned(ModuleOp module) { return driver::compilePlanned(module, options, target, written); }
  ExitCode printText(llvm::Expected<std::string> text) { return driver::printText(options, std::move(text)); }

  const Options &options;
  MLIRContext &context;
  llvm::SourceMgr &sources;
  const targets::Target &target;
  std::vector<std::string> filesRead, written;
};

} // namespace

/// The text that is compiled; the other sources are what it imports.
static dsl::SourcePtr getSource(const llvm::SourceMgr &sources) {
  const llvm::MemoryBuffer *main = sources.getMemoryBuffer(sources.getMainFileID());
  return std::make_shared<dsl::Source>(dsl::Source{main->getBufferIdentifier().str(), main->getBuffer().str()});
}

template <typename T> static std::string toString(const T &program) {
  std::ostringstream os;
  dsl::print(program, os);
  return os.str();
}

static std::string toString(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module.print(os);
  return text;
}

/// A line for each weight, in the order in which libraries list them; networks by
/// their names where there are several.
static std::string listWeights(const dsl::Model &model) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const dsl::Network &network : model.networks) {
    if (model.networks.size() > 1)
      os << "network " << network.name << '\n';
    for (const dsl::Weight &weight : network.weights) {
      os << weight.name << " ["
         << llvm::join(llvm::map_range(weight.shape, [](int64_t n) { return llvm::utostr(n); }), ", ")
         << (weight.trainable ? "]\n" : "] not trainable\n");
    }
  }
  return text;
}

ExitCode Compilation::run() {
  if (options.input != "-")
    filesRead.push_back(options.input);
  ExitCode code = StringRef(options.input).ends_with(".mlir") ? compileModule() : compileProgram();
  if (code == ExitCode::Success && options.writeDependencies)
    return writeDependencies();
  return code;
}

/// From the file of a module that the planner wrote, so that what comes after it
/// can be tried by itself.
ExitCode Compilation::compileModule() {
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module)
    return ExitCode::WrongProgram;
  if (options.checksGradients)
    return checkGradients(*module);
  return options.emit <= Emit::Planned ? printText(toString(*module)) : compilePlanned(*module);
}

ExitCode Compilation::compileProgram() {
  dsl::Diagnostics diagnostics;
  std::unique_ptr<dsl::Ast> ast = dsl::parse(getSource(sources), diagnostics);
  if (ast && options.emit == Emit::Ast)
    return printText(toString(*ast));
  if (ast && options.leavesTrainingOut)
    ast->trains.clear();
  if (llvm::Error error = ast ? setParameters(options, *ast, diagnostics) : llvm::Error::success())
    return fail(ExitCode::WrongUsage, std::move(error));

  auto library = openLibrary(options, filesRead, diagnostics);
  if (!library)
    return fail(ExitCode::InputOutput, library.takeError());
  std::optional<dsl::Model> model;
  if (diagnostics.empty())
    model = dsl::check(*ast, *library, diagnostics);
  report(diagnostics, context, sources);
  if (!model)
    return ExitCode::WrongProgram;
  if (options.emit == Emit::Model)
    return printText(toString(*model));
  if (options.listsWeights)
    return printText(listWeights(*model));
  if (!options.name.empty() && model->networks.size() > 1)
    return fail(ExitCode::WrongUsage, llvm::createStringError("-name names one network, but " + options.input +
                                                              " has " + Twine(model->networks.size())));
  if (llvm::Error error = checkLengths(options, *model))
    return fail(ExitCode::WrongUsage, std::move(error));
  if (options.emit > Emit::Planned && failed(reportPending(*model)))
    return ExitCode::WrongProgram;
  ExitCode worst = ExitCode::Success;
  for (dsl::Network &network : model->networks)
    if (ExitCode code = compileNetwork(network); code != ExitCode::Success) {
      if (!options.checksGradients) // each is checked
        return code;
      worst = code;
    }
  return worst;
}

/// Says of every network what there is no code for; its passes can be looked at.
LogicalResult Compilation::reportPending(const dsl::Model &model) {
  bool isCompiled = true;
  for (const dsl::Network &network : model.networks) {
    report(network.pending, context, sources);
    for (const dsl::Diagnostic &diagnostic : network.pending)
      isCompiled &= diagnostic.severity != dsl::Diagnostic::Severity::Error;
  }
  return success(isCompiled);
}

/// The passes up to a station; those after it work on what these give.
static Station getStation(Emit emit) {
  switch (emit) {
  case Emit::Imported:
    return Station::Imported;
  case Emit::Typed:
    return Station::Typed;
  case Emit::Split:
    return Station::Split;
  case Emit::Differentiated:
    return Station::Differentiated;
  case Emit::Optimized:
    return Station::Optimized;
  case Emit::Grouped:
    return Station::Grouped;
  default:
    return Station::Planned;
  }
}

LogicalResult Compilation::runPasses(ModuleOp module, Station last) {
  PassManager passes(&context);
  Choices choices;
  choices.panelWidth = [&](nn::Family family, int64_t columns) {
    return target.panelWidth(static_cast<targets::Family>(family), columns);
  };
  if (options.usesWinograd)
    choices.convForm = [&](const ConvSize &size) {
      return static_cast<ConvForm>(
          target.convForm({size.height, size.width, size.inputs, size.outputs, size.examples, options.allWinograd}));
    };
  choices.gradientsInKernel = target.gradientsInKernel();
  choices.branches = target.branches();
  choices.fewKernels = target.fewKernels();
  choices.worksInPlace = target.worksInPlace();
  buildPipeline(passes, last, choices);
  return passes.run(module);
}

/// Of a module that has gradients already, those are checked.
ExitCode Compilation::checkGradients(ModuleOp module) {
  OwningOpRef<ModuleOp> differentiated = module.clone();
  auto isGiven = [&](func::FuncOp function) {
    return function->hasAttr("nn.train") && function.getName().ends_with("_gradients");
  };
  if (llvm::none_of(module.getOps<func::FuncOp>(), isGiven) && failed(runPasses(*differentiated, Station::Grouped)))
    return ExitCode::Internal;
  interpret::CallSize size;
  size.lengths = options.lengths;
  if (options.batch > 0)
    size.batch = options.batch;
  bool holds = interpret::checkGradients(module, *differentiated, size, llvm::outs());
  return holds ? ExitCode::Success : ExitCode::Internal;
}

/// The planned module of a network, with these policies of back-propagation; null when a pass failed.
OwningOpRef<ModuleOp> Compilation::plan(const dsl::Network &network, ArrayRef<dsl::Bptt> policies) {
  OwningOpRef<ModuleOp> module = importNetwork(network, context, {policies, options.recordsGradients});
  if (failed(runPasses(*module, Station::Planned)))
    return {};
  return module;
}

ExitCode Compilation::compileNetwork(dsl::Network &network) {
  if (options.report != Report::None)
    return explainNetwork(network, options, context, target, getKernelOptions(options),
                          [&](ArrayRef<dsl::Bptt> policies) { return plan(network, policies); });
  if (options.emit == Emit::Unfolded)
    return unfoldNetwork(network, options, context);
  OwningOpRef<ModuleOp> module = importNetwork(network, context, {{}, options.recordsGradients});
  if (options.checksGradients) {
    interpret::addCotangents(*module);
    return checkGradients(*module);
  }
  if (failed(runPasses(*module, getStation(options.emit))))
    return ExitCode::Internal;

  if (options.emit <= Emit::Planned)
    return printText(toString(*module));
  return compilePlanned(*module);
}

/// One rule for all that was written; its file is named after the first library.
ExitCode Compilation::writeDependencies() {
  std::string path = options.dependencyFile;
  if (path.empty()) {
    SmallString<128> header(written[1]);
    llvm::sys::path::replace_extension(header, ".d");
    path = header.str().str();
  }
  if (llvm::Error error = emit::writeFile(path, makeDependencyRule(written, filesRead)))
    return fail(ExitCode::InputOutput, std::move(error));
  return ExitCode::Success;
}

ExitCode driver::compile(const Options &options) {
  DialectRegistry registry;
  registry.insert<nn::NNDialect, func::FuncDialect>();
  // One thread, so that processes can be forked for the kernels.
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.printOpOnDiagnostic(false); // users read their program, not ours
  llvm::SourceMgr sources;
  bool isModule = StringRef(options.input).ends_with(".mlir");
  auto file = isModule ? llvm::MemoryBuffer::getFile(options.input) : readProgram(options.input);
  if (!file) {
    llvm::WithColor::error(llvm::errs(), "nnc") << options.input << ": " << file.getError().message() << '\n';
    return ExitCode::InputOutput;
  }
  sources.AddNewSourceBuffer(std::move(*file), llvm::SMLoc());
  if (!options.verifyDiagnostics) {
    SourceMgrDiagnosticHandler printer(sources, &context);
    return Compilation(options, context, sources).run();
  }
  SourceMgrDiagnosticVerifierHandler verifier(sources, &context);
  (void)Compilation(options, context, sources).run();
  return succeeded(verifier.verify()) ? ExitCode::Success : ExitCode::WrongProgram;
}
