//===- LayWeights.cpp - Choose how each weight lies in memory -------------===//
//
// A weight all of whose readers are contractions that take it as their second
// operand is stored in panels of its output dimension. The type of the weight
// says so, and the types of its reads follow.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

namespace nnc {
#define GEN_PASS_DEF_LAYWEIGHTS
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// The dimension of a contraction's weight whose panels it walks through; none
/// for other uses.
static std::optional<int64_t> getPanelDim(OpOperand &use) {
  if (auto dense = dyn_cast<DenseOp>(use.getOwner()); dense && use.getOperandNumber() == 1)
    return 0;
  if (auto conv = dyn_cast<ConvOp>(use.getOwner()); conv && use.getOperandNumber() == 1 && conv.getGroups() == 1)
    return getType(conv.getKernel()).getRank() - 1;
  return std::nullopt;
}

namespace {

struct LayWeightsPass : nnc::impl::LayWeightsBase<LayWeightsPass> {
  using LayWeightsBase::LayWeightsBase;
  LayWeightsPass(PanelWidth panelWidth) : panelWidth(std::move(panelWidth)) {}

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (!panelWidth)
      panelWidth = [this](int64_t) { return width.getValue(); };
    DenseMap<StringAttr, SmallVector<ReadOp>> readers;
    module.walk([&](ReadOp read) { readers[read.getSymbolAttr().getAttr()].push_back(read); });
    for (auto weight : module.getOps<WeightOp>())
      lay(weight, readers[weight.getSymNameAttr()]);
  }

  void lay(WeightOp weight, ArrayRef<ReadOp> reads) {
    std::optional<int64_t> dim;
    for (ReadOp read : reads)
      for (OpOperand &use : read->getUses()) {
        std::optional<int64_t> wanted = getPanelDim(use);
        if (!wanted || (dim && dim != wanted))
          return;
        dim = wanted;
      }
    if (!dim)
      return;
    auto type = cast<RankedTensorType>(weight.getType());
    int64_t chosen = panelWidth(type.getDimSize(*dim));
    if (chosen == 0)
      return;
    auto laid = RankedTensorType::get(type.getShape(), type.getElementType(),
                                      PanelAttr::get(&getContext(), *dim, chosen));
    weight.setType(laid);
    for (ReadOp read : reads)
      read.getResult().setType(laid);
  }

  PanelWidth panelWidth;
};

} // namespace

std::unique_ptr<Pass> nnc::createLayWeights(PanelWidth panelWidth) {
  return std::make_unique<LayWeightsPass>(std::move(panelWidth));
}
