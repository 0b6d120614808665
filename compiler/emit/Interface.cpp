//===- Interface.cpp - What a compiled network offers its user ------------===//

#include "compiler/emit/Interface.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::emit;

int64_t emit::getElementBytes(Type element) { return std::max<int64_t>(1, element.getIntOrFloatBitWidth() / 8); }

int64_t emit::getFixedBytes(RankedTensorType type) {
  return nn::getStoredSize(type) * getElementBytes(type.getElementType());
}

std::string emit::getUnit(RankedTensorType type) {
  auto dims = dyn_cast_or_null<nn::DimsAttr>(type.getEncoding());
  if (!dims)
    return "1";
  return llvm::join(llvm::map_range(dims.getNames(), [](StringAttr name) { return name.getValue(); }), "*");
}

int32_t Interface::getFreeDim(StringRef symbol) const {
  auto count = static_cast<int32_t>(freeDims.size());
  for (auto [index, dim] : llvm::enumerate(freeDims)) {
    auto number = static_cast<int32_t>(index);
    if (dim.name == symbol)
      return number;
    if (symbol == nn::getSegmentsName(dim.name))
      return count + 2 * number;
    if (symbol == nn::getStepsName(dim.name))
      return count + 2 * number + 1;
  }
  return -1;
}

//===----------------------------------------------------------------------===//
// Identifiers
//===----------------------------------------------------------------------===//

/// What a parameter cannot be called in C11 or C++20, what C's headers make macros of, and
/// what the header's own parameters are called.
// clang-format off
static const llvm::StringLiteral reservedNames[] = {
    "EOF", "HUGE_VAL", "I", "INFINITY", "NAN", "NULL", "accumulate", "alignas", "alignof", "and", "and_eq", "asm", "assert", "auto", "batch", "bitand", "bitor", "bool", "break", "case", "catch",
    "char", "char16_t", "char32_t", "char8_t", "class", "co_await", "co_return", "co_yield", "compl", "concept",
    "const", "const_cast", "consteval", "constexpr", "constinit", "context", "continue", "decltype", "default",
    "delete", "do", "double", "dynamic_cast", "else", "enum", "errno", "explicit", "export", "extern", "false", "float", "for",
    "friend", "goto", "if", "inline", "int", "int32_t", "int64_t", "linux", "long", "mutable", "namespace", "new",
    "noexcept", "not", "not_eq", "nullptr", "offsetof", "operator", "or", "or_eq", "private", "protected", "public", "register",
    "reinterpret_cast", "requires", "restrict", "return", "short", "signed", "sizeof", "static", "static_assert",
    "static_cast", "stderr", "stdin", "stdout", "struct", "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef", "typeid",
    "typename", "typeof", "union", "unix", "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while",
    "xor", "xor_eq"};
// clang-format on

namespace {

/// Gives each name of one scope an identifier of its own.
class Identifiers {
public:
  std::string make(StringRef name) {
    std::string identifier;
    for (char c : name)
      identifier += llvm::isAlnum(c) ? c : '_';
    if (identifier.empty() || llvm::isDigit(identifier.front()))
      identifier = "_" + identifier;
    // Names that begin with an underscore and a capital, or hold two
    // underscores, are the implementation's; they are rare and only parameters.
    auto isMacro = [](StringRef name) { // nnc's own, and limits such as INT32_MAX
      return name.starts_with("NNC_") || name.ends_with("_MAX") || name.ends_with("_MIN") || name.ends_with("_C");
    };
    while (llvm::is_contained(reservedNames, identifier) || isMacro(identifier) || !taken.insert(identifier).second)
      identifier += '_';
    return identifier;
  }

private:
  llvm::StringSet<> taken;
};

} // namespace

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

static std::string getNameOr(StringAttr attribute, StringRef fallback) {
  return attribute ? attribute.str() : fallback.str();
}

static void describeFreeDims(func::FuncOp function, Interface &interface) {
  Identifiers identifiers;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto name = function.getArgAttrOfType<StringAttr>(i, "nn.lengths")) {
      FreeDim dim;
      dim.name = name.str();
      dim.identifier = identifiers.make(dim.name);
      dim.lengths = identifiers.make(dim.name + "_lengths");
      if (auto bound = function.getArgAttrOfType<IntegerAttr>(i, "nn.bound"))
        dim.bound = bound.getInt();
      interface.freeDims.push_back(std::move(dim));
    }
}

namespace {

/// Describes one function after the other. Parameters are named for each; the
/// macros of sizes for all, since the header has one of each name.
class FunctionDescriber {
public:
  explicit FunctionDescriber(Interface &interface) : interface(interface) {}

  /// Gives the function's index; -1 for null.
  int32_t add(func::FuncOp function, FunctionKind kind);

private:
  Argument describe(StringAttr name, StringRef fallback, Type type, bool isOutput);
  std::string getMacro(const Argument &argument);

  Interface &interface;
  Identifiers parameters, macros;
  llvm::StringMap<std::string> known; ///< the macros of inputs, and apart from them of outputs
};

} // namespace

/// An input of several functions has one size, and one macro.
std::string FunctionDescriber::getMacro(const Argument &argument) {
  std::string &macro = known[(argument.isOutput ? "out " : "in ") + argument.name];
  if (macro.empty())
    macro = interface.prefix + "_" + macros.make(StringRef(argument.name).upper()) + "_SIZE";
  return macro;
}

Argument FunctionDescriber::describe(StringAttr name, StringRef fallback, Type type, bool isOutput) {
  Argument argument;
  argument.name = getNameOr(name, fallback);
  argument.identifier = parameters.make(argument.name);
  argument.isOutput = isOutput;
  argument.type = cast<RankedTensorType>(type);
  argument.macro = getMacro(argument);
  return argument;
}

int32_t FunctionDescriber::add(func::FuncOp function, FunctionKind kind) {
  if (!function)
    return -1;
  Function result;
  result.name = function.getName().str();
  result.kind = kind;
  result.op = function;
  parameters = {};
  for (const FreeDim &dim : interface.freeDims) {
    parameters.make(dim.identifier);
    parameters.make(dim.lengths);
  }
  for (auto [index, type] : llvm::enumerate(function.getArgumentTypes())) {
    if (llvm::any_of(ArrayRef<StringRef>{"nn.lengths", "nn.window", "nn.seed"},
                     [&](StringRef name) { return function.getArgAttr(index, name); }))
      continue; // the runtime's
    auto name = function.getArgAttrOfType<StringAttr>(index, kind == FunctionKind::Update ? "nn.scalar" : "nn.name");
    result.arguments.push_back(describe(name, "input" + std::to_string(index), type, /*isOutput=*/false));
    if (auto classes = function.getArgAttrOfType<IntegerAttr>(index, "nn.classes"))
      result.arguments.back().classes = classes.getInt();
  }
  for (auto [index, type] : llvm::enumerate(function.getResultTypes())) {
    result.arguments.push_back(describe(function.getResultAttrOfType<StringAttr>(index, "nn.name"),
                                        "output" + std::to_string(index), type, /*isOutput=*/true));
    if (auto classes = function.getResultAttrOfType<IntegerAttr>(index, "nn.classes"))
      result.arguments.back().classes = classes.getInt();
  }
  interface.functions.push_back(std::move(result));
  return interface.functions.size() - 1;
}

/// The functions in the order of their numbers: `infer`, `step`, then those of
/// each train block.
static void describeFunctions(ModuleOp module, Interface &interface) {
  FunctionDescriber describer(interface);
  auto lookup = [&](const Twine &symbol) { return module.lookupSymbol<func::FuncOp>(symbol.str()); };
  describer.add(lookup("infer"), FunctionKind::Infer);
  describer.add(lookup("step"), FunctionKind::Step);
  for (auto function : module.getOps<func::FuncOp>())
    if (auto settings = function->getAttrOfType<DictionaryAttr>("nn.train")) {
      Train train{settings.getAs<StringAttr>("name").str(), settings, -1, -1, -1, {}};
      train.gradients = describer.add(function, FunctionKind::Gradients);
      train.update = describer.add(lookup(train.name + "_update"), FunctionKind::Update);
      train.flow = describer.add(lookup(train.name + "_flow"), FunctionKind::Flow);
      interface.trains.push_back(std::move(train));
    }
  interface.prepare = lookup("prepare");
  interface.reset = lookup("reset");
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// How a type lies in memory: row-major, or in the panels that it says.
static std::vector<StorageDim> getStorage(RankedTensorType type) {
  std::vector<StorageDim> storage;
  auto panel = dyn_cast_or_null<nn::PanelAttr>(type.getEncoding());
  if (panel)
    storage.push_back(
        {panel.getDim(), panel.getWidth(), llvm::divideCeilSigned(type.getDimSize(panel.getDim()), panel.getWidth())});
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (!panel || dim != panel.getDim())
      storage.push_back({dim, 1, type.getDimSize(dim)});
  if (panel)
    storage.push_back({panel.getDim(), 1, panel.getWidth()});
  return storage;
}

/// The offset of the next value in a memory of this size, which grows by it.
static int64_t append(int64_t &memory, int64_t bytes) {
  int64_t offset = memory;
  memory = llvm::alignTo(offset + bytes, memoryAlignment);
  return offset;
}

/// The numbers of a layer, which are states, by train block and layer.
static void describeStatistics(ModuleOp module, Interface &interface) {
  for (Train &train : interface.trains)
    for (auto state : module.getOps<nn::StateOp>()) {
      auto statistic = state->getAttrOfType<DictionaryAttr>("nn.statistic");
      if (!statistic || statistic.getAs<StringAttr>("train").getValue() != train.name)
        continue;
      size_t index = statistic.getAs<IntegerAttr>("index").getInt();
      if (train.statistics.size() <= index)
        train.statistics.resize(index + 1);
      Statistic &own = train.statistics[index];
      own.layer = statistic.getAs<StringAttr>("layer").str();
      own.operation = statistic.getAs<StringAttr>("operation").str();
      own.source = getSource(state.getLoc());
      own.states[statistic.getAs<StringAttr>("kind")] = state.getSymName().str();
    }
}

static bool isOfTraining(nn::StateOp state) { return state->hasAttr("nn.training"); }

llvm::ArrayRef<nn::StateOp> Interface::getStates(nn::StateOp state) const {
  return isOfTraining(state) ? trainingStates : states;
}

static void describeMemory(ModuleOp module, Interface &interface) {
  for (auto op : module.getOps<nn::WeightOp>()) {
    Weight weight;
    weight.name = op.getSymName().str();
    weight.type = cast<RankedTensorType>(op.getType());
    weight.init = op.getInit();
    weight.isTrainable = !op.getFrozen();
    weight.storage = getStorage(weight.type);
    weight.bytes = getFixedBytes(weight.type);
    interface.weights.push_back(std::move(weight));
  }
  // Those that are trained first: an update takes them as one vector.
  for (bool isTrainable : {true, false}) {
    for (Weight &weight : interface.weights)
      if (weight.isTrainable == isTrainable)
        weight.offset = append(interface.weightsBytes, weight.bytes);
    if (isTrainable)
      interface.trainableBytes = interface.weightsBytes;
  }
  for (auto op : module.getOps<nn::PreparedOp>()) {
    int64_t bytes = getFixedBytes(cast<RankedTensorType>(op.getType()));
    interface.prepared.push_back({op.getSymName().str(), append(interface.preparedBytes, bytes)});
  }
  for (auto state : module.getOps<nn::StateOp>())
    (isOfTraining(state) ? interface.trainingStates : interface.states).push_back(state);
  // Numbers lie at the same place for any batch.
  llvm::stable_sort(interface.trainingStates, [](nn::StateOp a, nn::StateOp b) {
    return a->hasAttr("nn.statistic") && !b->hasAttr("nn.statistic");
  });
}

std::string emit::getSource(Location location) {
  std::string source;
  location->walk([&](Location inner) {
    if (auto file = dyn_cast<FileLineColLoc>(inner); file && source.empty())
      source = (file.getFilename().getValue() + ":" + Twine(file.getLine()) + ":" + Twine(file.getColumn())).str();
    return WalkResult::advance();
  });
  return source;
}

std::string emit::getLayer(Location location) {
  std::string layer;
  location->walk([&](Location inner) {
    if (auto name = dyn_cast<NameLoc>(inner); name && layer.empty())
      layer = name.getName().str();
    return WalkResult::advance();
  });
  return layer;
}

std::string emit::describePlace(Location location) {
  std::string layer = getLayer(location), source = getSource(location);
  if (layer.empty() || source.empty())
    return layer + source;
  return layer + " (" + source + ")";
}

Interface emit::describeInterface(ModuleOp module, StringRef name) {
  Interface interface;
  interface.name = name.str();
  interface.prefix = name.upper();
  if (auto infer = module.lookupSymbol<func::FuncOp>("infer"))
    describeFreeDims(infer, interface);
  describeFunctions(module, interface);
  describeStatistics(module, interface);
  describeMemory(module, interface);
  return interface;
}
