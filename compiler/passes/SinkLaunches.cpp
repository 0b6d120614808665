//===- SinkLaunches.cpp - Compute late what needs no room before -----------===//
//
// A launch that reads weights or the caller's values alone can be done when its result
// is first read, so that the result takes room from then on only: each layout of a
// weight that a gradient reads, say, not those of all layers at once. What leads to
// such a launch and to nothing else goes with it.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace nnc {
#define GEN_PASS_DEF_SINKLAUNCHES
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

class Sinker {
public:
  explicit Sinker(Block &block) : block(block) {}

  void run() {
    for (Operation &op : block)
      if (canSink(&op))
        sinking.insert(&op);
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (sinking.contains(&op))
        sink(&op);
  }

private:
  /// Whether a value is there at any time, without room in the workspace.
  static bool isAtHand(Value value) {
    if (isa<BlockArgument>(value))
      return true;
    auto read = value.getDefiningOp<ReadOp>();
    if (!read)
      return false;
    // Others may be set by the function.
    auto weight = SymbolTable::lookupNearestSymbolFrom<WeightOp>(read, read.getSymbolAttr());
    return weight && !weight.getFrozen();
  }

  bool canSink(Operation *op) {
    return isa<LaunchOp, ReshapeOp>(op) && llvm::all_of(op->getOperands(), [&](Value operand) {
             return isAtHand(operand) || (sinking.contains(operand.getDefiningOp()) && operand.hasOneUse());
           });
  }

  void sink(Operation *op) {
    Operation *first = nullptr;
    for (Operation *user : op->getUsers()) {
      Operation *reader = block.findAncestorOpInBlock(*user);
      if (!first || reader->isBeforeInBlock(first))
        first = reader;
    }
    if (first)
      op->moveBefore(first);
  }

  Block &block;
  DenseSet<Operation *> sinking;
};

struct SinkLaunchesPass : nnc::impl::SinkLaunchesBase<SinkLaunchesPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      Sinker(function.getBody().front()).run();
  }
};

} // namespace
