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
        if (isa<WinogradWeightsOp>(use.getOwner()))
          continue; // reads it once, as it lies
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
  /// copied so once, however often it is used. Inputs whose gradient nobody needs (a letter
  /// beside a state) are not copied.
  void packTransposed(ReadOp read) {
    Value source = read.getResult();
    auto type = cast<RankedTensorType>(read.getType());
    SmallVector<OpOperand *> uses;
    bool isDense = false;
    for (OpOperand &use : read->getUses()) {
      isDense |= isa<DenseInputGradientOp>(use.getOwner());
      auto tiles = dyn_cast<WinogradWeightsOp>(use.getOwner());
      if (isa<DenseInputGradientOp, ConvInputGradientOp>(use.getOwner()) || (tiles && tiles.getTranspose()))
        uses.push_back(&use);
    }
    if (uses.empty())
      return;
    OpBuilder builder(read->getContext());
    builder.setInsertionPointAfter(read);
    auto needed = isDense ? getNeededInputs(uses) : std::nullopt;
    int64_t dim = isDense ? 1 : type.getRank() - 2, inputs = needed ? needed->second : type.getDimSize(dim);
    int64_t chosen = panelWidth(isDense ? Family::Dense : Family::Conv, inputs);
    if (chosen == 0)
      return;
    SmallVector<int64_t> shape(type.getShape());
    shape[dim] = inputs;
    if (needed)
      source = SliceOp::create(builder, read.getLoc(), RankedTensorType::get(shape, type.getElementType()), source,
                               builder.getDenseI64ArrayAttr({0, needed->first}), builder.getDenseI64ArrayAttr(shape));
    auto transposed = RankedTensorType::get(shape, type.getElementType(), PanelAttr::get(&getContext(), dim, chosen));
    Value packed = PackOp::create(builder, read.getLoc(), transposed, source);
    for (OpOperand *use : uses) {
      use->set(packed);
      if (needed)
        narrow(cast<DenseInputGradientOp>(use->getOwner()));
    }
  }

  /// The one range of inputs, from a first one so many, of which every use computes the
  /// gradient; none where that is all of them.
  static std::optional<std::pair<int64_t, int64_t>> getNeededInputs(ArrayRef<OpOperand *> uses) {
    std::optional<std::pair<int64_t, int64_t>> needed;
    for (OpOperand *use : uses)
      for (Operation *user : use->getOwner()->getUsers()) {
        auto slice = dyn_cast<SliceOp>(user);
        if (!slice || slice.getSizes().size() != 1)
          return std::nullopt;
        std::pair<int64_t, int64_t> range(slice.getStarts().front(), slice.getSizes().front());
        if (needed && *needed != range)
          return std::nullopt;
        needed = range;
      }
    return needed;
  }

  /// What was sliced of a gradient is the gradient.
  static void narrow(DenseInputGradientOp op) {
    for (Operation *user : llvm::make_early_inc_range(op->getUsers())) {
      op.getResult().setType(cast<RankedTensorType>(user->getResult(0).getType()));
      user->replaceAllUsesWith(op);
      user->erase();
    }
  }

  /// A gradient lies as its weight does: the contraction that makes it writes it so, and
  /// the loop that adds up those of segments; other values are copied.
  static void layGradient(StoreGradientOp gradient, RankedTensorType laid) {
    Value value = gradient.getValue();
    if (isContraction(value))
      return value.setType(laid);
    if (layAddedUp(value, laid))
      return;
    OpBuilder builder(gradient);
    gradient.getValueMutable().assign(PackOp::create(builder, gradient.getLoc(), laid, value));
  }

  /// Whether a contraction makes a gradient, and nothing else reads it.
  static bool isContraction(Value value) {
    return isa_and_nonnull<DenseWeightGradientOp, ConvKernelGradientOp>(value.getDefiningOp()) && value.hasOneUse();
  }

  /// The last value of a state that starts as a number everywhere, and to which each step
  /// adds what a contraction gives.
  static bool layAddedUp(Value final, RankedTensorType laid) {
    auto loop = final.getDefiningOp<EachOp>();
    if (!loop || !final.hasOneUse() || !llvm::is_contained(loop.getFinals(), final))
      return false;
    unsigned state = cast<OpResult>(final).getResultNumber() - loop.getOutputs().size();
    BlockArgument carried = loop.getCarried()[state];
    auto start = loop.getStarts()[state].getDefiningOp<BroadcastOp>();
    auto sum = loop.getYield().getNext()[state].getDefiningOp<AddOp>();
    if (!start || getType(start.getX()).getRank() != 0 || !sum || !sum->hasOneUse() || !carried.hasOneUse())
      return false;
    Value added = sum.getA() == carried ? sum.getB() : sum.getA();
    if (*carried.user_begin() != sum || !isContraction(added))
      return false;
    OpBuilder builder(loop);
    loop.getStartsMutable()[state].assign(
        BroadcastOp::create(builder, start.getLoc(), laid, start.getX(), ArrayRef<int64_t>()));
    for (Value value : {Value(carried), added, Value(sum.getResult()), final})
      value.setType(laid);
    return true;
  }

  PanelWidth panelWidth;
};

} // namespace

std::unique_ptr<Pass> nnc::createLayWeights(PanelWidth panelWidth) {
  return std::make_unique<LayWeightsPass>(std::move(panelWidth));
}
