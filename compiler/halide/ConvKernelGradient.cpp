//===- ConvKernelGradient.cpp - Algorithm of a kernel's cotangent ---------===//

#include "compiler/halide/Window.h"

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;
using Halide::RDom;

namespace nnc {

/// The image as a stage that the schedule places: with its border, or a copy, for a window of
/// one pixel of those pixels alone that it sees.
static Element copyImage(AlgorithmBuilder &builder, ConvKernelGradientOp op, const Window &window,
                         const WindowedImage &image) {
  if (image.isStage)
    return image.element;
  bool isPixel = llvm::all_of(window.sizes, [](int64_t size) { return size == 1; });
  Extents shape = getExtents(nn::getType(isPixel ? op.getDy() : op.getX()));
  shape.back() = nn::getType(op.getX()).getShape().back();
  auto scale = [spatial = image.spatial, strides = SmallVector<int64_t>(window.strides)](const Indices &indices,
                                                                                         bool multiplies) {
    Indices scaled(indices);
    for (auto [dim, stride] : llvm::zip_equal(spatial, strides))
      scaled[dim] = multiplies ? indices[dim] * toInt(stride) : indices[dim] / toInt(stride);
    return scaled;
  };
  Func copy = builder.stage("columns", targets::Role::Padded, shape, [&](const Indices &indices) {
    return image.element(isPixel ? scale(indices, true) : indices);
  });
  for (unsigned i = window.rank(); i-- > 0;)
    builder.getLastStage().window.push_back({isPixel ? 1 : window.strides[i], window.span(i)});
  return
      [=](const Indices &indices) { return AlgorithmBuilder::call(copy, isPixel ? scale(indices, false) : indices); };
}

/// acc(co, ci, kx, …) += dy(co, x, …) image(ci, stride x + dilation kx, …), or
/// acc(lane, ci, kx, …, panel) as the kernel lies, of copies; ci goes on beyond the last
/// channel there, which is repeated.
static void buildKernelGradient(AlgorithmBuilder &builder, ConvKernelGradientOp op) {
  RankedTensorType type = nn::getType(op.getResult());
  ArrayRef<int64_t> kernelShape = type.getShape();
  Window window{kernelShape.drop_back(2), op.getStrides(), op.getDilations(), op.getPadding(), {}};
  WindowedImage image = padImage(builder, op.getX(), window, 0.0f);
  unsigned rank = window.rank();
  int32_t inputs = kernelShape[rank], outputs = kernelShape.back() / static_cast<int64_t>(op.getGroups());
  Extents pixels = getExtents(nn::getType(op.getDy()));
  pixels.pop_back();
  RDom r;
  Indices pixel;
  std::tie(r, pixel) = builder.domainOver("pixel", pixels);

  // `taps` begins with the taps of the window.
  auto getImage = [&](const Element &element, const Expr *taps, const Expr &channel) {
    Indices x(pixel);
    for (auto [i, dim] : llvm::enumerate(image.spatial)) {
      Expr tap = op.getFlip() ? toInt(kernelShape[i] - 1) - taps[i] : taps[i];
      x[dim] = pixel[dim] * toInt(window.strides[i]) + tap * toInt(window.dilation(i));
    }
    x.push_back(channel);
    return element(x);
  };
  auto panel = dyn_cast_or_null<PanelAttr>(type.getEncoding());
  if (!panel) {
    Func sum = builder.accumulateProducts(
        "conv", targets::Role::OuterProduct, getExtents(type), r, [&](const Indices &indices) {
          Expr in = indices[rank], out = indices[rank + 1];
          Indices dy(pixel);
          dy.push_back(out);
          Expr channel = op.getGroups() == 1 ? in : out / outputs * inputs + in;
          return std::make_pair(getImage(image.element, indices.data(), channel), builder.at(op.getDy(), dy));
        });
    builder.bind(op.getResult(), sum);
    return;
  }
  int64_t width = panel.getWidth();
  Extents packed{int64_t(llvm::divideCeil(kernelShape.back(), width))}, shape(packed);
  packed.append(pixels.begin(), pixels.end());
  packed.push_back(width);
  for (int64_t extent : kernelShape.drop_back())
    shape.push_back(extent);
  shape.push_back(width);
  Func dy = packColumns(builder, op.getDy(), packed);
  Element copy = copyImage(builder, op, window, image);
  Func sum = builder.accumulateProducts("conv", targets::Role::OuterProduct, shape, r, [&](const Indices &indices) {
    Indices place{indices.front()};
    place.insert(place.end(), pixel.begin(), pixel.end());
    place.push_back(indices.back());
    Expr channel = min(indices[rank + 1], inputs - 1);
    return std::make_pair(getImage(copy, indices.data() + 1, channel), AlgorithmBuilder::call(dy, place));
  });
  builder.bind(op.getResult(), sum);
}

bool buildConvKernelGradient(AlgorithmBuilder &builder, Operation &op) {
  if (auto kernel = dyn_cast<ConvKernelGradientOp>(op))
    return buildKernelGradient(builder, kernel), true;
  return false;
}

} // namespace nnc
