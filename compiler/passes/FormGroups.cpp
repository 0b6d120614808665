//===- FormGroups.cpp - Gather ops that are computed together -------------===//
//
// Clusters.cpp says what of a block belongs together; here each cluster becomes a group,
// with copies of what is cheap.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Clusters.h"
#include "compiler/passes/Passes.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

namespace nnc {
#define GEN_PASS_DEF_FORMGROUPS
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// The value inside a group of one that it reads: a copy of what is cheap, else
/// an argument.
static Value importOperand(Value value, Block &body, IRMapping &mapping, SmallVectorImpl<Value> &inputs) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (op && isComputed(op) && isCheap(op)) {
    for (Value operand : op->getOperands())
      importOperand(operand, body, mapping, inputs);
    OpBuilder builder(op->getContext());
    builder.setInsertionPointToEnd(&body);
    return builder.clone(*op, mapping)->getResult(0);
  }
  inputs.push_back(value);
  Value argument = body.addArgument(value.getType(), value.getLoc());
  mapping.map(value, argument);
  return argument;
}

static void makeGroup(Block &block, Cluster &cluster) {
  llvm::sort(cluster.ops, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  auto region = std::make_unique<Region>();
  Block &body = region->emplaceBlock();
  OpBuilder inside(block.getParentOp()->getContext());
  IRMapping mapping;
  SmallVector<Value> inputs, results, inner;
  llvm::SmallPtrSet<Operation *, 8> members(cluster.ops.begin(), cluster.ops.end());
  for (Operation *op : cluster.ops) {
    for (Value operand : op->getOperands())
      importOperand(operand, body, mapping, inputs);
    inside.setInsertionPointToEnd(&body);
    inside.clone(*op, mapping);
    if (llvm::any_of(op->getUsers(), [&](Operation *user) { return !members.contains(user); }))
      results.push_back(op->getResult(0));
  }
  if (results.empty())
    return; // nothing needs it
  SmallVector<Location> locations;
  for (Operation *op : cluster.ops)
    locations.push_back(op->getLoc());
  Operation *last = cluster.ops.back();
  OpBuilder builder(last);
  Location location = builder.getFusedLoc(locations);
  for (Value result : results)
    inner.push_back(mapping.lookup(result));
  inside.setInsertionPointToEnd(&body);
  YieldOp::create(inside, location, ValueRange(), inner, Value());
  auto group = GroupOp::create(builder, location, TypeRange(ValueRange(results)), cluster.family, inputs);
  group.getBody().takeBody(*region);
  for (auto [result, value] : llvm::zip_equal(results, group.getResults()))
    result.replaceUsesWithIf(value, [&](OpOperand &use) {
      // Other clusters copy what is cheap, so that only what escapes is read.
      return !members.contains(use.getOwner()) && !(isCheap(last) && isComputed(use.getOwner()));
    });
}

static void eraseDead(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isComputed(&op) && op.use_empty())
      op.erase();
}

namespace {

struct FormGroupsPass : nnc::impl::FormGroupsBase<FormGroupsPass> {
  using FormGroupsBase::FormGroupsBase;

  void runOnOperation() override {
    SmallVector<Block *> blocks;
    getOperation().walk([&](EachOp loop) { blocks.push_back(&loop.getBody().front()); });
    for (auto function : getOperation().getOps<func::FuncOp>())
      blocks.push_back(&function.getBody().front());
    for (Block *block : blocks) {
      Clusters clusters(*block, {gradients, fewKernels});
      for (auto &cluster : clusters.get())
        if (cluster->isGroup && !cluster->ops.empty())
          makeGroup(*block, *cluster);
      eraseDead(*block);
      sortTopologically(block);
    }
    verifyGrouped();
  }

  /// Every op that computes is in a group.
  void verifyGrouped() {
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<GroupOp>(op))
        return WalkResult::skip();
      if (!isComputed(op))
        return WalkResult::advance();
      op->emitOpError("is in no group");
      signalPassFailure();
      return WalkResult::advance();
    });
  }
};

} // namespace
