//===- OrderLaunches.cpp - Compute when it takes least room ---------------===//
//
// A launch whose results are smaller than what it reads is done as soon as that is there:
// the loss of each example, say, not its logarithms, waits for the gradients.
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
#define GEN_PASS_DEF_ORDERLAUNCHES
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

class Orderer {
public:
  explicit Orderer(Block &block) : block(block) {}

  void run() {
    for (Operation &op : llvm::make_early_inc_range(block))
      if (reduces(&op))
        lift(&op);
    for (Operation &op : block)
      if (canSink(&op))
        sinking.insert(&op);
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (sinking.contains(&op))
        sink(&op);
  }

private:
  /// Whether all results have fewer dimensions than something that a launch reads.
  static bool reduces(Operation *op) {
    auto getMostDims = [](TypeRange types) {
      int64_t most = 0;
      for (Type type : types)
        most = std::max(most, cast<RankedTensorType>(type).getRank());
      return most;
    };
    return isa<LaunchOp>(op) && getMostDims(op->getResultTypes()) < getMostDims(op->getOperandTypes());
  }

  void lift(Operation *op) {
    Operation *last = nullptr;
    for (Value operand : op->getOperands())
      if (Operation *source = operand.getDefiningOp(); source && (!last || last->isBeforeInBlock(source)))
        last = source;
    if (last && last != op->getPrevNode())
      op->moveAfter(last);
  }

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

struct OrderLaunchesPass : nnc::impl::OrderLaunchesBase<OrderLaunchesPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      Orderer(function.getBody().front()).run();
  }
};

} // namespace
