//===- ChooseWinograd.cpp - Convolve by tiles where that is faster --------===//
//
// Whether it is faster the target knows. Here is what can be: a kernel of 3 by 3 that is a
// weight, in steps of 1, over an image of a fixed size. The cotangent of the image is a
// convolution, too: of the result's cotangent with the kernel turned around and transposed.
// In train blocks weights change, so that each step transforms them anew; there only cotangents
// of images are computed by tiles. What goes forward decides which way errors go at a ReLU's kink
// and in a max pool's window: 4 times the rounding there moves gradients of deep networks by
// several times what float32 does. What comes back is linear, so that its rounding stays as small.
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

/// The size of a convolution, or of an image's cotangent, that can be computed by tiles.
template <typename Conv> static std::optional<ConvSize> getSize(Conv conv) {
  RankedTensorType kernel = getType(conv.getKernel()), result = getType(conv.getResult());
  auto isOne = [](int64_t value) { return value == 1; };
  auto read = conv.getKernel().template getDefiningOp<ReadOp>();
  if (!read || !SymbolTable::lookupNearestSymbolFrom<WeightOp>(read, read.getSymbolAttr()) || kernel.getRank() != 4 ||
      kernel.getShape().take_front(2) != ArrayRef<int64_t>({3, 3}) || conv.getGroups() != 1 ||
      !llvm::all_of(conv.getStrides(), isOne) || !llvm::all_of(conv.getDilations(), isOne))
    return std::nullopt;
  ArrayRef<int64_t> image = getFixedShape(result);
  if (image.size() != 3)
    return std::nullopt; // one of its dimensions is time
  bool ofInput = std::is_same_v<Conv, ConvInputGradientOp>;
  if (ofInput && llvm::any_of(conv.getPadding(), [](int64_t padding) { return padding > 2; }))
    return std::nullopt; // of dy some is not read
  return ConvSize{image[0], image[1], kernel.getDimSize(ofInput ? 3 : 2), kernel.getDimSize(ofInput ? 2 : 3)};
}

namespace {

struct ChooseWinogradPass : nnc::impl::ChooseWinogradBase<ChooseWinogradPass> {
  using ChooseWinogradBase::ChooseWinogradBase;
  ChooseWinogradPass(const Choices &choices) : choices(choices) {}

  void runOnOperation() override {
    if (!choices.panelWidth)
      choices = {[this](Family, int64_t) { return width.getValue(); },
                 [this](const ConvSize &size) {
                   return std::min(size.inputs, size.outputs) < least ? ConvForm::Direct
                          : size.inputs >= transformed                ? ConvForm::TilesOfTransformed
                                                                      : ConvForm::Tiles;
                 }};
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      bool trains = function->hasAttr("nn.train");
      int64_t examples = trains ? examplesInStep : 0;
      function.walk([&](Operation *op) {
        // Either is gone once it is replaced.
        if (auto conv = dyn_cast<ConvOp>(op)) {
          if (!trains)
            consider(conv, conv.getX(), conv.getPadding(), examples);
        } else if (auto gradient = dyn_cast<ConvInputGradientOp>(op)) {
          SmallVector<int64_t> padding;
          for (int64_t before : gradient.getPadding())
            padding.push_back(2 - before);
          consider(gradient, gradient.getDy(), padding, examples);
        }
      });
    }
  }

  /// Replaces `conv`, which reads `image` as a convolution with this padding does, where that is faster.
  template <typename Conv> void consider(Conv conv, Value image, ArrayRef<int64_t> padding, int64_t examples) {
    std::optional<ConvSize> size = getSize(conv);
    if (!size)
      return;
    size->examples = examples;
    int64_t panel = choices.panelWidth(Family::Conv, size->outputs);
    ConvForm form = panel == 0 ? ConvForm::Direct : choices.convForm(*size);
    if (form == ConvForm::Direct)
      return;
    OpBuilder builder(conv);
    bool ofInput = std::is_same_v<Conv, ConvInputGradientOp>;
    auto type = RankedTensorType::get({36, size->inputs, size->outputs}, builder.getF32Type(),
                                      PanelAttr::get(&getContext(), /*dim=*/2, panel));
    Value weights = WinogradWeightsOp::create(builder, conv.getLoc(), type, conv.getKernel(), conv.getFlip() != ofInput,
                                              /*transpose=*/ofInput);
    Value result;
    if (form == ConvForm::TilesOfTransformed) {
      Value tiles = createInferred<WinogradImageOp>(
          builder, conv.getLoc(), image, builder.getNamedAttr("padding", builder.getDenseI64ArrayAttr(padding)));
      result = WinogradProductsOp::create(builder, conv.getLoc(), conv.getType(), tiles, weights,
                                          ArrayRef<int64_t>({size->height, size->width}));
    } else {
      result = WinogradConvOp::create(builder, conv.getLoc(), conv.getType(), image, weights, padding);
    }
    conv.getResult().replaceAllUsesWith(result);
    conv.erase();
  }

  /// A step of training has that many examples, or more: no fewer are worth a transform of the weights.
  static constexpr int64_t examplesInStep = 8;

  Choices choices;
};

} // namespace

std::unique_ptr<Pass> nnc::createChooseWinograd(const Choices &choices) {
  return std::make_unique<ChooseWinogradPass>(choices);
}
