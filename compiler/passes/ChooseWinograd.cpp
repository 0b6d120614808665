//===- ChooseWinograd.cpp - Convolve by tiles where that is faster --------===//
//
// Whether it is faster the target knows. Here is what can be: a kernel of 3 by 3 that is a
// weight, in steps of 1, over an image of a fixed size, in a function whose weights stay.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace nnc {
#define GEN_PASS_DEF_CHOOSEWINOGRAD
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// The size of a convolution that can be computed by tiles.
static std::optional<ConvSize> getSize(ConvOp conv) {
  RankedTensorType kernel = getType(conv.getKernel()), result = getType(conv.getResult());
  auto isOne = [](int64_t value) { return value == 1; };
  auto read = conv.getKernel().getDefiningOp<ReadOp>();
  if (!read || !SymbolTable::lookupNearestSymbolFrom<WeightOp>(read, read.getSymbolAttr()) || kernel.getRank() != 4 ||
      kernel.getShape().take_front(2) != ArrayRef<int64_t>({3, 3}) || conv.getGroups() != 1 ||
      !llvm::all_of(conv.getStrides(), isOne) || !llvm::all_of(conv.getDilations(), isOne))
    return std::nullopt;
  ArrayRef<int64_t> image = getFixedShape(result);
  if (image.size() != 3)
    return std::nullopt; // one of its dimensions is time
  return ConvSize{image[0], image[1], kernel.getDimSize(2), kernel.getDimSize(3)};
}

namespace {

struct ChooseWinogradPass : nnc::impl::ChooseWinogradBase<ChooseWinogradPass> {
  using ChooseWinogradBase::ChooseWinogradBase;
  ChooseWinogradPass(const Choices &choices) : choices(choices) {}

  void runOnOperation() override {
    if (!choices.panelWidth)
      choices = {[this](Family, int64_t) { return width.getValue(); },
                 [this](const ConvSize &size) { return std::min(size.inputs, size.outputs) >= least; }};
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function->hasAttr("nn.train"))
        function.walk([&](ConvOp conv) {
          if (std::optional<ConvSize> size = getSize(conv); size && choices.prefersWinograd(*size))
            replace(conv, *size);
        });
  }

  void replace(ConvOp conv, const ConvSize &size) {
    int64_t panel = choices.panelWidth(Family::Conv, size.outputs);
    if (panel == 0)
      return;
    OpBuilder builder(conv);
    auto type = RankedTensorType::get({36, size.inputs, size.outputs}, builder.getF32Type(),
                                      PanelAttr::get(&getContext(), /*dim=*/2, panel));
    Value weights = WinogradWeightsOp::create(builder, conv.getLoc(), type, conv.getKernel(), conv.getFlip());
    Value result =
        WinogradConvOp::create(builder, conv.getLoc(), conv.getType(), conv.getX(), weights, conv.getPaddingAttr());
    conv.replaceAllUsesWith(result);
    conv.erase();
  }

  Choices choices;
};

} // namespace

std::unique_ptr<Pass> nnc::createChooseWinograd(const Choices &choices) {
  return std::make_unique<ChooseWinogradPass>(choices);
}
