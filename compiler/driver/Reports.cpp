//===- Reports.cpp - What is said of a program instead of compiling it ----===//

#include "compiler/driver/Reports.h"

#include "compiler/driver/Output.h"
#include "compiler/import/Import.h"
#include "compiler/passes/Passes.h"
#include "dsl/Lengths.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::driver;

llvm::Error driver::checkLengths(const Options &options, const dsl::Model &model) {
  std::vector<std::string> names;
  for (const dsl::Network &network : model.networks)
    for (const dsl::FreeDim &dim : network.freeDims)
      names.push_back(dim.name);
  for (auto &[name, length] : options.lengths)
    if (!llvm::is_contained(names, name))
      return llvm::createStringError("-lengths " + name + "=" + Twine(length) + ": there is no length `" + name +
                                     "`; there are: " + (names.empty() ? "none" : llvm::join(names, ", ")));
  return llvm::Error::success();
}

/// Of the network as it was imported, without windows.
static ExitCode explainGradients(const dsl::Network &network, const Options &options, MLIRContext &context) {
  std::vector<dsl::Bptt> policies(network.trains.size());
  OwningOpRef<ModuleOp> module = importNetwork(network, context, {policies});
  PassManager passes(&context);
  buildPipeline(passes, Station::Typed, {});
  passes.addPass(createCanonicalizerPass());
  return succeeded(passes.run(*module)) ? printText(options, explain::explainGradients(*module, network))
                                        : ExitCode::Internal;
}

ExitCode driver::explainNetwork(const dsl::Network &network, const Options &options, MLIRContext &context,
                                const targets::Target &target, const emit::KernelOptions &kernels,
                                explain::Planner plan) {
  ScopedDiagnosticHandler silence(
      &context, [](Diagnostic &diagnostic) { return success(diagnostic.getSeverity() != DiagnosticSeverity::Error); });
  if (options.report == Report::Gradients)
    return explainGradients(network, options, context);
  explain::Call call{options.batch, options.lengths, options.profiles};
  auto explainPlanned = [&]() -> llvm::Expected<std::string> {
    OwningOpRef<ModuleOp> planned = plan({});
    if (!planned)
      return std::string();
    return options.report == Report::Memory ? explain::explainMemory(*planned, target, call)
                                            : explain::explainGroups(*planned, target, call, kernels);
  };
  auto text = options.report == Report::Bptt ? explain::explainBptt(network, plan, target, call) : explainPlanned();
  if (!text)
    return fail(ExitCode::WrongUsage, text.takeError());
  return text->empty() ? ExitCode::Internal : printText(options, std::move(*text));
}

/// Of few steps, where the user does not ask for more.
static llvm::Expected<std::vector<int64_t>> chooseLengths(const dsl::Network &network, const Options &options) {
  std::vector<int64_t> lengths;
  for (auto [index, dim] : llvm::enumerate(network.freeDims)) {
    int64_t least = dsl::getLeastLength(network, static_cast<int32_t>(index));
    int64_t most = dim.bound > 0 ? dim.bound : std::numeric_limits<int32_t>::max();
    auto given = options.lengths.find(dim.name);
    int64_t length = given == options.lengths.end() ? std::min(std::max<int64_t>(3, least), most) : given->second;
    if (length < least)
      return llvm::createStringError("-lengths " + dim.name + "=" + Twine(length) + ": `" + dim.name +
                                     "` is at least " + Twine(least));
    if (length > most)
      return llvm::createStringError("-lengths " + dim.name + "=" + Twine(length) + ": `" + dim.name + "` is at most " +
                                     Twine(most));
    lengths.push_back(length);
  }
  return lengths;
}

ExitCode driver::unfoldNetwork(dsl::Network &network, const Options &options, MLIRContext &context) {
  auto lengths = chooseLengths(network, options);
  if (!lengths)
    return fail(ExitCode::WrongUsage, lengths.takeError());
  dsl::fixLengths(network, *lengths);
  OwningOpRef<ModuleOp> module = importNetwork(network, context);
  PassManager passes(&context);
  buildUnfoldingPipeline(passes);
  return succeeded(passes.run(*module)) ? printText(options, explain::printUnfolded(*module)) : ExitCode::Internal;
}
