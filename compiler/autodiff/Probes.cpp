//===- Probes.cpp - The norms of errors -----------------------------------===//

#include "compiler/autodiff/Autodiff.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// What reads a sum with a probe reads the value itself.
static void bypass(Value probe) {
  for (OpOperand &use : llvm::make_early_inc_range(probe.getUses())) {
    Operation *user = use.getOwner();
    if (isa<MaskOp>(user)) {
      bypass(user->getResult(0));
      continue;
    }
    if (auto loop = dyn_cast<EachOp>(user)) { // PruneLoops drops the sequence
      bypass(loop.getElements()[use.getOperandNumber()]);
      continue;
    }
    auto sum = cast<AddOp>(user);
    sum.getResult().replaceAllUsesWith(sum.getA() == probe ? sum.getB() : sum.getA());
    sum.erase();
  }
}

SmallVector<Value> nnc::takeProbes(Block &block, Adjoints &adjoints, Value divisor) {
  SmallVector<Value> norms;
  for (auto probe : llvm::make_early_inc_range(block.getOps<ProbeOp>())) {
    adjoints.location = probe.getLoc();
    bool isWhole = probe.getSymbol().has_value();
    Value error = adjoints.getOrZero(probe);
    int64_t rank = nn::getType(error).getRank();
    Value norm = adjoints.make<SqrtOp>(
        adjoints.sum(adjoints.make<SquareOp>(error), llvm::to_vector(llvm::seq<int64_t>(isWhole ? 0 : 1, rank))));
    if (divisor)
      norm = adjoints.over(norm, divisor);
    if (isWhole)
      StoreOp::create(adjoints.builder, probe.getLoc(), *probe.getSymbol(), norm);
    else
      norms.push_back(norm);
    bypass(probe);
    OpBuilder builder(probe);
    Value zero = ConstantOp::create(builder, probe.getLoc(), RankedTensorType::get({}, builder.getF32Type()),
                                    builder.getF32FloatAttr(0));
    Value zeros = BroadcastOp::create(builder, probe.getLoc(), nn::getType(probe), zero, ArrayRef<int64_t>());
    probe.getResult().replaceAllUsesWith(zeros);
    probe.erase();
  }
  return norms;
}
