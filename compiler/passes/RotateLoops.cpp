//===- RotateLoops.cpp - Begin the steps of a loop with its sums -----------===//
//
// On the way back a step makes, of the error of its state, those of its gates, element by element; then the error of
// the state before it, which is a sum of products of these. Two kernels: each element of the sum needs all gates. When
// what the loop carries are the errors of the gates, a step begins with the sum, whose elements the rest of the step
// takes as they come: one kernel.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

namespace nnc {
#define GEN_PASS_DEF_ROTATELOOPS
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// Whether a value is 0 everywhere.
static bool isZero(Value value) {
  if (auto broadcast = value.getDefiningOp<BroadcastOp>())
    return isZero(broadcast.getX());
  return matchPattern(value, m_AnyZeroFloat());
}

namespace {

/// The sum at the end of a step that is the next value of a state: of products by weights, and of values.
class LastSum {
public:
  LastSum(EachOp loop, unsigned state) : loop(loop), start(loop.getStarts()[state]) {
    Value next = loop.getYield().getNext()[state];
    holds = next.hasOneUse() && collect(next) && hasProducts && findStart();
  }

  explicit operator bool() const { return holds; }

  /// What the sum needs of the step.
  ArrayRef<Value> getNeeds() const { return needs.getArrayRef(); }

  /// Where the loop starts, of what is needed: the sum of these is what the state started as.
  SmallVector<Value> makeStarts(OpBuilder &builder) {
    DenseMap<Type, Value> zeros; // of each type one
    if (!started)
      zeros[start.getType()] = start;
    SmallVector<Value> starts;
    for (Value need : needs) {
      if (need != started && !zeros.contains(need.getType()))
        zeros[need.getType()] = makeZeros(builder, getType(need));
      starts.push_back(need == started ? start : zeros[need.getType()]);
    }
    return starts;
  }

  /// The sum, of other values than those of this step.
  Value clone(OpBuilder &builder, ValueRange values) const {
    IRMapping mapping;
    mapping.map(ValueRange(needs.getArrayRef()), values);
    Operation *last = nullptr;
    for (Operation *op : ops)
      last = builder.clone(*op, mapping);
    return last->getResult(0);
  }

  void erase() {
    for (Operation *op : llvm::reverse(ops))
      op->erase();
  }

private:
  Value makeZeros(OpBuilder &builder, RankedTensorType type) {
    auto number = RankedTensorType::get({}, type.getElementType());
    Value zero = ConstantOp::create(builder, loop.getLoc(), number, builder.getZeroAttr(type.getElementType()));
    return BroadcastOp::create(builder, loop.getLoc(), type, zero, ArrayRef<int64_t>());
  }

  /// What a step computes before the sum.
  bool isOfStep(Value value) {
    Operation *op = value.getDefiningOp();
    return op && op->getBlock() == &loop.getBody().front();
  }

  /// The terms of a value, each after what it needs.
  bool collect(Value value) {
    Operation *op = value.getDefiningOp();
    if (!isOfStep(value))
      return false;
    if (value.hasOneUse() && isa<AddOp>(op) &&
        llvm::all_equal({value.getType(), op->getOperand(0).getType(), op->getOperand(1).getType()})) {
      if (!collect(op->getOperand(0)) || !collect(op->getOperand(1)))
        return false;
      ops.push_back(op);
      return true;
    }
    if (value.hasOneUse() && isa<DenseOp, DenseInputGradientOp>(op)) {
      bool isOfWeight = !loop.getBody().isAncestor(op->getOperand(1).getParentRegion());
      if (!isOfWeight || !isOfStep(op->getOperand(0)))
        return false;
      needs.insert(op->getOperand(0));
      ops.push_back(op);
      return hasProducts = true;
    }
    needs.insert(value);
    terms.push_back(value);
    return true;
  }

  /// The sum must begin as the state does: with a term that does so while all else is 0.
  bool findStart() {
    if (isZero(start))
      return true;
    for (Value term : terms)
      if (term.getType() == start.getType() && llvm::count(terms, term) == 1 && !isFactor(term))
        started = term;
    return static_cast<bool>(started);
  }

  bool isFactor(Value value) const {
    return llvm::any_of(ops, [&](Operation *op) { return !isa<AddOp>(op) && op->getOperand(0) == value; });
  }

  EachOp loop;
  Value start;
  SmallVector<Operation *> ops; ///< in their order
  llvm::SetVector<Value> needs; ///< operands of the ops that the step computes
  SmallVector<Value> terms;     ///< of these, what is added as it is
  Value started;                ///< the term that starts as the state did; null: all are 0
  bool hasProducts = false, holds;
};

} // namespace

/// Moves the sum that gives a state to the start of the next step.
static EachOp rotate(EachOp loop, unsigned state, LastSum &sum) {
  Block &body = loop.getBody().front();
  YieldOp yield = loop.getYield();
  unsigned firstState = 1 + loop.getSequences().size();
  SmallVector<Value> needs(sum.getNeeds());
  SmallVector<Value> starts(loop.getStarts()), next(yield.getNext()), carried;
  OpBuilder builder(loop);
  starts.erase(starts.begin() + state);
  llvm::append_range(starts, sum.makeStarts(builder));

  for (Value need : needs)
    carried.push_back(body.addArgument(need.getType(), need.getLoc()));
  builder.setInsertionPointToStart(&body);
  BlockArgument before = body.getArgument(firstState + state);
  before.replaceAllUsesWith(sum.clone(builder, carried));
  body.eraseArgument(firstState + state);

  next.erase(next.begin() + state);
  llvm::append_range(next, needs);
  builder.setInsertionPoint(yield);
  YieldOp::create(builder, yield.getLoc(), next, yield.getOutputs(), Value());
  yield.erase();

  builder.setInsertionPoint(loop);
  EachOp rotated = EachOp::make(builder, loop.getLoc(), loop.getTripAttr(), loop.getBackward(),
                                SmallVector<Value>(loop.getSequences()), starts, loop.getBody());
  rotated.setUnrollAttr(loop.getUnrollAttr());
  for (auto [before, after] : llvm::zip_equal(loop.getOutputs(), rotated.getOutputs()))
    before.replaceAllUsesWith(after);
  unsigned kept = 0;
  for (auto [index, final] : llvm::enumerate(loop.getFinals()))
    if (index != state)
      final.replaceAllUsesWith(rotated.getFinals()[kept++]);
    else if (!final.use_empty())
      final.replaceAllUsesWith(sum.clone(builder, rotated.getFinals().drop_front(loop.getFinals().size() - 1)));
  sum.erase();
  loop.erase();
  return rotated;
}

namespace {

struct RotateLoopsPass : nnc::impl::RotateLoopsBase<RotateLoopsPass> {
  void runOnOperation() override {
    SmallVector<EachOp> loops;
    getOperation().walk([&](EachOp loop) { loops.push_back(loop); });
    for (EachOp loop : loops)
      // What a loop ends by is looked at after a step; a segment is computed again from the states before it.
      if (!loop.getYield().getUntil() && !loop.getSegments())
        for (unsigned state = loop.getStarts().size(); state-- > 0;)
          if (LastSum sum(loop, state); sum)
            loop = rotate(loop, state, sum);
  }
};

} // namespace
