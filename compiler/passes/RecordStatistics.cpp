//===- RecordStatistics.cpp - What becomes of values in training ----------===//
//
// A layer here is what one place of the source computes: the ops of one path and
// location, of which the last gives the value. Of equations that are written out the
// sums and products between do not count, but for the last of a line.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/Autodiff.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/Probes.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"

#include <limits>

namespace nnc {
#define GEN_PASS_DEF_RECORDSTATISTICS
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// Beyond these an activation is saturated: its derivative is below 2 %, or 1 %.
static constexpr double saturatedTanh = 0.99, saturatedSigmoid = 0.49; // the latter from 1/2

namespace {

/// What one place of the source computes.
struct Layer {
  Value value;
  Location location;
  std::string name;      ///< "conv1", "lstm1.c", "h"; empty where there is none
  std::string operation; ///< "conv"
};

/// Records the statistics of one function.
class StatisticsRecorder {
public:
  explicit StatisticsRecorder(func::FuncOp function)
      : function(function), symbols(function->getParentOfType<ModuleOp>()), builder(function.getContext()) {}

  void run() {
    Block &body = function.getBody().front();
    ActiveValues active = findActive(body, [&](Operation *op) {
      auto read = dyn_cast<ReadOp>(op);
      auto weight = read ? symbols.lookup<WeightOp>(read.getSymbol()) : WeightOp();
      return weight && !weight.getFrozen();
    });
    findInputs();
    findLayers();
    for (auto [index, layer] : llvm::enumerate(layers)) {
      number = index;
      record(layer);
      if (active.contains(layer.value))
        addProbe(function, layer.value, builder.getStringAttr("error"), declare(layer, "error"));
    }
  }

private:
  void findInputs();
  void findLayers();
  void record(const Layer &layer);
  Value countSaturated(Value value, Operation *activation);
  FlatSymbolRefAttr declare(const Layer &layer, StringRef kind);

  template <typename OpTy> Value make(ValueRange operands, ArrayRef<NamedAttribute> attributes = {}) {
    return createInferred<OpTy>(builder, location, operands, attributes)->getResult(0);
  }
  Value real(double value) {
    return ConstantOp::create(builder, location, RankedTensorType::get({}, builder.getF32Type()),
                              builder.getF32FloatAttr(static_cast<float>(value)));
  }
  Value fill(double value, Value like) {
    return BroadcastOp::create(builder, location, nn::getType(like), real(value), ArrayRef<int64_t>());
  }
  NamedAttribute axes(int64_t count) {
    return builder.getNamedAttr("axes", builder.getDenseI64ArrayAttr(llvm::to_vector(llvm::seq<int64_t>(0, count))));
  }
  Value sumAll(Value value) { return make<SumOp>(value, axes(nn::getType(value).getRank())); }
  /// How many elements a condition holds for.
  Value count(Value condition, Value like) { return sumAll(make<SelectOp>({condition, fill(1, like), fill(0, like)})); }
  void store(const Layer &layer, StringRef kind, Value value) {
    StoreOp::create(builder, location, declare(layer, kind), value);
  }

  func::FuncOp function;
  SymbolTable symbols;
  OpBuilder builder;
  Location location = builder.getUnknownLoc();
  SmallVector<Layer> layers;
  size_t number = 0; ///< of the layer that is recorded
};

} // namespace

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

/// The path of a layer in a location; empty where it has none.
static StringRef getPath(Location location) {
  auto name = dyn_cast<NameLoc>(location);
  return name ? name.getName().getValue() : StringRef();
}

static FileLineColLoc getPlace(Location location) {
  if (auto name = dyn_cast<NameLoc>(location))
    location = name.getChildLoc();
  return dyn_cast<FileLineColLoc>(location);
}

/// Sums and products: parts of an equation.
static bool isArithmetic(Operation *op) { return isa<AddOp, SubOp, MulOp, DivOp, NegOp, MaxOp, MinOp>(op); }

/// Whether an op's value is one of the network, rather than a copy or a constant.
static bool isComputed(Operation *op) {
  auto compute = dyn_cast<ComputeOp>(op);
  if (!compute || isa<SelectOp, MaskOp, CountOp, ExtentOp>(op) || compute.getFamily() == Family::Reshape)
    return false;
  RankedTensorType type = nn::getType(op->getResult(0));
  return type.getElementType().isF32() && isBatched(type);
}

namespace {

/// What stands at one place of the source, in one block.
struct Place {
  SmallVector<Operation *> all;
  SmallVector<Operation *> computed; ///< those that give a value for each example
};

} // namespace

/// The op that a layer is called after: that which gives its value, unless it only adds a
/// bias, say.
static Operation *getMain(ArrayRef<Operation *> ops) {
  auto isLarger = [](Operation *op) { return cast<ComputeOp>(op).getFamily() != Family::Elementwise; };
  auto larger = llvm::find_if(ops, isLarger);
  return isArithmetic(ops.back()) && larger != ops.end() ? *larger : ops.back();
}

/// Weights are called after their layer, "encoder.dense1.kernel"; what reads them is
/// that layer, where it is one of the path or in it. Else the value may have a name there.
static std::string getLayerName(ArrayRef<Operation *> ops) {
  StringRef path = getPath(withoutName(ops.front()->getLoc())), name = path;
  for (Operation *op : ops)
    for (Value operand : op->getOperands())
      if (auto read = operand.getDefiningOp<ReadOp>()) {
        StringRef owner = read.getSymbol().rsplit('.').first;
        if (owner.size() < read.getSymbol().size() && owner.size() > name.size() && owner.starts_with(name))
          name = owner;
      }
  StringRef own = nn::getName(ops.back()->getLoc());
  if (name.size() > path.size() || own.empty())
    return name.str();
  return path.empty() ? own.str() : (path + "." + own).str();
}

/// Inputs come first: what is not finite there is no layer's fault.
void StatisticsRecorder::findInputs() {
  for (BlockArgument argument : function.getArguments()) {
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "nn.name");
    if (!name || !nn::getType(argument).getElementType().isF32())
      continue;
    Value value = argument;
    for (Operation *user : argument.getUsers())
      if (isa<TimeMajorOp>(user))
        value = user->getResult(0);
    layers.push_back({value, function.getLoc(), name.str(), "input"});
  }
}

/// The layers of the function, in order; those in loops among them.
void StatisticsRecorder::findLayers() {
  DenseMap<Operation *, unsigned> numbers;
  function.walk<WalkOrder::PreOrder>([&](Operation *op) { numbers.try_emplace(op, numbers.size()); });
  SmallVector<std::pair<unsigned, Place>> found;
  function.walk([&](Block *block) {
    llvm::MapVector<Location, Place> places; // path and place in the source
    llvm::MapVector<std::pair<StringRef, unsigned>, Operation *> lastOfLine;
    for (Operation &op : *block) {
      Location location = withoutName(op.getLoc());
      StringRef path = getPath(location);
      FileLineColLoc at = getPlace(location);
      if (!at || !isa<ComputeOp>(op))
        continue;
      Place &place = places[location];
      place.all.push_back(&op);
      if (isComputed(&op)) {
        place.computed.push_back(&op);
        lastOfLine[{path, at.getLine()}] = &op;
      }
    }
    for (auto &[at, place] : places) {
      if (place.computed.empty())
        continue;
      bool endsLine = lastOfLine.lookup({getPath(at), getPlace(at).getLine()}) == place.computed.back();
      if (endsLine || !llvm::all_of(place.computed, isArithmetic))
        found.emplace_back(numbers.lookup(place.computed.back()), std::move(place));
    }
  });
  llvm::stable_sort(found, llvm::less_first());
  for (auto &[order, place] : found) {
    Operation *last = place.computed.back();
    layers.push_back({last->getResult(0), withoutName(last->getLoc()), getLayerName(place.all),
                      getMain(place.computed)->getName().stripDialect().str()});
  }
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

/// A state for one number of a layer.
FlatSymbolRefAttr StatisticsRecorder::declare(const Layer &layer, StringRef kind) {
  auto module = function->getParentOfType<ModuleOp>();
  auto train = function->getAttrOfType<DictionaryAttr>("nn.train").getAs<StringAttr>("name");
  OpBuilder atModule = OpBuilder::atBlockBegin(module.getBody());
  std::string name = (train.getValue() + ".statistic" + Twine(number) + "." + kind).str();
  auto state = StateOp::create(atModule, layer.location, builder.getStringAttr(name),
                               TypeAttr::get(RankedTensorType::get({}, builder.getF32Type())));
  auto text = [&](StringRef key, const Twine &value) {
    return builder.getNamedAttr(key, builder.getStringAttr(value));
  };
  state->setAttr("nn.training", builder.getUnitAttr());
  state->setAttr("nn.statistic",
                 builder.getDictionaryAttr(
                     {text("train", train.getValue()), text("kind", kind), text("layer", layer.name),
                      text("operation", layer.operation),
                      builder.getNamedAttr("index", builder.getI64IntegerAttr(static_cast<int64_t>(number)))}));
  return FlatSymbolRefAttr::get(state.getSymNameAttr());
}

/// The share of elements that are beyond where an activation has a slope worth
/// mentioning; null for others.
Value StatisticsRecorder::countSaturated(Value value, Operation *activation) {
  Value distance;
  double limit = 0;
  if (isa<TanhOp>(activation)) {
    distance = make<AbsOp>(value);
    limit = saturatedTanh;
  } else if (isa<SigmoidOp>(activation)) {
    distance = make<AbsOp>(make<SubOp>({value, real(0.5)}));
    limit = saturatedSigmoid;
  } else {
    return {};
  }
  // Past an example's end nothing counts, also what is not saturated.
  Value beyond = make<SelectOp>({make<GtOp>({distance, real(limit)}), fill(1, value), fill(0, value)});
  Value own = sumAll(maskPastEnd(builder, function, fill(1, value)));
  return make<DivOp>({sumAll(maskPastEnd(builder, function, beyond)), make<MaxOp>({own, real(1)})});
}

void StatisticsRecorder::record(const Layer &layer) {
  Operation *definition = layer.value.getDefiningOp();
  Value value = stackOut(layer.value);
  location = layer.location;
  builder.setInsertionPointAfterValue(value);
  Value own = maskPastEnd(builder, function, value);
  Value isFinite = make<LeOp>({make<AbsOp>(own), real(std::numeric_limits<float>::max())});
  store(layer, "not_finite", count(make<NotOp>(isFinite), own));
  if (!definition)
    return;
  if (Value saturated = countSaturated(value, definition))
    store(layer, "saturated", saturated);
  if (isa<ReluOp>(definition)) {
    // A unit is a place of the last dimension: over all examples, steps and pixels its sum is 0.
    int64_t rank = nn::getType(own).getRank();
    Value units = make<SumOp>(own, axes(getFixedShape(nn::getType(own)).empty() ? rank : rank - 1));
    Value dead = make<SelectOp>({make<GtOp>({units, fill(0, units)}), fill(0, units), fill(1, units)});
    store(layer, "dead", nn::getType(dead).getRank() == 0 ? dead : make<MeanOp>(dead, axes(1)));
  }
}

namespace {

struct RecordStatisticsPass : nnc::impl::RecordStatisticsBase<RecordStatisticsPass> {
  void runOnOperation() override {
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (auto train = function->getAttrOfType<DictionaryAttr>("nn.train"); train && train.get("statistics"))
        StatisticsRecorder(function).run();
  }
};

} // namespace
