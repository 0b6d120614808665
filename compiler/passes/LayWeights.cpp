//===- LayWeights.cpp - Choose how each weight lies in memory -------------===//
//
// A weight all of whose readers are contractions that take it as their second
// operand is stored in panels of its output dimension. The type of the weight
// says so, and the types of its reads follow. Gradients of inputs read a copy in
// panels of its input dimension.
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
  Operation *op = use.getOwner();
  if (use.getOperandNumber() != 1)
    return std::nullopt;
  if (isa<DenseOp, DenseInputGradientOp>(op))
    return PanelUse(Family::Dense, 0);
  if (isa<ConvOp, ConvInputGradientOp>(op) && op->getAttrOfType<IntegerAttr>("groups").getInt() == 1)
    return PanelUse(Family::Conv, getType(use.get()).getRank() - 1);
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
    DenseMap<StringAttr, SmallVector<StoreGradientOp>> gradients;
    module.walk([&](ReadOp read) { readers[read.getSymbolAttr().getAttr()].push_back(read); });
    module.walk([&](StoreGradientOp store) { gradients[store.getSymbolAttr().getAttr()].push_back(store); });
    for (auto weight : module.getOps<WeightOp>())
      lay(weight, readers[weight.getSymNameAttr()], gradients[weight.getSymNameAttr()]);
  }

  void lay(WeightOp weight, ArrayRef<ReadOp> reads, ArrayRef<StoreGradientOp> gradients) {
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
    for (ReadOp read : reads) {
      read.getResult().setType(laid);
      packTransposed(read);
    }
    for (StoreGradientOp gradient : gradients)
      layGradient(gradient, laid);
  }

  /// The gradient of what a weight is multiplied with is a product with the transposed
  /// weight, as fast as that with the weight when it lies in panels of its inputs: it is
  /// copied so once, however often it is used.
  void packTransposed(ReadOp read) {
    auto type = cast<RankedTensorType>(read.getType());
    PackOp packed;
    for (OpOperand &use : llvm::make_early_inc_range(read->getUses())) {
      bool isDense = isa<DenseInputGradientOp>(use.getOwner());
      if (!isDense && !isa<ConvInputGradientOp>(use.getOwner()))
        continue;
      if (!packed) {
        int64_t dim = isDense ? 1 : type.getRank() - 2;
        int64_t chosen = panelWidth(isDense ? Family::Dense : Family::Conv, type.getDimSize(dim));
        if (chosen == 0)
          return;
        OpBuilder builder(read);
        builder.setInsertionPointAfter(read);
        auto transposed =
            RankedTensorType::get(type.getShape(), type.getElementType(), PanelAttr::get(&getContext(), dim, chosen));
        packed = PackOp::create(builder, read.getLoc(), transposed, read.getResult());
      }
      use.set(packed.getResult());
    }
  }

  /// A gradient lies as its weight does: the contraction that makes it writes it so,
  /// other values are copied.
  static void layGradient(StoreGradientOp gradient, RankedTensorType laid) {
    Value value = gradient.getValue();
    if (value.getDefiningOp() && isa<DenseWeightGradientOp, ConvKernelGradientOp>(value.getDefiningOp()) &&
        value.hasOneUse())
      return value.setType(laid);
    OpBuilder builder(gradient);
    gradient.getValueMutable().assign(PackOp::create(builder, gradient.getLoc(), laid, value));
  }

  PanelWidth panelWidth;
};

} // namespace

std::unique_ptr<Pass> nnc::createLayWeights(PanelWidth panelWidth) {
  return std::make_unique<LayWeightsPass>(std::move(panelWidth));
}
