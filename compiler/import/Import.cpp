//===- Import.cpp - Model -> nn dialect -----------------------------------===//

#include "compiler/import/Import.h"

#include "compiler/import/Graph.h"
#include "compiler/import/Step.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <array>

using namespace mlir;
using namespace nnc::nn;

namespace nnc {

static InitializerKind getKind(dsl::Initializer::Kind kind) {
  switch (kind) {
  case dsl::Initializer::Constant:
    return InitializerKind::Constant;
  case dsl::Initializer::Glorot:
    return InitializerKind::Glorot;
  case dsl::Initializer::He:
    return InitializerKind::He;
  case dsl::Initializer::Uniform:
    return InitializerKind::Uniform;
  case dsl::Initializer::Normal:
    return InitializerKind::Normal;
  case dsl::Initializer::Orthogonal:
    return InitializerKind::Orthogonal;
  }
  llvm_unreachable("every initializer has a kind");
}

/// What the runtime says of a window, after the lengths of its examples.
static constexpr std::array<StringRef, 6> windowNames{"own", "total", "divisor", "kept", "first", "ends"};

namespace {

/// Builds the module of one network.
class NetworkImporter {
public:
  NetworkImporter(const dsl::Network &network, MLIRContext &context, const ImportOptions &options)
      : network(network), options(options), builder(&context),
        module(ModuleOp::create(builder.getUnknownLoc(), network.name)) {}

  OwningOpRef<ModuleOp> run() {
    builder.setInsertionPointToEnd(module->getBody());
    for (const dsl::Weight &weight : network.weights)
      importWeight(weight);
    importInfer();
    if (canStep(network))
      importStep();
    for (const dsl::Train &train : network.trains) {
      importTrain(train);
      if (options.gradientStatistics)
        importFlow(train);
    }
    return std::move(module);
  }

private:
  void importWeight(const dsl::Weight &weight) {
    auto init =
        InitializerAttr::get(builder.getContext(), getKind(weight.init.kind), builder.getF64FloatAttr(weight.init.a),
                             builder.getF64FloatAttr(weight.init.b), weight.init.fanIn, weight.init.fanOut);
    auto type = RankedTensorType::get(weight.shape, builder.getF32Type());
    WeightOp::create(builder, locate(weight.location), weight.name, type, init, !weight.trainable);
  }

  Location locate(const dsl::Location &location) {
    if (!location.source)
      return builder.getUnknownLoc();
    return FileLineColLoc::get(builder.getContext(), location.source->path, location.line, location.column);
  }

  /// The type at the library's boundary, where the batch comes first.
  static RankedTensorType getBoundaryType(GraphImporter &graph, const dsl::Type &type) {
    Extents extents = getExtents(graph.getType(type, /*batched=*/true));
    auto batch = llvm::find_if(
        extents, [](const Extent &extent) { return extent.isDynamic() && extent.name.getValue() == batchName; });
    std::rotate(extents.begin(), batch, batch + 1);
    return getTensorType(graph.getType(type, true).getElementType(), extents);
  }

  static int64_t countFree(const dsl::Type &type) {
    return llvm::count_if(type.shape, [](const dsl::Dim &dim) { return !dim.isFixed(); });
  }

  /// Creates a function with the network's inputs, lengths and, unless it is
  /// `@reset`, outputs; `build` fills its body. What trains goes through windows where
  /// its block says so, unless it `isWhole`.
  func::FuncOp importFunction(StringRef name, const dsl::Function &function, bool hasOutputs,
                              function_ref<void(GraphImporter &)> prepare, const dsl::Train *train = nullptr,
                              bool isWhole = false);
  void importInfer() {
    importFunction("infer", network.infer, /*hasOutputs=*/true, [](GraphImporter &) {});
  }
  void importTrain(const dsl::Train &train);
  void importFlow(const dsl::Train &train);
  GraphImporter::Window importWindow(func::FuncOp function, unsigned first, const dsl::Train &train);
  DictionaryAttr describe(const dsl::Train &train);
  void importStep();
  Value readState(StringRef name, Value start, bool isTraining);

  const dsl::Bptt &getPolicy(const dsl::Train &train) const {
    return options.policies.empty() ? train.bptt : options.policies[&train - network.trains.data()];
  }

  const dsl::Network &network;
  const ImportOptions &options;
  OpBuilder builder;
  OwningOpRef<ModuleOp> module;
};

} // namespace

func::FuncOp NetworkImporter::importFunction(StringRef name, const dsl::Function &function, bool hasOutputs,
                                             function_ref<void(GraphImporter &)> prepare, const dsl::Train *train,
                                             bool isWhole) {
  bool isWindow = train && !isWhole && getPolicy(*train).kind == dsl::Bptt::Truncated;
  GraphImporter graph(builder, network, function);
  Location location = locate(network.location);
  auto typeOf = [&](const dsl::Port &port) -> const dsl::Type & { return function.values[port.value].type; };

  SmallVector<Type> inputs, outputs;
  for (const dsl::Port &port : function.inputs)
    inputs.push_back(getBoundaryType(graph, typeOf(port)));
  auto lengthsType = getTensorType(builder.getI32Type(), {Extent(builder.getStringAttr(batchName))});
  inputs.append(network.freeDims.size() + (isWindow ? windowNames.size() : 0), lengthsType);
  if (train)
    inputs.push_back(RankedTensorType::get(2, builder.getI32Type()));
  if (hasOutputs)
    for (const dsl::Port &port : function.outputs)
      outputs.push_back(getBoundaryType(graph, typeOf(port)));
  if (isWindow)
    outputs.push_back(outputs.front()); // the losses, and their share in those of the sequence

  auto op = func::FuncOp::create(builder, location, name, builder.getFunctionType(inputs, outputs));
  OpBuilder::InsertionGuard guard(builder);
  Block *entry = op.addEntryBlock();
  builder.setInsertionPointToEnd(entry);
  for (auto [index, port] : llvm::enumerate(function.inputs)) {
    op.setArgAttr(index, "nn.name", builder.getStringAttr(port.name));
    if (int64_t classes = typeOf(port).classes)
      op.setArgAttr(index, "nn.classes", builder.getI64IntegerAttr(classes));
    Value value = entry->getArgument(index);
    if (int64_t steps = countFree(typeOf(port)))
      value = createInferred<TimeMajorOp>(builder, location, value,
                                          builder.getNamedAttr("steps", builder.getI64IntegerAttr(steps)));
    graph.set(port.value, value);
  }
  for (auto [index, dim] : llvm::enumerate(network.freeDims)) {
    unsigned argument = function.inputs.size() + index;
    op.setArgAttr(argument, "nn.lengths", builder.getStringAttr(dim.name));
    if (dim.bound)
      op.setArgAttr(argument, "nn.bound", builder.getI64IntegerAttr(dim.bound));
    graph.setLengths(index, entry->getArgument(argument));
  }
  if (isWindow)
    graph.window = importWindow(op, function.inputs.size() + network.freeDims.size(), *train);
  if (train) {
    unsigned last = entry->getNumArguments() - 1;
    op.setArgAttr(last, "nn.seed", builder.getUnitAttr());
    graph.seed = entry->getArgument(last);
    // What a caller leaves past an example's end may be no number, and 0 * NaN would
    // reach the weights' gradients.
    for (const dsl::Port &port : function.inputs)
      if (typeOf(port).element == dsl::Element::Float)
        graph.set(port.value, graph.mask(graph.get(port.value), typeOf(port), 0));
  }

  prepare(graph);
  graph.importOperations(function.operations);

  SmallVector<Value> results;
  if (isWindow) {
    op.setResultAttr(1, "nn.name", builder.getStringAttr(function.outputs.front().name));
    auto [losses, shares] = graph.importWindowLosses(train->lossTerms);
    results = {losses, shares};
  } else if (hasOutputs)
    for (auto [index, port] : llvm::enumerate(function.outputs)) {
      op.setResultAttr(index, "nn.name", builder.getStringAttr(port.name));
      if (int64_t classes = typeOf(port).classes)
        op.setResultAttr(index, "nn.classes", builder.getI64IntegerAttr(classes));
      Value value = graph.makeBatched(graph.get(port.value), typeOf(port));
      graph.useLengthsOf(port.value);
      if (int64_t steps = countFree(typeOf(port)))
        value = createInferred<BatchMajorOp>(builder, location, graph.mask(value, typeOf(port), 0),
                                             builder.getNamedAttr("steps", builder.getI64IntegerAttr(steps)));
      results.push_back(value);
    }
  func::ReturnOp::create(builder, location, results);
  return op;
}

//===----------------------------------------------------------------------===//
// One step at a time
//===----------------------------------------------------------------------===//

/// Declares a state of the type of its start value, and reads it.
Value NetworkImporter::readState(StringRef name, Value start, bool isTraining) {
  OpBuilder atModule(builder.getContext());
  atModule.setInsertionPoint(module->getBody(), module->getBody()->getOperations().begin());
  auto state = StateOp::create(atModule, start.getLoc(), builder.getStringAttr(name), TypeAttr::get(start.getType()));
  if (isTraining)
    state->setAttr("nn.training", builder.getUnitAttr());
  return ReadOp::create(builder, start.getLoc(), start.getType(), name);
}

/// `@step` is `@infer` for one step that starts from the states; `@reset` sets
/// these to the start values.
void NetworkImporter::importStep() {
  SmallVector<std::string> names;
  importFunction("step", network.infer, /*hasOutputs=*/true, [&](GraphImporter &graph) {
    graph.loadStart = [&](unsigned state, Value start) -> Value {
      names.push_back("state" + std::to_string(state));
      return readState(names.back(), start, /*isTraining=*/false);
    };
    graph.storeFinal = [&](unsigned state, Value final) {
      StoreOp::create(builder, final.getLoc(), names[state], final);
    };
  });
  importFunction("reset", network.infer, /*hasOutputs=*/false, [&](GraphImporter &graph) {
    graph.loadStart = [&](unsigned state, Value start) -> Value {
      StoreOp::create(builder, start.getLoc(), names[state], start);
      return start;
    };
  });
}

//===----------------------------------------------------------------------===//
// Training
//===----------------------------------------------------------------------===//

/// The loss of each example, with what the optimizer is to make of it.
void NetworkImporter::importTrain(const dsl::Train &train) {
  SmallVector<std::string> names;
  auto prepare = [&](GraphImporter &graph) {
    if (!graph.window)
      return;
    graph.loadStart = [&](unsigned state, Value start) -> Value {
      names.push_back(train.name + ".state" + std::to_string(state));
      return graph.chooseStart(start, readState(names.back(), start, /*isTraining=*/true));
    };
    graph.storeFinal = [&](unsigned state, Value kept) { StoreOp::create(builder, kept.getLoc(), names[state], kept); };
  };
  func::FuncOp op = importFunction(train.name, train.forward, /*hasOutputs=*/true, prepare, &train);
  op->setAttr("nn.train", describe(train));
}

/// The same function once more, to measure how errors flow in it. It changes nothing, so
/// its running statistics are those of the model.
void NetworkImporter::importFlow(const dsl::Train &train) {
  auto nothing = [](GraphImporter &) {};
  func::FuncOp op = importFunction(train.name + "_flow", train.forward, /*hasOutputs=*/true, nothing, &train,
                                   /*isWhole=*/true);
  NamedAttrList flow;
  flow.set("name", builder.getStringAttr(train.name));
  flow.set("reduce_sum", builder.getBoolAttr(train.reduceSum));
  op->setAttr("nn.flow", flow.getDictionary(builder.getContext()));
}

/// What a function is told of the window that it goes through, from its argument
/// number `first` on.
GraphImporter::Window NetworkImporter::importWindow(func::FuncOp function, unsigned first, const dsl::Train &train) {
  SmallVector<Value> values;
  for (auto [index, name] : llvm::enumerate(windowNames)) {
    function.setArgAttr(first + index, "nn.window", builder.getStringAttr(name));
    values.push_back(function.getArgument(first + index));
  }
  const dsl::Bptt &policy = getPolicy(train);
  return {values[0], values[1], values[2], values[3], values[4], values[5], policy.k2 > policy.k1};
}

/// The settings of a train block, by name; the optimizer's parameters among them.
DictionaryAttr NetworkImporter::describe(const dsl::Train &train) {
  NamedAttrList list;
  auto number = [&](StringRef name, double value) { list.set(name, builder.getF64FloatAttr(value)); };
  SmallVector<Attribute> rate, betas;
  for (const auto &[name, number] : train.rate.postfix)
    rate.push_back(name.empty() ? Attribute(builder.getF64FloatAttr(number)) : builder.getStringAttr(name));
  for (const auto &[name, value] : train.hyperparameters) {
    number(name, value);
    if (StringRef(name).starts_with("beta"))
      betas.push_back(builder.getF64FloatAttr(value));
  }
  number("clip_norm", train.clipNorm);
  number("clip_value", train.clipValue);
  number("weight_decay", train.weightDecay);
  bool isOnline = train.batch == dsl::Train::Batch::Online, isFull = train.batch == dsl::Train::Batch::Full;
  const dsl::Bptt &policy = getPolicy(train);
  bool isWindow = policy.kind == dsl::Bptt::Truncated;
  list.set("window_step", builder.getI64IntegerAttr(isWindow ? policy.k1 : 0));
  list.set("window_length", builder.getI64IntegerAttr(isWindow ? policy.k2 : 0));
  bool keepsAll = options.gradientStatistics ||
                  (policy.kind != dsl::Bptt::CheckpointSqrt && policy.kind != dsl::Bptt::CheckpointBytes);
  if (options.gradientStatistics)
    list.set("statistics", builder.getUnitAttr());
  // 0 keeps every step, -1 the states of as many as their square root; else so many bytes.
  int64_t checkpoint = keepsAll ? 0 : policy.kind == dsl::Bptt::CheckpointSqrt ? -1 : policy.bytes;
  list.set("checkpoint", builder.getI64IntegerAttr(checkpoint));
  list.set("unroll", builder.getI64IntegerAttr(policy.kind == dsl::Bptt::Unroll ? policy.k1 : 0));
  list.set("name", builder.getStringAttr(train.name));
  list.set("optimizer", builder.getStringAttr(train.optimizer));
  list.set("rate", builder.getArrayAttr(rate));
  list.set("betas", builder.getArrayAttr(betas));
  list.set("slots", builder.getI64IntegerAttr(train.optimizer == "sgd" ? 0 : betas.empty() ? 1 : 2));
  list.set("reduce_sum", builder.getBoolAttr(train.reduceSum));
  list.set("batch", builder.getStringAttr(isOnline ? "online" : isFull ? "full" : "mini"));
  list.set("batch_size", builder.getI64IntegerAttr(train.batchSize));
  return list.getDictionary(builder.getContext());
}

OwningOpRef<ModuleOp> importNetwork(const dsl::Network &network, MLIRContext &context, const ImportOptions &options) {
  context.loadDialect<NNDialect, func::FuncDialect>();
  return NetworkImporter(network, context, options).run();
}

} // namespace nnc
