//===- PruneLoops.cpp - Drop what no result of a loop needs ----------------===//
//
// From the outermost loop in: a state is live where what follows the loop reads it, or
// another live value of the body does. Then the body's dead ops go, and with them uses
// of the loops in it, which are pruned in their turn.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/BitVector.h"

namespace nnc {
#define GEN_PASS_DEF_PRUNELOOPS
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

/// Drops states, outputs and sequences of a loop that its results do not follow from,
/// and those of the loops in it.
class LoopPruner {
public:
  explicit LoopPruner(EachOp loop) : loop(loop) {}

  void run() {
    forwardStarts();
    findLive();
    rebuild();
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(loop.getBody().front())))
      if (isOpTriviallyDead(&op))
        op.erase();
      else if (auto inner = dyn_cast<EachOp>(op))
        LoopPruner(inner).run();
    dropSequences();
  }

private:
  /// A state that stays what it starts as is no state.
  void forwardStarts() {
    for (auto [start, carried, next, final] :
         llvm::zip_equal(loop.getStarts(), loop.getCarried(), loop.getYield().getNext(), loop.getFinals()))
      if (next == carried) {
        final.replaceAllUsesWith(start);
        carried.replaceUsesWithIf(start, [&](OpOperand &use) { return use.getOwner() != loop.getYield(); });
      }
  }

  void findLive() {
    YieldOp yield = loop.getYield();
    live.resize(loop.getStarts().size());
    SmallVector<Value> worklist;
    DenseSet<Operation *> seen;
    auto keep = [&](unsigned state) {
      if (!live.test(state))
        worklist.push_back(yield.getNext()[state]);
      live.set(state);
    };
    if (yield.getUntil())
      worklist.push_back(yield.getUntil());
    for (auto [output, value] : llvm::zip_equal(loop.getOutputs(), yield.getOutputs()))
      if (!output.use_empty())
        worklist.push_back(value);
    for (auto [state, final] : llvm::enumerate(loop.getFinals()))
      if (!final.use_empty())
        keep(state);
    while (!worklist.empty()) {
      Value value = worklist.pop_back_val();
      auto argument = dyn_cast<BlockArgument>(value);
      if (argument && argument.getOwner() == &loop.getBody().front()) {
        if (argument.getArgNumber() > loop.getSequences().size())
          keep(argument.getArgNumber() - 1 - loop.getSequences().size());
        continue;
      }
      Operation *op = value.getDefiningOp();
      if (op && loop->isProperAncestor(op) && seen.insert(op).second)
        op->walk([&](Operation *nested) { llvm::append_range(worklist, nested->getOperands()); });
    }
  }

  /// The loop without dead states and outputs.
  void rebuild() {
    YieldOp yield = loop.getYield();
    Block &body = loop.getBody().front();
    SmallVector<Value> starts, next, outputs, oldResults, kept;
    for (auto [output, value] : llvm::zip_equal(loop.getOutputs(), yield.getOutputs()))
      if (!output.use_empty()) {
        outputs.push_back(value);
        kept.push_back(output);
      }
    for (unsigned state = 0; state < live.size(); ++state)
      if (live.test(state)) {
        starts.push_back(loop.getStarts()[state]);
        next.push_back(yield.getNext()[state]);
        kept.push_back(loop.getFinals()[state]);
      }
    OpBuilder builder(yield);
    YieldOp::create(builder, yield.getLoc(), next, outputs, yield.getUntil());
    yield.erase();
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
      if (isOpTriviallyDead(&op))
        op.erase();
    // Dead states may still read each other: their ops read nothing but themselves.
    for (unsigned state = live.size(); state-- > 0;)
      if (!live.test(state)) {
        unsigned argument = 1 + loop.getSequences().size() + state;
        assert(body.getArgument(argument).use_empty() && "what reads a dead state is dead");
        body.eraseArgument(argument);
      }
    builder.setInsertionPoint(loop);
    EachOp replacement = EachOp::make(builder, loop.getLoc(), loop.getTripAttr(), loop.getBackward(),
                                      SmallVector<Value>(loop.getSequences()), starts, loop.getBody());
    replacement.setSegments(loop.getSegments());
    for (auto [before, after] : llvm::zip_equal(kept, replacement->getResults()))
      before.replaceAllUsesWith(after);
    loop.erase();
    loop = replacement;
  }

  void dropSequences() {
    for (unsigned index = loop.getSequences().size(); index-- > 0;)
      if (loop.getElements()[index].use_empty()) {
        loop.getBody().front().eraseArgument(index + 1);
        loop.getSequencesMutable().erase(index);
      }
  }

  EachOp loop;
  llvm::BitVector live; ///< states
};

struct PruneLoopsPass : nnc::impl::PruneLoopsBase<PruneLoopsPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      for (Operation &op : llvm::make_early_inc_range(llvm::reverse(function.getBody().front())))
        if (isOpTriviallyDead(&op))
          op.erase();
        else if (auto loop = dyn_cast<EachOp>(op))
          LoopPruner(loop).run();
  }
};

} // namespace
