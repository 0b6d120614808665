//===- Backend.cpp - A planned module -> library --------------------------===//

#include "compiler/driver/Backend.h"

#include "compiler/driver/Output.h"
#include "compiler/emit/Codegen.h"
#include "compiler/emit/Embed.h"
#include "compiler/emit/Header.h"
#include "compiler/emit/Library.h"
#include "compiler/emit/Network.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::driver;

namespace {

/// One network, from its planned functions on.
class PlannedNetwork {
public:
  PlannedNetwork(ModuleOp module, const Options &options, const targets::Target &target)
      : module(module), options(options), target(target), table(emit::tabulateKernels(module, target)),
        interface(emit::describeInterface(module, options.name.empty() ? module.getName().value_or("network").str()
                                                                       : options.name)) {}

  ExitCode compile(std::vector<std::string> &written);

private:
  LogicalResult checkWeights();
  FailureOr<std::string> printKernels(emit::KernelForm form);
  llvm::Expected<std::string> generateEntries(emit::CodeForm form);
  ExitCode writeLibrary(std::vector<std::string> &written);

  ModuleOp module;
  const Options &options;
  const targets::Target &target;
  emit::KernelTable table;
  emit::Interface interface;
};

} // namespace

ExitCode PlannedNetwork::compile(std::vector<std::string> &written) {
  if (failed(checkWeights()))
    return ExitCode::WrongProgram;
  auto print = [&](FailureOr<std::string> text) {
    return failed(text) ? ExitCode::Internal : printText(options, std::move(*text));
  };
  switch (options.emit) {
  case Emit::Algorithm:
    return print(printKernels(emit::KernelForm::Algorithm));
  case Emit::Loops:
    return print(printKernels(emit::KernelForm::Loops));
  case Emit::LLVM:
    return printText(options, generateEntries(emit::CodeForm::LLVM));
  case Emit::Device:
    return print(printKernels(emit::KernelForm::Device));
  case Emit::Assembly: {
    auto kernels = printKernels(emit::KernelForm::Assembly);
    if (failed(kernels))
      return ExitCode::Internal;
    auto entries = generateEntries(emit::CodeForm::Assembly);
    return printText(options, entries ? *entries + "\n" + *kernels : std::move(entries));
  }
  case Emit::Header:
    return printText(options, emit::emitHeader(interface, options.input));
  default:
    return writeLibrary(written);
  }
}

/// Kernels address a weight by 32-bit numbers of bytes.
LogicalResult PlannedNetwork::checkWeights() {
  for (const emit::Weight &weight : interface.weights)
    if (weight.bytes > std::numeric_limits<int32_t>::max())
      return module.lookupSymbol<nn::WeightOp>(weight.name).emitError("weight ")
             << weight.name << " takes " << weight.bytes << " bytes; one weight can take up to 2147483647";
  if (!interface.trains.empty() && interface.trainableBytes > std::numeric_limits<int32_t>::max())
    return module.emitError("the weights take ")
           << interface.trainableBytes << " bytes; a network that is trained can have up to 2147483647";
  return success();
}

FailureOr<std::string> PlannedNetwork::printKernels(emit::KernelForm form) {
  return emit::printKernels(module, interface.name, table, target, form, getKernelOptions(options));
}

/// The code of a library but its kernels.
llvm::Expected<std::string> PlannedNetwork::generateEntries(emit::CodeForm form) {
  emit::EmbeddedFile embedded;
  if (!options.embeddedWeights.empty()) {
    auto file = emit::openEmbedded(options.embeddedWeights, interface);
    if (!file)
      return file.takeError();
    embedded = std::move(*file);
  }
  OwningOpRef<ModuleOp> entries =
      emit::emitNetwork(module, interface, table, embedded, options.sanitize, options.profiles);
  return emit::generateCode(*entries, options.optimization, options.sanitize, form);
}

ExitCode PlannedNetwork::writeLibrary(std::vector<std::string> &written) {
  auto kernels = emit::compileKernels(module, interface.name, table, target, getKernelOptions(options));
  if (failed(kernels))
    return ExitCode::Internal;
  auto entries = generateEntries(emit::CodeForm::Object);
  if (!entries)
    return fail(ExitCode::InputOutput, entries.takeError());

  std::vector<emit::Member> members{{interface.name + ".o", std::move(*entries)}};
  for (emit::CompiledKernel &kernel : *kernels)
    members.push_back({kernel.symbol + ".o", std::move(kernel.bytes)});
  auto archive = emit::makeArchive(members);
  if (!archive)
    return fail(ExitCode::Internal, archive.takeError());

  auto path = [&](StringRef prefix, StringRef suffix) {
    return getLibraryPath(options, prefix, interface.name, suffix);
  };
  auto write = [&](const std::string &path, StringRef bytes) {
    written.push_back(path);
    return emit::writeFile(path, bytes);
  };
  llvm::Error error = makeOutputFolder(options);
  if (!error)
    error = write(path("lib", ".a"), *archive);
  if (!error)
    error = write(path("", ".h"), emit::emitHeader(interface, options.input));
  if (!error && options.shared) {
    written.push_back(path("lib", ".so"));
    std::string self = llvm::sys::fs::getMainExecutable(nullptr, nullptr);
    error = emit::linkShared(written.back(), *archive, interface.name,
                             emit::findRuntimeFolder(llvm::sys::path::parent_path(self)));
  }
  return error ? fail(ExitCode::InputOutput, std::move(error)) : ExitCode::Success;
}

emit::KernelOptions driver::getKernelOptions(const Options &options) {
  return {options.processes, options.cacheFolder, options.sanitize, options.architectures};
}

ExitCode driver::compilePlanned(ModuleOp module, const Options &options, const targets::Target &target,
                                std::vector<std::string> &written) {
  return PlannedNetwork(module, options, target).compile(written);
}
