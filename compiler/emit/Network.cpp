//===- Network.cpp - The library's tables and its functions ---------------===//
//
// The rows written here are the structures of runtime/include/nnc/network.h,
// field by field: change both, and NNC_NETWORK_VERSION.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/Network.h"

#include "compiler/emit/Api.h"
#include "compiler/emit/Entry.h"
#include "compiler/emit/Tables.h"

#include "nnc/network.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::emit;

namespace {

class NetworkEmitter {
public:
  NetworkEmitter(EntryContext &context, const EmbeddedFile &embedded)
      : context(context), interface(context.interface), embedded(embedded), tables(context.module) {}

  void emit() {
    addKernels();
    addEmbedded();
    addNetwork();
  }

private:
  Symbol addWeights();
  Symbol addFunctions();
  Symbol addExtents(const Argument &argument);
  Symbol addGroups();
  Symbol addStatistics(const Train &train);
  Symbol addTrains();
  int32_t hasSteps(const Train &train);
  Row getFunctionRow(const Function &function);
  void addKernels();
  void addEmbedded();
  void addNetwork();

  Symbol addTexts(ArrayRef<std::string> texts) {
    std::vector<Symbol> symbols;
    for (const std::string &text : texts)
      symbols.push_back(tables.addText(text));
    return tables.addArray(ArrayRef(symbols));
  }

  std::string getEmbeddedName() const { return interface.name + "_embedded"; }

  EntryContext &context;
  const Interface &interface;
  const EmbeddedFile &embedded;
  Tables tables;
};

} // namespace

/// The nnc_isa of an isa's name, which is also its row in the table of kernels,
/// counted from 1. Kernels of a device are one row.
static nnc_isa getIsa(StringRef name) {
  if (name == "avx512")
    return NNC_ISA_AVX512;
  return NNC_ISA_AVX2;
}

static nnc_device_kind getDevice(targets::Device device) {
  switch (device) {
  case targets::Device::Host:
    return NNC_HOST;
  case targets::Device::Cuda:
    return NNC_CUDA;
  case targets::Device::OpenCL:
    return NNC_OPENCL;
  }
  llvm_unreachable("every device has a kind");
}

static nnc_initializer getInitializer(nn::InitializerKind kind) {
  switch (kind) {
  case nn::InitializerKind::Constant:
    return NNC_INIT_CONSTANT;
  case nn::InitializerKind::Glorot:
    return NNC_INIT_GLOROT;
  case nn::InitializerKind::He:
    return NNC_INIT_HE;
  case nn::InitializerKind::Uniform:
    return NNC_INIT_UNIFORM;
  case nn::InitializerKind::Normal:
    return NNC_INIT_NORMAL;
  case nn::InitializerKind::Orthogonal:
    return NNC_INIT_ORTHOGONAL;
  }
  llvm_unreachable("every initializer has a kind");
}

/// Rows of nnc_weight.
Symbol NetworkEmitter::addWeights() {
  std::vector<Row> rows;
  for (const Weight &weight : interface.weights) {
    std::vector<Row> storage;
    for (const StorageDim &dim : weight.storage)
      storage.push_back({static_cast<int32_t>(dim.dim), dim.divisor, dim.extent});
    nn::InitializerAttr init = weight.init;
    auto getNumber = [](FloatAttr number) { return number ? number.getValueAsDouble() : 0.0; };
    rows.push_back({tables.addText(weight.name), tables.addArray(weight.type.getShape()), tables.add(storage),
                    weight.offset, weight.bytes, getNumber(init.getA()), getNumber(init.getB()), init.getFanIn(),
                    init.getFanOut(), static_cast<int32_t>(weight.type.getRank()),
                    static_cast<int32_t>(weight.storage.size()), static_cast<int32_t>(getInitializer(init.getKind())),
                    static_cast<int32_t>(weight.isTrainable)});
  }
  return tables.add(rows);
}

/// Rows of nnc_extent.
Symbol NetworkEmitter::addExtents(const Argument &argument) {
  std::vector<Row> rows;
  for (const nn::Extent &extent : nn::getExtents(argument.type)) {
    std::optional<int64_t> number = extent.isDynamic() ? nn::getNumber(extent.name) : extent.size;
    if (number) {
      rows.push_back({int32_t(-1), *number, int64_t(0), int64_t(1)});
      continue;
    }
    SmallVector<nn::Length> length = nn::parseProduct(extent.name);
    assert(length.size() == 1 && "dimensions that a caller sees are lengths, not their products");
    int32_t dim = interface.getFreeDim(length[0].symbol) + 1; // 0: the batch
    rows.push_back({dim, int64_t(0), length[0].offset, length[0].stride});
  }
  return tables.add(rows);
}

static int32_t getKindFlag(FunctionKind kind) {
  switch (kind) {
  case FunctionKind::Infer:
    return 0;
  case FunctionKind::Step:
    return NNC_FUNCTION_STEP;
  case FunctionKind::Gradients:
    return NNC_FUNCTION_GRADIENTS;
  case FunctionKind::Update:
    return NNC_FUNCTION_UPDATE;
  case FunctionKind::Flow:
    return NNC_FUNCTION_FLOW;
  }
  llvm_unreachable("every function has a kind");
}

static int32_t getFlags(FunctionKind kind, func::FuncOp op) {
  WalkResult found = op.walk(
      [](nn::EachOp each) { return each.getYield().getUntil() ? WalkResult::interrupt() : WalkResult::advance(); });
  return getKindFlag(kind) | (found.wasInterrupted() ? NNC_FUNCTION_LOOKS : 0);
}

/// A row of nnc_function.
Row NetworkEmitter::getFunctionRow(const Function &function) {
  auto op = cast<func::FuncOp>(function.op);
  std::vector<Row> arguments;
  auto getElement = [](const Argument &argument) -> int32_t {
    return argument.isClass() ? NNC_CLASS : argument.isTruth() ? NNC_TRUTH : NNC_FLOAT;
  };
  for (const Argument &argument : function.arguments)
    arguments.push_back({tables.addText(argument.name), addExtents(argument), argument.classes,
                         static_cast<int32_t>(argument.type.getRank()), static_cast<int32_t>(argument.isOutput),
                         getElement(argument)});
  auto run = emitRun(context, op, /*hasPlan=*/true), plan = emitPlan(context, op);
  return {tables.addText(function.name), tables.add(arguments),        static_cast<int32_t>(arguments.size()),
          getFlags(function.kind, op),   Symbol{plan.getName().str()}, static_cast<int64_t>(getArenas(op).size()),
          Symbol{run.getName().str()}};
}

Symbol NetworkEmitter::addFunctions() {
  std::vector<Row> rows;
  for (const Function &function : interface.functions)
    rows.push_back(getFunctionRow(function));
  return tables.add(rows);
}

/// What a kernel computes, in order: "dense add tanh".
static std::string describeOperations(nn::KernelOp kernel) {
  std::string text;
  kernel.getBody().walk([&](nn::ComputeOp op) {
    if (!isa<nn::CountOp, nn::ExtentOp>(op))
      text += (text.empty() ? "" : " ") + op->getName().stripDialect().str();
  });
  return text.empty() ? "fill" : text;
}

/// Rows of nnc_group, once all functions are written.
Symbol NetworkEmitter::addGroups() {
  std::vector<Row> rows;
  for (Operation *op : context.launches) {
    auto launch = cast<nn::LaunchOp>(op);
    auto kernel = context.source.lookupSymbol<nn::KernelOp>(launch.getKernelAttr().getAttr());
    rows.push_back({tables.addText(op->getParentOfType<func::FuncOp>().getName()), tables.addText(launch.getKernel()),
                    tables.addText(describeOperations(kernel)), tables.addText(getLayer(launch.getLoc())),
                    tables.addText(getSource(launch.getLoc()))});
  }
  return tables.add(rows);
}

/// Rows of nnc_statistic. The numbers lie in the first of the states of training.
Symbol NetworkEmitter::addStatistics(const Train &train) {
  std::vector<Row> rows;
  for (const Statistic &statistic : train.statistics) {
    Row row{tables.addText(statistic.layer), tables.addText(statistic.operation), tables.addText(statistic.source)};
    for (StringRef kind : {"not_finite", "error", "saturated", "dead"}) {
      auto state = statistic.states.find(kind);
      auto isState = [&](nn::StateOp op) {
        return state != statistic.states.end() && op.getSymName() == state->second;
      };
      int64_t place = llvm::find_if(interface.trainingStates, isState) - interface.trainingStates.begin();
      bool isThere = state != statistic.states.end();
      row.push_back(isThere ? place * memoryAlignment : int64_t(-1));
    }
    rows.push_back(std::move(row));
  }
  return tables.add(rows);
}

/// Rows of nnc_train.
Symbol NetworkEmitter::addTrains() {
  std::vector<Row> rows;
  for (const Train &train : interface.trains) {
    auto getNumber = [&](StringRef name) {
      auto number = train.settings.getAs<IntegerAttr>(name);
      return number ? number.getInt() : 0;
    };
    std::vector<double> betas;
    for (auto beta : train.settings.getAs<ArrayAttr>("betas").getAsRange<FloatAttr>())
      betas.push_back(beta.getValueAsDouble());
    assert(betas.size() <= NNC_MAX_BETAS && "the runtime has room for so many corrections");
    nnc_batch batch = llvm::StringSwitch<nnc_batch>(train.settings.getAs<StringAttr>("batch"))
                          .Case("online", NNC_BATCH_ONLINE)
                          .Case("mini", NNC_BATCH_MINI)
                          .Case("full", NNC_BATCH_FULL);
    rows.push_back({tables.addText(train.name), tables.addText(train.settings.getAs<StringAttr>("optimizer")),
                    train.gradients, train.update, static_cast<int32_t>(train.getSlotCount()),
                    static_cast<int32_t>(train.settings.getAs<BoolAttr>("reduce_sum").getValue()),
                    static_cast<int32_t>(batch), train.settings.getAs<IntegerAttr>("batch_size").getInt(),
                    Symbol{emitRate(context, train).getName().str()}, tables.addArray(ArrayRef(betas)),
                    static_cast<int32_t>(betas.size()), getNumber("window_step"), getNumber("window_length"),
                    getNumber("checkpoint"), addStatistics(train), static_cast<int32_t>(train.statistics.size()),
                    std::max<int32_t>(train.flow, 0), hasSteps(train)});
  }
  return tables.add(rows);
}

/// Whether the loss is taken over steps, so that errors of one step can be asked for.
int32_t NetworkEmitter::hasSteps(const Train &train) {
  if (train.flow < 0)
    return 0;
  auto flow = interface.functions[train.flow].op->getAttrOfType<DictionaryAttr>("nn.flow");
  return static_cast<int32_t>(flow.getAs<BoolAttr>("has_steps").getValue());
}

/// A row of pointers for each isa that the runtime can choose, in its order;
/// null where the library has no kernels for it.
void NetworkEmitter::addKernels() {
  CodeBuilder builder(context.module.getLoc());
  int32_t rows = 0;
  for (const std::string &isa : context.kernels.isas)
    rows = std::max<int32_t>(rows, getIsa(isa));
  std::vector<Symbol> table(rows * context.kernels.slotCount);
  for (const std::string &isa : context.kernels.isas)
    for (auto &[kernel, slots] : context.kernels.kernels)
      for (size_t variant = 0; variant < slots.minRows.size(); ++variant) {
        std::string symbol = getKernelSymbol(interface.name, kernel, slots, variant, isa);
        // Called through the table alone, so that its type does not matter here.
        auto function = builder.getFunction(context.module, symbol, builder.getI32Type(), {});
        function.setVisibility_(LLVM::Visibility::Hidden);
        table[(getIsa(isa) - 1) * context.kernels.slotCount + slots.first + variant] = {symbol};
      }
  tables.addArray(ArrayRef(table), getKernelTableName(interface));
}

/// The assembler reads the file, so that its bytes need not pass through here.
void NetworkEmitter::addEmbedded() {
  if (embedded.path.empty())
    return;
  CodeBuilder builder(context.module.getLoc());
  builder.setInsertionPointToEnd(context.module.getBody());
  auto global = LLVM::GlobalOp::create(builder, builder.getI8Type(), /*isConstant=*/true, LLVM::Linkage::External,
                                       getEmbeddedName(), Attribute());
  global.setVisibility_(LLVM::Visibility::Hidden);
  std::string path;
  for (char c : embedded.path)
    path += (c == '\\' || c == '"') ? std::string{'\\', c} : std::string{c};
  std::string name = getEmbeddedName();
  SmallVector<Attribute> lines;
  for (const std::string &line :
       {std::string(".section .rodata.") + name + ",\"a\",@progbits", std::string(".p2align 6"), ".globl " + name,
        ".hidden " + name, name + ":", ".incbin \"" + path + "\"", std::string(".text")})
    lines.push_back(builder.getStringAttr(line));
  context.module->setAttr(LLVM::LLVMDialect::getModuleLevelAsmAttrName(), builder.getArrayAttr(lines));
}

/// The one row of nnc_network.
void NetworkEmitter::addNetwork() {
  std::vector<std::string> freeDimNames;
  std::vector<int64_t> freeDimBounds;
  for (const FreeDim &dim : interface.freeDims) {
    freeDimNames.push_back(dim.name);
    freeDimBounds.push_back(dim.bound);
  }
  int32_t isaMask = 0;
  for (const std::string &isa : context.kernels.isas)
    isaMask |= 1 << getIsa(isa);
  if (context.kernels.device != targets::Device::Host)
    isaMask = 0;

  Symbol functions = addFunctions(), prepare, stateSize, reset, trainingStateSize;
  int64_t prepareWorkspace = 0;
  if (auto op = cast_or_null<func::FuncOp>(interface.prepare)) {
    prepare.name = emitRun(context, op, /*hasPlan=*/false).getName().str();
    for (const Arena &arena : getArenas(op))
      prepareWorkspace += llvm::alignTo(arena.bytes, memoryAlignment);
  }
  if (auto op = cast_or_null<func::FuncOp>(interface.reset)) {
    reset.name = emitRun(context, op, /*hasPlan=*/false).getName().str();
    stateSize.name = emitStateSize(context, interface.states, "_state_size").getName().str();
  }
  if (!interface.trainingStates.empty())
    trainingStateSize.name = emitStateSize(context, interface.trainingStates, "_training_state_size").getName().str();
  Symbol embeddedBytes{embedded.path.empty() ? "" : getEmbeddedName()};
  auto count = [](const auto &list) { return static_cast<int32_t>(list.size()); };
  Row network;
  auto add = [&](auto... fields) { (network.push_back(fields), ...); };
  add(int32_t(NNC_NETWORK_VERSION), isaMask, int32_t(getDevice(context.kernels.device)), int32_t(0));
  add(tables.addText(interface.name), tables.addText("nnc " NNC_VERSION));
  add(addWeights(), count(interface.weights));
  add(count(interface.freeDims), addTexts(freeDimNames), tables.addArray(ArrayRef(freeDimBounds)));
  add(functions, count(interface.functions), count(interface.trains), addTrains());
  add(interface.weightsBytes, interface.trainableBytes, interface.preparedBytes);
  add(prepare, prepareWorkspace, stateSize, reset, trainingStateSize);
  add(embeddedBytes, embedded.size, addTexts(context.errors.getTexts()));
  add(addGroups(), count(context.launches), int32_t(0));
  tables.add({network}, interface.name + "_network", LLVM::Linkage::External);
}

OwningOpRef<ModuleOp> emit::emitNetwork(ModuleOp planned, const Interface &interface, const KernelTable &kernels,
                                        const EmbeddedFile &embedded, bool sanitize, bool profile) {
  planned.getContext()->loadDialect<LLVM::LLVMDialect>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(planned.getLoc(), interface.name);
  EntryContext context{interface, kernels, planned, *module, sanitize, profile, {}, {}};
  NetworkEmitter(context, embedded).emit();
  emitApi(*module, interface);
  return module;
}
