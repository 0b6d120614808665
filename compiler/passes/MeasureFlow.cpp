//===- MeasureFlow.cpp - How errors flow back through states --------------===//
//
// The loss is taken apart into sums and means over steps, and what is known once an
// example has ended. Of the former all steps but one are multiplied by 0, so that what
// flows back comes from that step alone.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"
#include "compiler/passes/Probes.h"

#include "llvm/ADT/StringSet.h"

namespace nnc {
#define GEN_PASS_DEF_MEASUREFLOW
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

/// Makes of one function that gives losses one whose loss is that of a step, with probes.
class FlowMeasurer {
public:
  explicit FlowMeasurer(func::FuncOp function) : function(function), builder(function.getContext()) {}

  void run() {
    for (auto store : llvm::make_early_inc_range(function.getOps<StoreOp>()))
      store.erase();
    addStep();
    auto end = cast<func::ReturnOp>(function.getBody().front().getTerminator());
    chooseStep(end->getOpOperand(0));
    auto settings = function->getAttrOfType<DictionaryAttr>("nn.flow");
    NamedAttrList list(settings);
    list.set("has_steps", builder.getBoolAttr(hasSteps));
    function->setAttr("nn.flow", list.getDictionary(builder.getContext()));
    for (auto loop : llvm::to_vector(function.getOps<EachOp>()))
      probe(loop);
  }

private:
  void addStep();
  void chooseStep(OpOperand &part);
  void chooseStepOf(OpOperand &sequence, Value lengths);
  void probe(EachOp loop);
  StringAttr makeName(Value state);

  template <typename OpTy> Value make(ValueRange operands, ArrayRef<NamedAttribute> attributes = {}) {
    return createInferred<OpTy>(builder, function.getLoc(), operands, attributes)->getResult(0);
  }
  Value number(TypedAttr value) {
    return ConstantOp::create(builder, function.getLoc(), RankedTensorType::get({}, value.getType()), value);
  }
  Value repeat(Value value, Type type) {
    auto whole = getTensorType(nn::getType(value).getElementType(), getExtents(cast<RankedTensorType>(type)));
    return BroadcastOp::create(builder, function.getLoc(), whole, value, ArrayRef<int64_t>());
  }

  func::FuncOp function;
  OpBuilder builder;
  Value step;
  bool hasSteps = false;
  llvm::StringSet<> names;
};

} // namespace

/// The argument is the last of those that a caller gives.
void FlowMeasurer::addStep() {
  unsigned index = 0;
  while (index < function.getNumArguments() && function.getArgAttr(index, "nn.name")) {
    names.insert(function.getArgAttrOfType<StringAttr>(index, "nn.name").getValue());
    ++index;
  }
  auto name = builder.getNamedAttr("nn.name", builder.getStringAttr("loss_step"));
  (void)function.insertArgument(index, RankedTensorType::get({}, builder.getI32Type()), builder.getDictionaryAttr(name),
                                function.getLoc());
  step = function.getArgument(index);
}

/// A part of the losses from which they follow by sums and by factors.
void FlowMeasurer::chooseStep(OpOperand &part) {
  Operation *op = part.get().getDefiningOp();
  auto isConstant = [](Value value) {
    Operation *definition = value.getDefiningOp();
    return isa_and_nonnull<ConstantOp>(definition) ||
           (isa_and_nonnull<BroadcastOp>(definition) && definition->getOperand(0).getDefiningOp<ConstantOp>());
  };
  if (op && op->hasOneUse()) {
    if (isa<AddOp, SubOp, NegOp>(op)) {
      for (OpOperand &operand : op->getOpOperands())
        chooseStep(operand);
      return;
    }
    if (isa<MulOp, DivOp>(op) && isConstant(op->getOperand(1)))
      return chooseStep(op->getOpOperand(0));
    if (isa<MulOp>(op) && isConstant(op->getOperand(0)))
      return chooseStep(op->getOpOperand(1));
    if (isa<SumOp, MeanOp>(op) && op->getNumOperands() == 2 &&
        op->getAttrOfType<DenseI64ArrayAttr>("axes").asArrayRef() == ArrayRef<int64_t>(0))
      return chooseStepOf(op->getOpOperand(0), op->getOperand(1));
  }
  if (isConstant(part.get()))
    return;
  // It is no step's: only what is asked for as a whole has it.
  builder.setInsertionPoint(part.getOwner());
  Type type = part.get().getType();
  Value isWhole = make<LtOp>({step, number(builder.getI32IntegerAttr(0))});
  Value nothing = repeat(number(builder.getF32FloatAttr(0)), type);
  part.set(make<SelectOp>({repeat(isWhole, type), part.get(), nothing}));
}

/// Values of each step, of which an example has as many as `lengths` says: 1 at the step, 0
/// elsewhere, as the steps before its end less those before it.
void FlowMeasurer::chooseStepOf(OpOperand &sequence, Value lengths) {
  hasSteps = true;
  builder.setInsertionPoint(sequence.getOwner());
  Type each = lengths.getType();
  Value isWhole = repeat(make<LtOp>({step, number(builder.getI32IntegerAttr(0))}), each);
  Value after = repeat(make<AddOp>({step, number(builder.getI32IntegerAttr(1))}), each);
  Value end = make<SelectOp>({isWhole, lengths, after});
  Value begin = repeat(make<MaxOp>({step, number(builder.getI32IntegerAttr(0))}), each);
  Value ones = repeat(number(builder.getF32FloatAttr(1)), sequence.get().getType());
  auto before = [&](Value limit) {
    return make<MaskOp>({ones, limit}, {builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)),
                                        builder.getNamedAttr("fill", builder.getF64FloatAttr(0))});
  };
  sequence.set(make<MulOp>({sequence.get(), make<SubOp>({before(end), before(begin)})}));
}

/// The user's name of a state, which the importer wrote to its location.
StringAttr FlowMeasurer::makeName(Value state) {
  auto location = dyn_cast<NameLoc>(state.getLoc());
  std::string name = location ? location.getName().str() : "state", unique = name;
  for (unsigned count = 2; !names.insert(unique).second; ++count)
    unique = name + std::to_string(count);
  return builder.getStringAttr(unique);
}

void FlowMeasurer::probe(EachOp loop) {
  SmallVector<std::pair<Value, Value>> states;
  for (auto [carried, next] : llvm::zip_equal(loop.getCarried(), loop.getYield().getNext())) {
    // What only becomes an older state has been seen as the newer one.
    bool isNew = next.getParentBlock() == &loop.getBody().front() && next.getDefiningOp();
    bool isKnown = llvm::any_of(states, [&](auto &known) { return known.second == next; });
    if (isNew && !isKnown && nn::getType(next).getElementType().isF32())
      states.emplace_back(carried, next);
  }
  for (auto [carried, next] : states)
    addProbe(function, next, makeName(carried), FlatSymbolRefAttr());
}

namespace {

struct MeasureFlowPass : nnc::impl::MeasureFlowBase<MeasureFlowPass> {
  void runOnOperation() override {
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (function->hasAttr("nn.flow"))
        FlowMeasurer(function).run();
  }
};

} // namespace
