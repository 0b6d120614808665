//===- Conv.cpp - Algorithms of convolution -------------------------------===//

#include "compiler/halide/Window.h"

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;

namespace nnc {

/// Products of a sum for which it pays to find the place of each pixel of a tile that goes over
/// the ends of rows.
static constexpr int64_t longSum = 192;

/// acc(co, x, …) += kernel(co, ci, kx, …) image(ci + group, stride x + dilation kx, …). With
/// a kernel in panels the accumulator has its outputs as lane and panel, and for long sums its
/// pixels as one dimension.
bool buildConv(AlgorithmBuilder &builder, Operation &op) {
  auto conv = dyn_cast<ConvOp>(op);
  if (!conv)
    return false;
  RankedTensorType kernelType = nn::getType(conv.getKernel()), resultType = nn::getType(conv.getResult());
  ArrayRef<int64_t> kernelShape = kernelType.getShape();
  Window window{kernelShape.drop_back(2), conv.getStrides(), conv.getDilations(), conv.getPadding(), {}};
  WindowedImage image = padImage(builder, conv.getX(), window, 0.0f);
  unsigned rank = window.rank();
  int32_t inPerGroup = kernelShape[rank], outPerGroup = kernelShape.back() / static_cast<int64_t>(conv.getGroups());

  // Innermost first: channels, then the window from its last dimension.
  std::vector<Expr> extents{inPerGroup};
  for (unsigned i = rank; i-- > 0;)
    extents.push_back(static_cast<int32_t>(kernelShape[i]));
  Halide::RDom r = builder.domain("k", extents);
  auto tap = [&](unsigned i) -> Expr { return r[rank - i]; };

  auto pixel = [&](const Indices &indices) { // of the result, without channels
    Indices x(indices);
    for (unsigned i = 0; i < rank; ++i)
      x[image.spatial[i]] = indices[image.spatial[i]] * static_cast<int32_t>(window.strides[i]) +
                            tap(i) * static_cast<int32_t>(window.dilation(i));
    return x;
  };
  auto kernelIndices = [&] {
    Indices kernel;
    for (unsigned i = 0; i < rank; ++i)
      kernel.push_back(conv.getFlip() ? static_cast<int32_t>(kernelShape[i] - 1) - tap(i) : tap(i));
    kernel.push_back(r[0]);
    return kernel;
  };

  auto panel = dyn_cast_or_null<PanelAttr>(kernelType.getEncoding());
  Extents shape = getExtents(resultType);
  if (!panel) {
    Func sum = builder.accumulateProducts("conv", targets::Role::Contraction, shape, r, [&](const Indices &indices) {
      Indices x = pixel(indices), kernel = kernelIndices();
      kernel.push_back(indices.back());
      x.back() = conv.getGroups() == 1 ? Expr(r[0]) : indices.back() / outPerGroup * inPerGroup + r[0];
      return std::make_pair(image.element(x), builder.at(conv.getKernel(), kernel));
    });
    builder.bind(conv.getResult(), sum);
    return true;
  }

  int32_t width = panel.getWidth();
  FlatPixels pixels(shape, conv.getReductionSize() < longSum ? ArrayRef<unsigned>() : image.spatial);
  Extents flat = pixels.flatten(shape);
  flat.back() = static_cast<int64_t>(width);
  flat.insert(flat.begin(), static_cast<int64_t>(llvm::divideCeil(kernelShape.back(), width)));
  Func sum = builder.accumulateProducts("conv", targets::Role::Contraction, flat, r, [&](const Indices &indices) {
    Indices x = pixel(pixels.restore(Indices(indices.begin() + 1, indices.end()))), kernel = kernelIndices();
    x.back() = r[0];
    kernel.insert(kernel.begin(), indices.front());
    kernel.push_back(indices.back());
    return std::make_pair(image.element(x), AlgorithmBuilder::call(builder.func(conv.getKernel()), kernel));
  });
  builder.define(conv.getResult(), [&](const Indices &indices) {
    Indices accumulated = pixels.flatten(indices);
    accumulated.back() = getLane(builder, indices.back(), width);
    accumulated.insert(accumulated.begin(), indices.back() / width);
    return AlgorithmBuilder::call(sum, accumulated);
  });
  return true;
}

} // namespace nnc
