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

/// A contraction and the dimension of its weight whose panels it walks through.
using PanelUse = std::pair<Family, int64_t>;

/// None for uses that are no contraction of the weight.
static std::optional<PanelUse> getPanelUse(OpOperand &use) {
  if (auto dense = dyn_cast<DenseOp>(use.getOwner()); dense && use.getOperandNumber() == 1)
    return PanelUse(Family::Dense, 0);
  if (auto conv = dyn_cast<ConvOp>(use.getOwner()); conv && use.getOperandNumber() == 1 && conv.getGroups() == 1)
    return PanelUse(Family::Conv, getType(conv.getKernel()).getRank() - 1);
  return std::nullopt;
}

namespace {

struct LayWeightsPass : nnc::impl::LayWeightsBase<LayWeightsPass> {
  using LayWeightsBase::LayWeightsBase;
  LayWeightsPass(PanelWidth panelWidth) : panelWidth(std::move(panelWidth)) {}

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (!panelWidth)
      panelWidth = [this](Family, int64_t) { return width.getValue(); };
    DenseMap<StringAttr, SmallVector<ReadOp>> readers;
    module.walk([&](ReadOp read) { readers[read.getSymbolAttr().getAttr()].push_back(read); });
    for (auto weight : module.getOps<WeightOp>())
      lay(weight, readers[weight.getSymNameAttr()]);
  }

  void lay(WeightOp weight, ArrayRef<ReadOp> reads) {
    std::optional<PanelUse> panels;
    for (ReadOp read : reads)
      for (OpOperand &use : read->getUses()) {
        std::optional<PanelUse> wanted = getPanelUse(use);
        if (!wanted || (panels && panels != wanted))
          return;
        panels = wanted;
      }
    if (!panels)
      return;
    auto [family, dim] = *panels;
    auto type = cast<RankedTensorType>(weight.getType());
    int64_t chosen = panelWidth(family, type.getDimSize(dim));
    if (chosen == 0)
      return;
    auto laid =
        RankedTensorType::get(type.getShape(), type.getElementType(), PanelAttr::get(&getContext(), dim, chosen));
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
