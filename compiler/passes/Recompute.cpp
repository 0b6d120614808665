//===- Recompute.cpp - Compute again rather than store --------------------===//
//
// What a batch norm centres is read by its variance, by the layer behind it and by all
// that goes back through it. Stored, it is as large as what it is made of, which is
// stored as well; with a copy for each reader it is never written.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Clusters.h"
#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace nnc {
#define GEN_PASS_DEF_RECOMPUTE
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// The operand as large as the result, of an op whose others are one number a column; null where there is none.
static Value getWhole(Operation *op) {
  if (!isa<AddOp, SubOp, MulOp>(op))
    return {};
  Value a = op->getOperand(0), b = op->getOperand(1);
  if (getType(a).getRank() < getType(b).getRank())
    std::swap(a, b);
  return a.getType() == op->getResult(0).getType() && getType(b).getRank() <= 1 && getDynamicRank(getType(b)) == 0
             ? a
             : Value();
}

/// Whether a value is in memory whatever becomes of `op`.
static bool isStored(Value value, Operation *op) {
  Operation *source = value.getDefiningOp();
  bool isKept = !source || (isa<ComputeOp>(source) && !isElementwise(source) && !isCheap(source));
  return isKept && llvm::any_of(value.getUsers(), [&](Operation *user) { return user != op; });
}

static void copyForReaders(Operation *op) {
  Value whole = getWhole(op);
  auto isBeside = [&](Operation *user) { return user->getBlock() == op->getBlock(); };
  if (!whole || !isStored(whole, op) || !llvm::all_of(op->getUsers(), isBeside))
    return;
  llvm::SmallSetVector<Operation *, 4> readers(op->user_begin(), op->user_end());
  for (Operation *reader : readers) {
    if (op->getResult(0).hasOneUse())
      return;
    Operation *copy = OpBuilder(reader).clone(*op);
    reader->replaceUsesOfWith(op->getResult(0), copy->getResult(0));
  }
}

namespace {

struct RecomputePass : nnc::impl::RecomputeBase<RecomputePass> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) { ops.push_back(op); });
    for (Operation *op : ops)
      copyForReaders(op);
  }
};

} // namespace
