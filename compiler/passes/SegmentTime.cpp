//===- SegmentTime.cpp - Go through sequences in segments -----------------===//
//
// Of a train block that keeps checkpoints. What treats the steps of a length one by
// one, and loops over it, become the body of a loop over segments; its states are
// those of the loops, and the sums over the steps so far. On the way back each
// segment is computed anew (autodiff/Segments.cpp), so that only states outlive it.
//
// Not everything can be in one loop: what follows from a sum over all steps, or looks
// across them (`reverse`), comes after it. So each op gets a stage, and each stage is
// a loop over the same segments. What other stages read of it is stacked, as without
// segments. Constants, repeats and the caller's sequences are made where they are read.
//
// The last segment may go past the longest example. Nothing comes of it: a state of
// which an example has ended stays, and what is summed or stacked is masked or cut.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"
#include "compiler/passes/Stage.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace nnc {
#define GEN_PASS_DEF_SEGMENTTIME
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

/// Moves into loops over segments what one function has of one length.
class Segmenter {
public:
  Segmenter(func::FuncOp function, StringAttr length)
      : block(function.getBody().front()), steps(length), builder(block.getTerminator()) {}

  /// Says whether there was a loop that carries states.
  bool run() {
    findStages();
    bool carries = llvm::any_of(stages, [](auto &entry) {
      auto loop = dyn_cast<EachOp>(entry.first);
      return loop && !loop.getStarts().empty();
    });
    if (!carries)
      return false;
    for (unsigned stage = 0; stage <= count; ++stage) {
      for (Operation *op : outside)
        if (levels.lookup(op) == stage)
          op->moveBefore(block.getTerminator());
      if (stage < count)
        build(stage);
    }
    for (auto &[op, stage] : llvm::reverse(stages))
      op->erase();
    return true;
  }

private:
  bool isMadeWhereRead(Operation *op) const;
  void findStages();
  unsigned getLevel(Value value);
  void build(unsigned stage);
  bool isReadElsewhere(Value value, unsigned stage);

  Block &block;
  Steps steps;
  OpBuilder builder;
  llvm::MapVector<Operation *, unsigned> stages; ///< of ops that move
  DenseMap<Operation *, unsigned> levels;        ///< of others: the first stage that can read them
  SmallVector<Operation *> outside;              ///< those others, in order
  unsigned count = 0;                            ///< of the stages
  llvm::MapVector<Value, Value> stacked;         ///< a sequence that moved: the segments of its stage's loop
};

} // namespace

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

/// What each stage makes for itself: what is the same in every step, and the caller's
/// sequences.
bool Segmenter::isMadeWhereRead(Operation *op) const {
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return !steps.isIn(broadcast.getX());
  if (auto major = dyn_cast<TimeMajorOp>(op))
    return major.getSteps() == 1 && isa<BlockArgument>(major.getX()) && steps.isSequence(major.getResult());
  auto mask = dyn_cast<MaskOp>(op);
  Operation *masked = mask ? mask.getX().getDefiningOp() : nullptr;
  return masked && !isa<BroadcastOp>(masked) && steps.isStepwise(op) && isMadeWhereRead(masked);
}

/// The first stage after which a value can be read as a whole.
unsigned Segmenter::getLevel(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != &block)
    return 0;
  auto moved = stages.find(op);
  return moved == stages.end() ? levels.lookup(op) : moved->second + 1;
}

void Segmenter::findStages() {
  for (Operation &op : block.without_terminator()) {
    auto loop = dyn_cast<EachOp>(op);
    bool moves = !isMadeWhereRead(&op) && (loop ? steps.isLoop(loop) : steps.isStepwise(&op) || steps.isReduction(&op));
    unsigned stage = 0;
    op.walk([&](Operation *nested) {
      for (Value operand : nested->getOperands()) {
        auto moved =
            nested == &op && moves && steps.isSequence(operand) ? stages.find(operand.getDefiningOp()) : stages.end();
        stage = std::max(stage, moved == stages.end() ? getLevel(operand) : moved->second);
      }
    });
    if (moves) {
      stages[&op] = stage;
      count = std::max(count, stage + 1);
    } else {
      levels[&op] = stage;
      outside.push_back(&op);
    }
  }
}

/// Whether anything but the stage's own ops reads a sequence, or one of them reads it
/// as a whole.
bool Segmenter::isReadElsewhere(Value value, unsigned stage) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    auto moved = stages.find(user);
    return moved == stages.end() || moved->second != stage;
  });
}

void Segmenter::build(unsigned stage) {
  StageBuilder loop(steps, builder, stacked, [&](Operation *op) { return isMadeWhereRead(op); });
  for (auto &[op, where] : stages)
    if (where == stage)
      loop.add(op);
  for (auto &[op, where] : stages)
    if (where == stage)
      for (Value result : op->getResults())
        if (steps.isSequence(result) && isReadElsewhere(result, stage))
          loop.addOutput(result);
  loop.finish();
  // As a whole where an op outside, or in a body, reads it.
  for (auto &[value, segments] : stacked) {
    auto readsWhole = [&](OpOperand &use) { return !stages.contains(use.getOwner()); };
    if (llvm::none_of(value.getUses(), readsWhole))
      continue;
    Value whole = JoinStepsOp::create(builder, value.getLoc(), TypeRange(value.getType()), ValueRange(segments));
    Value(value).replaceUsesWithIf(whole, readsWhole);
  }
}

namespace {

struct SegmentTimePass : nnc::impl::SegmentTimeBase<SegmentTimePass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      auto train = function->getAttrOfType<DictionaryAttr>("nn.train");
      auto checkpoint = train ? train.getAs<IntegerAttr>("checkpoint") : IntegerAttr();
      if (!checkpoint || checkpoint.getInt() == 0)
        continue;
      bool carries = false;
      for (unsigned index = 0; index < function.getNumArguments(); ++index)
        if (auto length = function.getArgAttrOfType<StringAttr>(index, "nn.lengths"))
          carries |= Segmenter(function, length).run();
      if (!carries)
        function.emitWarning(
            "`bptt = checkpoint` changes nothing: there is no loop over a length that carries a state");
    }
  }
};

} // namespace
