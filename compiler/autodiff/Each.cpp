//===- Each.cpp - The derivative of a time loop ---------------------------===//
//
// A loop backwards. Its states are the cotangents of the forward loop's states,
// its sequences the cotangents of the forward loop's outputs and the tape: what
// the derivatives of the body read of the forward computation, which the forward
// loop stacks as further outputs. Of a state it is the value before the step, so
// that stack is delayed by one; of what becomes a state, the state after it.
//
// What the body reads from outside (a weight, say) gets a contribution in every
// step. Where it is a sum over rows, such as a weight's outer products, its
// operands are stacked instead and the sum is taken once, over all steps; other
// contributions are added up in a state. So a weight's gradient is one contraction
// after the loop, and the loop holds only what its states need.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/Autodiff.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

/// What costs nothing to compute again in the backward loop, rather than keep.
bool isRecomputed(Operation *op) {
  if (isa<ConstantOp, BroadcastOp, ReshapeOp, CountOp, ExtentOp>(op))
    return true;
  return op->hasTrait<nn::OpTrait::Elementwise>() && !getType(op->getResult(0)).getElementType().isF32();
}

/// Whether a contribution of every step is the contribution of all steps once its
/// operands are stacked.
bool isSumOfRows(Operation *op) {
  if (!op)
    return false;
  auto sum = dyn_cast<SumOp>(op);
  return op->hasTrait<nn::OpTrait::SumsRows>() || (sum && !sum.getLengths());
}

/// The adjoints of a loop's body, in the body of the loop backwards.
class LoopAdjoints : public Adjoints {
public:
  LoopAdjoints(Adjoints &outer, EachOp loop, OpBuilder &inside, Block &body, ActiveValues &active)
      : Adjoints(inside, active), outer(outer), loop(loop), body(body) {}

  Value primal(Value value) override;
  void add(Value value, Value cotangent) override;
  void replace(Value from, Value to) override {
    Adjoints::replace(from, to);
    if (Value argument = known.lookup(from)) {
      known.erase(from);
      known[to] = argument;
    }
  }

  /// A further sequence of the loop backwards.
  Value addElement(Value sequence, RankedTensorType element) {
    sequences.push_back(sequence);
    return body.insertArgument(sequences.size(), element, loop.getLoc());
  }

  bool isInside(Value value) { return loop.getBody().isAncestor(value.getParentRegion()); }

  /// One step of the tape: the body's value to be stacked, and the argument by which the
  /// loop backwards reads it.
  struct Kept {
    unsigned output;    ///< of the forward loop
    unsigned element;   ///< of the loop backwards
    Value delayedStart; ///< of a state: its start value
  };

  SmallVector<Value> sequences; ///< null until the forward loop stacks it
  SmallVector<Kept> tape;
  llvm::MapVector<Value, SmallVector<Value>> contributions; ///< to what is outside

private:
  Value keep(Value stacked, RankedTensorType type, Value delayedStart);
  Value getStateOf(Value value);

  Adjoints &outer;
  EachOp loop;
  Block &body;
  DenseMap<Value, Value> known;
};

/// Builds the derivative of one loop.
class LoopDifferentiator {
public:
  LoopDifferentiator(Adjoints &outer, EachOp loop, ActiveValues &active)
      : outer(outer), loop(loop), inside(loop.getContext()), adjoints(outer, loop, inside, body(), active) {}

  LogicalResult run();

private:
  Block &body() {
    if (region.empty())
      region.emplaceBlock().addArgument(RankedTensorType::get({}, inside.getI32Type()), loop.getLoc());
    return region.front();
  }

  void seed();
  void takeContributions();
  void yieldCotangents();
  void stackTape();
  EachOp create();
  void spread(EachOp backward);
  bool liftContribution(Value value, Value contribution);
  unsigned addOutput(Value value) {
    auto place = llvm::find(outputs, value);
    if (place == outputs.end())
      place = outputs.insert(outputs.end(), value);
    return place - outputs.begin();
  }
  unsigned addState(Value start) {
    starts.push_back(start);
    return starts.size() - 1;
  }

  Adjoints &outer;
  EachOp loop;
  OpBuilder inside;
  Region region;
  LoopAdjoints adjoints;

  SmallVector<unsigned> activeStates;                         ///< of the forward loop
  SmallVector<Value> starts, next;                            ///< of the loop backwards
  SmallVector<Value> outputs;                                 ///< of its body
  SmallVector<std::pair<unsigned, unsigned>> sequenceOutputs; ///< forward sequence, output
  SmallVector<std::pair<Value, unsigned>> sums;               ///< a value outside, its state
  struct Lifted {
    Value value;
    Operation *op; ///< in the body, of which operands are stacked
  };
  SmallVector<Lifted> lifted;
};

} // namespace

//===----------------------------------------------------------------------===//
// The tape
//===----------------------------------------------------------------------===//

Value LoopAdjoints::primal(Value value) {
  if (!isInside(value))
    return outer.primal(value);
  if (Value argument = known.lookup(value))
    return argument;
  auto remember = [&](Value result) { return known[value] = result; };

  RankedTensorType type = nn::getType(value);
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (argument == loop.getIndex())
      return body.getArgument(0);
    unsigned number = argument.getArgNumber() - 1;
    if (number < loop.getSequences().size())
      return remember(addElement(outer.primal(loop.getSequences()[number]), type));
    number -= loop.getSequences().size();
    return remember(keep(loop.getYield().getNext()[number], type, loop.getStarts()[number]));
  }
  Operation *op = value.getDefiningOp();
  if (isRecomputed(op)) {
    IRMapping mapping;
    for (Value operand : op->getOperands())
      mapping.map(operand, primal(operand));
    return remember(builder.clone(*op, mapping)->getResult(0));
  }
  Value state = getStateOf(value);
  return remember(keep(state ? state : value, type, Value()));
}

/// The state that a value becomes while its example has steps, if it becomes nothing else. Past the end the state stays
/// as it is and no error comes back to the value, so that its derivative may read the state in its place, of which
/// there is a stack already.
Value LoopAdjoints::getStateOf(Value value) {
  auto select = value.hasOneUse() ? dyn_cast<SelectOp>(*value.user_begin()) : SelectOp();
  if (!select || select.getA() != value)
    return {};
  for (auto [before, after] : llvm::zip_equal(loop.getCarried(), loop.getYield().getNext()))
    if (after == select && before == select.getB())
      return after;
  return {};
}

/// Lets the forward loop stack a value.
Value LoopAdjoints::keep(Value stacked, RankedTensorType type, Value delayedStart) {
  MutableOperandRange outputs = loop.getYield().getOutputsMutable();
  auto place = llvm::find(loop.getYield().getOutputs(), stacked);
  unsigned output = place - loop.getYield().getOutputs().begin();
  if (output == outputs.size())
    outputs.append(stacked);
  Value element = addElement(Value(), type);
  tape.push_back({output, static_cast<unsigned>(sequences.size() - 1), delayedStart});
  return element;
}

void LoopAdjoints::add(Value value, Value cotangent) {
  if (isInside(value))
    return Adjoints::add(value, cotangent);
  if (!isActive(value))
    return;
  contributions[value].push_back(sumRepetitions(value, cotangent));
}

//===----------------------------------------------------------------------===//
// The loop backwards
//===----------------------------------------------------------------------===//

/// The cotangents of what the body yields: those of the outputs come step by step,
/// those of the states from the step after.
void LoopDifferentiator::seed() {
  YieldOp yield = loop.getYield();
  SmallVector<std::pair<Value, Value>> seeds;
  for (auto [output, value] : llvm::zip_equal(loop.getOutputs(), yield.getOutputs()))
    if (Value cotangent = outer.get(output))
      seeds.emplace_back(value, adjoints.addElement(cotangent, nn::getType(value)));
  for (auto [index, final] : llvm::enumerate(loop.getFinals()))
    if (outer.isActive(final)) {
      activeStates.push_back(index);
      addState(outer.getOrZero(final));
      seeds.emplace_back(yield.getNext()[index], body().addArgument(final.getType(), loop.getLoc()));
    }
  for (auto [value, cotangent] : seeds)
    adjoints.add(value, cotangent);
}

/// Whether a contribution can be taken after the loop; remembers it then.
bool LoopDifferentiator::liftContribution(Value value, Value contribution) {
  Operation *op = contribution.getDefiningOp();
  if (!isSumOfRows(op) || op->getBlock() != &body())
    return false;
  auto isLocal = [&](Value operand) { return operand.getParentBlock() == &body() && operand != body().getArgument(0); };
  if (!llvm::all_of(op->getOperands(), isLocal))
    return false;
  lifted.push_back({value, op});
  return true;
}

void LoopDifferentiator::takeContributions() {
  for (auto &[value, list] : adjoints.contributions) {
    Value rest;
    for (Value contribution : list) {
      if (liftContribution(value, contribution))
        continue;
      rest = rest ? adjoints.plus(rest, contribution) : contribution;
    }
    if (!rest)
      continue;
    auto type = getTensorType(nn::getType(rest).getElementType(), getExtents(nn::getType(rest)));
    sums.emplace_back(value, addState(outer.fill(0, type)));
    Value before = body().addArgument(type, loop.getLoc());
    next.push_back(adjoints.plus(before, rest));
  }
}

void LoopDifferentiator::yieldCotangents() {
  SmallVector<Value> nextStates;
  for (unsigned state : activeStates)
    nextStates.push_back(adjoints.getOrZero(loop.getCarried()[state]));
  takeContributions();
  next.insert(next.begin(), nextStates.begin(), nextStates.end());
  for (auto [index, element] : llvm::enumerate(loop.getElements()))
    if (Value cotangent = adjoints.get(element))
      sequenceOutputs.emplace_back(index, addOutput(cotangent));
  for (Lifted &contribution : lifted)
    for (Value operand : contribution.op->getOperands())
      if (auto argument = dyn_cast<BlockArgument>(operand);
          !argument || argument.getArgNumber() > adjoints.sequences.size())
        addOutput(operand);
}

EachOp nnc::remakeLoop(Adjoints &outer, EachOp loop) {
  OpBuilder builder(loop);
  EachOp replacement = EachOp::make(builder, loop.getLoc(), loop.getTripAttr(), loop.getBackward(), loop.getSequences(),
                                    loop.getStarts(), loop.getBody());
  replacement.setSegments(loop.getSegments());
  auto replace = [&](ValueRange from, ValueRange to) {
    for (auto [before, after] : llvm::zip(from, to)) {
      outer.replace(before, after);
      before.replaceAllUsesWith(after);
    }
  };
  replace(loop.getOutputs(), replacement.getOutputs());
  replace(loop.getFinals(), replacement.getFinals());
  loop.erase();
  return replacement;
}

/// Replaces the forward loop by one that stacks the tape.
void LoopDifferentiator::stackTape() {
  loop = remakeLoop(outer, loop);
  for (const LoopAdjoints::Kept &kept : adjoints.tape) {
    Value sequence = outer.primal(loop.getOutputs()[kept.output]);
    if (kept.delayedStart)
      sequence = outer.make<DelayOp>({sequence, outer.primal(kept.delayedStart)});
    adjoints.sequences[kept.element] = sequence;
  }
}

EachOp LoopDifferentiator::create() {
  inside.setInsertionPointToEnd(&body());
  YieldOp::create(inside, loop.getLoc(), next, outputs, Value());
  return EachOp::make(outer.builder, loop.getLoc(), loop.getTripAttr(), /*backward=*/true, adjoints.sequences, starts,
                      region);
}

/// Hands the cotangents on to what the forward loop read.
void LoopDifferentiator::spread(EachOp backward) {
  for (auto [sequence, output] : sequenceOutputs)
    outer.add(loop.getSequences()[sequence], backward.getOutputs()[output]);
  for (auto [index, state] : llvm::enumerate(activeStates))
    outer.add(loop.getStarts()[state], backward.getFinals()[index]);
  for (auto [value, state] : sums)
    outer.add(value, backward.getFinals()[state]);
  for (const Lifted &contribution : lifted) {
    IRMapping mapping;
    for (Value operand : contribution.op->getOperands()) {
      auto argument = dyn_cast<BlockArgument>(operand);
      if (argument && argument.getArgNumber() <= backward.getSequences().size())
        mapping.map(operand, backward.getSequences()[argument.getArgNumber() - 1]);
      else
        mapping.map(operand, backward.getOutputs()[llvm::find(outputs, operand) - outputs.begin()]);
    }
    Operation *all = outer.builder.clone(*contribution.op, mapping);
    if (auto sum = dyn_cast<SumOp>(all)) {
      SmallVector<int64_t> axes{0};
      for (int64_t axis : sum.getAxes())
        axes.push_back(axis + 1);
      sum.setAxes(axes);
    }
    outer.add(contribution.value, all->getResult(0));
  }
  for (const Lifted &contribution : lifted)
    if (contribution.op->use_empty())
      contribution.op->erase();
  // What only they read of a step is not walked through.
  for (unsigned index = backward.getSequences().size(); index-- > 0;)
    if (backward.getElements()[index].use_empty()) {
      backward.getBody().front().eraseArgument(index + 1);
      backward.getSequencesMutable().erase(index);
    }
}

LogicalResult LoopDifferentiator::run() {
  inside.setInsertionPointToEnd(&body());
  adjoints.location = loop.getLoc();
  seed();
  if (failed(differentiateBlock(loop.getBody().front(), adjoints)))
    return failure();
  yieldCotangents();
  stackTape();
  outer.location = loop.getLoc();
  spread(create());
  return success();
}

LogicalResult nnc::differentiateEach(Adjoints &adjoints, EachOp loop) {
  bool needed = llvm::any_of(loop->getResults(), [&](Value result) { return adjoints.get(result) != nullptr; });
  if (!needed)
    return success();
  return loop.getSegments() ? differentiateSegments(adjoints, loop)
                            : LoopDifferentiator(adjoints, loop, adjoints.getActive()).run();
}
