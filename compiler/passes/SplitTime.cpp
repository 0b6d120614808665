//===- SplitTime.cpp - Move out of time loops what need not be there ------===//
//
// Two rewrites of each loop, innermost first. Before it: contractions of the
// sequences alone, with the element-wise ops that lead to them, are computed
// for all steps at once and become sequences themselves. After it: contractions
// that only outputs need, with what follows them, are computed from states that
// the loop stacks. An op over all steps is the op of one step with the steps as
// one more outermost dimension; one that fills steps past an example's end, as it knows by the
// number of the step, is a mask of the sequence. Of a loop that carries no state nothing needs to
// stay: it vanishes where every op of it can be computed for all steps.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

namespace nnc {
#define GEN_PASS_DEF_SPLITTIME
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

static bool isContraction(Operation *op) { return isa<DenseOp, ConvOp, MatmulOp>(op); }

/// Whether an op means the same with one more outermost dimension.
static bool canLift(Operation *op) {
  if (isa<MaskOp, LastOp, ReverseOp, TimeMajorOp, BatchMajorOp, DelayOp, CountOp, ExtentOp, SegmentOp, SplitStepsOp,
          JoinStepsOp>(op) ||
      op->hasTrait<nn::OpTrait::SumsRows>())
    return false;
  // What a step has once for all examples would stand where others have the batch.
  return isa<ComputeOp, ReshapeOp, BroadcastOp>(op) && isBatched(getType(op->getResult(0)));
}

/// Adds a dimension to those that an attribute numbers.
static void shiftAxes(Operation *op) {
  Builder builder(op->getContext());
  auto shift = [&](StringRef name) {
    if (auto axes = op->getAttrOfType<DenseI64ArrayAttr>(name)) {
      SmallVector<int64_t> shifted;
      for (int64_t axis : axes.asArrayRef())
        shifted.push_back(axis + 1);
      op->setAttr(name, builder.getDenseI64ArrayAttr(shifted));
    }
  };
  if (isa<SumOp, MeanOp, ReduceMaxOp, ReduceMinOp>(op))
    shift("axes");
  if (auto transpose = dyn_cast<TransposeOp>(op)) {
    shift("permutation");
    SmallVector<int64_t> permutation(transpose.getPermutation());
    permutation.insert(permutation.begin(), 0);
    transpose.setPermutation(permutation);
  }
  if (auto concat = dyn_cast<ConcatOp>(op))
    concat.setAxis(concat.getAxis() + 1);
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    shift("dims");
    SmallVector<int64_t> dims(broadcast.getDims());
    dims.insert(dims.begin(), 0);
    broadcast.setDims(dims);
  }
}

/// A step's value that is filled where an example has ended: select(index < lengths, value, number).
struct FilledStep {
  Value value, lengths;
  double fill;
};

/// What an op fills, when it is such a one of this loop.
static std::optional<FilledStep> getFilledStep(EachOp loop, Operation *op) {
  auto select = dyn_cast<SelectOp>(op);
  auto spread = select ? select.getCondition().getDefiningOp<BroadcastOp>() : BroadcastOp();
  auto isAlive = spread ? spread.getX().getDefiningOp<LtOp>() : LtOp();
  auto filled = select ? select.getB().getDefiningOp<BroadcastOp>() : BroadcastOp();
  auto number = filled ? filled.getX().getDefiningOp<ConstantOp>() : ConstantOp();
  if (!isAlive || !number || isAlive.getA() != loop.getIndex() || spread.getDims() != ArrayRef<int64_t>{0} ||
      loop.getBody().isAncestor(isAlive.getB().getParentRegion()))
    return std::nullopt;
  auto fill = dyn_cast<FloatAttr>(number.getValue());
  if (!fill || getType(number.getResult()).getRank() != 0)
    return std::nullopt;
  return FilledStep{select.getA(), isAlive.getB(), fill.getValueAsDouble()};
}

namespace {

class LoopSplitter {
public:
  explicit LoopSplitter(EachOp loop) : loop(loop) {}

  void run() {
    hoistInvariants();
    hoist();
    sink();
    forwardSequences();
    dropUnused();
    if (loop.getOutputs().empty() && loop.getStarts().empty())
      loop.erase();
  }

private:
  bool isInside(Value value) { return loop.getBody().isAncestor(value.getParentRegion()); }
  bool isElement(Value value) { return llvm::is_contained(loop.getElements(), value); }

  /// A copy of `op` for all steps.
  Operation *cloneLifted(OpBuilder &builder, Operation *op, IRMapping &mapping) {
    if (std::optional<FilledStep> filled = getFilledStep(loop, op); filled && mapping.contains(filled->value)) {
      Value mask =
          MaskOp::create(builder, op->getLoc(), loop.getStackedType(getType(op->getResult(0))),
                         mapping.lookup(filled->value), filled->lengths, /*axis=*/0, llvm::APFloat(filled->fill));
      mapping.map(op->getResult(0), mask);
      return mask.getDefiningOp();
    }
    Operation *copy = builder.clone(*op, mapping);
    copy->getResult(0).setType(loop.getStackedType(getType(op->getResult(0))));
    shiftAxes(copy);
    return copy;
  }

  /// What an op over all steps reads from outside must fit every step as it is.
  static bool fitsEveryStep(Operation *op, Value operand) {
    return op->hasTrait<nn::OpTrait::Elementwise>() || !isBatched(getType(operand));
  }

  void hoistInvariants();
  void hoist();
  llvm::SetVector<Operation *> findHoisted();
  void sink();
  llvm::SetVector<Operation *> findSunk();
  void forwardSequences();
  void dropUnused();

  void replaceLoop(ValueRange sequences, ValueRange outputs, ArrayRef<int> results) {
    loop = loop.replaceWith(sequences, outputs, results);
  }

  EachOp loop;
};

} // namespace

//===----------------------------------------------------------------------===//
// Before the loop
//===----------------------------------------------------------------------===//

/// What is the same in every step.
void LoopSplitter::hoistInvariants() {
  for (Operation &op : llvm::make_early_inc_range(loop.getBody().front().without_terminator()))
    if (isa<ComputeOp, ReshapeOp, BroadcastOp, ConstantOp>(op) &&
        llvm::none_of(op.getOperands(), [&](Value operand) { return isInside(operand); }))
      op.moveBefore(loop);
}

/// Contractions of the sequences alone, and what leads to them; of a loop without
/// states everything.
llvm::SetVector<Operation *> LoopSplitter::findHoisted() {
  llvm::SetVector<Operation *> liftable, hoisted;
  auto isSteps = [&](Value value) { return isElement(value) || liftable.contains(value.getDefiningOp()); };
  for (Operation &op : loop.getBody().front().without_terminator()) {
    std::optional<FilledStep> filled = getFilledStep(loop, &op);
    bool isFilled = filled && isSteps(filled->value);
    if (isFilled ||
        (canLift(&op) && llvm::any_of(op.getOperands(), isSteps) && llvm::all_of(op.getOperands(), [&](Value operand) {
           return isSteps(operand) || (!isInside(operand) && fitsEveryStep(&op, operand));
         })))
      liftable.insert(&op);
  }
  for (Operation *op : llvm::reverse(liftable.getArrayRef()))
    if (loop.getStarts().empty() || isContraction(op) ||
        llvm::any_of(op->getUsers(), [&](Operation *user) { return hoisted.contains(user); }))
      hoisted.insert(op);
  return hoisted;
}

void LoopSplitter::hoist() {
  llvm::SetVector<Operation *> hoisted = findHoisted();
  if (hoisted.empty())
    return;
  OpBuilder builder(loop);
  IRMapping mapping;
  for (auto [element, sequence] : llvm::zip_equal(loop.getElements(), loop.getSequences()))
    mapping.map(element, sequence);
  SmallVector<Value> sequences(loop.getSequences());
  Block &body = loop.getBody().front();
  for (Operation *op : llvm::reverse(hoisted.getArrayRef())) {
    Operation *copy = cloneLifted(builder, op, mapping);
    Value result = op->getResult(0);
    if (llvm::all_of(result.getUsers(), [&](Operation *user) { return hoisted.contains(user); }))
      continue;
    sequences.push_back(copy->getResult(0));
    Value element = body.insertArgument(sequences.size(), result.getType(), op->getLoc());
    result.replaceUsesWithIf(element, [&](OpOperand &use) { return !hoisted.contains(use.getOwner()); });
  }
  for (Operation *op : hoisted)
    op->erase();
  SmallVector<int> same = llvm::to_vector(llvm::seq<int>(0, loop.getOutputs().size()));
  replaceLoop(sequences, SmallVector<Value>(loop.getYield().getOutputs()), same);
}

//===----------------------------------------------------------------------===//
// After the loop
//===----------------------------------------------------------------------===//

/// Contractions that only outputs need, and what follows them.
llvm::SetVector<Operation *> LoopSplitter::findSunk() {
  YieldOp yield = loop.getYield();
  DenseSet<Operation *> needed;
  SmallVector<Value> worklist(yield.getNext());
  if (yield.getUntil())
    worklist.push_back(yield.getUntil());
  while (!worklist.empty()) {
    Operation *op = worklist.pop_back_val().getDefiningOp();
    if (!op || !loop->isProperAncestor(op) || !needed.insert(op).second)
      continue;
    op->walk([&](Operation *nested) { llvm::append_range(worklist, nested->getOperands()); });
  }

  llvm::SetVector<Operation *> sunk;
  for (Operation &op : loop.getBody().front().without_terminator()) {
    bool follows = llvm::any_of(op.getOperands(), [&](Value value) { return sunk.contains(value.getDefiningOp()); });
    if (needed.contains(&op) || (!isContraction(&op) && !follows))
      continue;
    bool fits = canLift(&op) && llvm::all_of(op.getOperands(), [&](Value value) {
                  // The index and states before their step are not stacked.
                  if (auto argument = dyn_cast<BlockArgument>(value); argument && isInside(value))
                    return isElement(value);
                  return isInside(value) || fitsEveryStep(&op, value);
                });
    if (fits)
      sunk.insert(&op);
    else if (follows)
      return {}; // this op needs the contraction inside
  }
  return sunk;
}

void LoopSplitter::sink() {
  llvm::SetVector<Operation *> sunk = findSunk();
  if (sunk.empty())
    return;

  // What sunk ops read of a step is stacked.
  YieldOp yield = loop.getYield();
  SmallVector<Value> outputs(yield.getOutputs());
  for (Operation *op : sunk)
    for (Value operand : op->getOperands())
      if (isInside(operand) && !isElement(operand) && !sunk.contains(operand.getDefiningOp()) &&
          !llvm::is_contained(outputs, operand))
        outputs.push_back(operand);
  SmallVector<int> same = llvm::to_vector(llvm::seq<int>(0, loop.getOutputs().size()));
  replaceLoop(SmallVector<Value>(loop.getSequences()), outputs, same);

  IRMapping mapping;
  for (auto [element, sequence] : llvm::zip_equal(loop.getElements(), loop.getSequences()))
    mapping.map(element, sequence);
  for (auto [output, stacked] : llvm::zip_equal(outputs, loop.getOutputs()))
    if (!sunk.contains(output.getDefiningOp()))
      mapping.map(output, stacked);
  OpBuilder builder(loop->getContext());
  builder.setInsertionPointAfter(loop);
  for (Operation *op : sunk)
    cloneLifted(builder, op, mapping);
  for (auto [output, stacked] : llvm::zip_equal(outputs, loop.getOutputs()))
    if (sunk.contains(output.getDefiningOp()))
      stacked.replaceAllUsesWith(mapping.lookup(output));
}

/// An output that is a sequence's step is that sequence.
void LoopSplitter::forwardSequences() {
  for (auto [output, stacked] : llvm::zip_equal(loop.getYield().getOutputs(), loop.getOutputs()))
    if (isElement(output))
      stacked.replaceAllUsesWith(loop.getSequences()[cast<BlockArgument>(output).getArgNumber() - 1]);
}

/// Outputs that nothing reads any more, then ops and sequences.
void LoopSplitter::dropUnused() {
  SmallVector<Value> outputs;
  SmallVector<int> results;
  for (auto [output, stacked] : llvm::zip_equal(loop.getYield().getOutputs(), loop.getOutputs())) {
    results.push_back(stacked.use_empty() ? -1 : static_cast<int>(outputs.size()));
    if (!stacked.use_empty())
      outputs.push_back(output);
  }
  replaceLoop(SmallVector<Value>(loop.getSequences()), outputs, results);
  Block &body = loop.getBody().front();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (isOpTriviallyDead(&op))
      op.erase();
  SmallVector<Value> sequences;
  for (auto [index, sequence] : llvm::enumerate(SmallVector<Value>(loop.getSequences()))) {
    unsigned argument = 1 + sequences.size();
    if (body.getArgument(argument).use_empty())
      body.eraseArgument(argument);
    else
      sequences.push_back(sequence);
  }
  SmallVector<int> same = llvm::to_vector(llvm::seq<int>(0, loop.getOutputs().size()));
  replaceLoop(sequences, outputs, same);
}

namespace {

struct SplitTimePass : nnc::impl::SplitTimeBase<SplitTimePass> {
  void runOnOperation() override {
    // Innermost first: what leaves an inner loop may leave the outer one.
    SmallVector<EachOp> loops;
    // A segment is computed as a whole: nothing leaves it.
    getOperation().walk([&](EachOp loop) {
      if (!loop.getSegments())
        loops.push_back(loop);
    });
    for (EachOp loop : loops)
      LoopSplitter(loop).run();
  }
};

} // namespace
