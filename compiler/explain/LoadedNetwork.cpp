//===- LoadedNetwork.cpp - A planned network's tables, in this process ----===//
//
// Sizes are counted by generated code (compiler/emit/Plan.cpp). So that what is said of them is what a
// library says, that code itself is linked into the process and run.
//
//===----------------------------------------------------------------------===//

#include "compiler/explain/LoadedNetwork.h"

#include "compiler/emit/Codegen.h"
#include "compiler/emit/Kernels.h"
#include "compiler/emit/Network.h"

#include "nnc/runtime.h"

#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::explain;

namespace orc = llvm::orc;

namespace {

/// Kernels, and the functions of the runtime that the header's functions call. Nobody calls these here.
void refuse() { llvm::report_fatal_error("a network that is explained was run"); }

/// Gives that address to every symbol that the code lacks.
class MissingSymbols : public orc::DefinitionGenerator {
public:
  llvm::Error tryToGenerate(orc::LookupState &, orc::LookupKind, orc::JITDylib &library, orc::JITDylibLookupFlags,
                            const orc::SymbolLookupSet &symbols) override {
    orc::SymbolMap map;
    for (auto &[name, flags] : symbols)
      map[name] = {orc::ExecutorAddr::fromPtr(&refuse), llvm::JITSymbolFlags::Exported};
    return library.define(orc::absoluteSymbols(std::move(map)));
  }
};

} // namespace

struct LoadedNetwork::Code {
  std::unique_ptr<orc::LLJIT> linker;
  const nnc_network *network = nullptr;
};

LoadedNetwork::LoadedNetwork(std::unique_ptr<Code> code) : code(std::move(code)) {}
LoadedNetwork::LoadedNetwork(LoadedNetwork &&) = default;
LoadedNetwork::~LoadedNetwork() = default;

const nnc_network *LoadedNetwork::get() const { return code->network; }

llvm::Expected<LoadedNetwork> LoadedNetwork::load(ModuleOp planned, const targets::Target &target, bool isProfiled) {
  emit::KernelTable table = emit::tabulateKernels(planned, target);
  emit::Interface interface = emit::describeInterface(planned, planned.getName().value_or("network"));
  OwningOpRef<ModuleOp> entries = emit::emitNetwork(planned, interface, table, {}, /*sanitize=*/false, isProfiled);
  auto object = emit::generateCode(*entries, /*optimization=*/0, /*sanitize=*/false, emit::CodeForm::Object);
  if (!object)
    return object.takeError();

  auto code = std::make_unique<Code>();
  auto linker = orc::LLJITBuilder().create();
  if (!linker)
    return linker.takeError();
  code->linker = std::move(*linker);
  orc::JITDylib &library = code->linker->getMainJITDylib();
  std::string symbol = interface.name + "_network";
  if (llvm::Error error = code->linker->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(*object)))
    return error;
  library.addGenerator(std::make_unique<MissingSymbols>());
  auto address = code->linker->lookup(symbol);
  if (!address)
    return address.takeError();
  code->network = address->toPtr<const nnc_network *>();
  return LoadedNetwork(std::move(code));
}

Dims explain::getDims(const nnc_network *network, const emit::Interface &interface, func::FuncOp function,
                      const Dims &call) {
  Dims dims = call;
  if (function.getName() == "step" || function.getName() == "reset")
    for (const emit::FreeDim &dim : interface.freeDims)
      dims[dim.name] = 1;
  auto train = llvm::find_if(interface.trains, [&](const emit::Train &block) {
    return interface.functions[block.gradients].op == function.getOperation();
  });
  if (train == interface.trains.end())
    return dims;
  std::vector<int64_t> lengths = getLengths(call, interface.freeDims), steps = lengths;
  nnc_training_workspace_size(network, static_cast<int32_t>(train - interface.trains.begin()),
                              call.at(nn::batchName.str()), lengths.data(), steps.data());
  bool hasWindows = nn::getWindowLength(train->settings) > 0;
  for (auto [dim, length, count] : llvm::zip_equal(interface.freeDims, lengths, steps)) {
    if (hasWindows)
      dims[dim.name] = count;
    dims[nn::getStepsName(dim.name)] = count;
    dims[nn::getSegmentsName(dim.name)] = llvm::divideCeilSigned(length, std::max<int64_t>(1, count));
  }
  return dims;
}
