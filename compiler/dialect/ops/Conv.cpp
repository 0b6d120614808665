//===- Conv.cpp - Types of convolution ------------------------------------===//

#include "compiler/dialect/Window.h"

using namespace mlir;
using namespace nnc::nn;

FailureOr<RankedTensorType> ConvOp::inferType() {
  RankedTensorType x = nn::getType(getX()), kernel = nn::getType(getKernel());
  if (kernel.getRank() < 3 || !kernel.hasStaticShape())
    return emitOpError("needs a kernel [k…, ci / groups, co], not ") << describe(kernel);
  ArrayRef<int64_t> shape = kernel.getShape();
  Window window{shape.drop_back(2), getStrides(), getDilations(), getPadding(), {}};
  FailureOr<Extents> extents = inferWindow(*this, x, window);
  if (failed(extents))
    return failure();
  int64_t groups = getGroups(), in = shape[shape.size() - 2], out = shape.back();
  if (groups < 1 || x.getShape().back() != groups * in || out % groups != 0)
    return emitOpError("has an image of ") << x.getShape().back() << " channels, a kernel " << describe(kernel)
                                           << " and " << groups << " groups, which do not fit";
  extents->back() = out;
  return getTensorType(x.getElementType(), *extents);
}

int64_t ConvOp::getReductionSize() {
  return ShapedType::getNumElements(nn::getType(getKernel()).getShape().drop_back(1));
}

/// Checks that a convolution of these takes `image` to `result`.
template <typename GradientOp>
static LogicalResult checkConv(GradientOp op, RankedTensorType image, RankedTensorType kernel,
                               RankedTensorType result) {
  if (kernel.getRank() < 3 || !kernel.hasStaticShape())
    return op.emitOpError("needs a kernel [k…, ci / groups, co], not ") << describe(kernel);
  ArrayRef<int64_t> shape = kernel.getShape();
  Window window{shape.drop_back(2), op.getStrides(), op.getDilations(), op.getPadding(), {}};
  FailureOr<Extents> extents = inferWindow(op, image, window);
  if (failed(extents))
    return failure();
  extents->back() = shape.back();
  int64_t groups = op.getGroups();
  if (*extents != getExtents(result) || groups < 1 || image.getShape().back() != groups * shape[shape.size() - 2] ||
      shape.back() % groups != 0)
    return op.emitOpError("has an image ") << describe(image) << ", a kernel " << describe(kernel) << " and a result "
                                           << describe(result) << ", which do not fit";
  return success();
}

FailureOr<RankedTensorType> ConvInputGradientOp::inferType() {
  FailureOr<RankedTensorType> image = getDeclaredType(*this);
  if (failed(image) || failed(checkConv(*this, *image, nn::getType(getKernel()), nn::getType(getDy()))))
    return failure();
  return image;
}

/// Of a stride of 1; each stride leaves its share of them.
int64_t ConvInputGradientOp::getReductionSize() {
  ArrayRef<int64_t> shape = nn::getType(getKernel()).getShape();
  int64_t size = ShapedType::getNumElements(shape.drop_back(2)) * shape.back() / getGroups();
  return std::max<int64_t>(1, size / ShapedType::getNumElements(getStrides()));
}

FailureOr<RankedTensorType> ConvKernelGradientOp::inferType() {
  FailureOr<RankedTensorType> kernel = getDeclaredType(*this);
  if (failed(kernel) || failed(checkConv(*this, nn::getType(getX()), *kernel, nn::getType(getDy()))))
    return failure();
  return kernel;
}

int64_t ConvKernelGradientOp::getReductionSize() {
  return ShapedType::getNumElements(getFixedShape(nn::getType(getDy())).drop_back());
}

FailureOr<RankedTensorType> WinogradWeightsOp::inferType() {
  RankedTensorType kernel = nn::getType(getKernel());
  ArrayRef<int64_t> shape = kernel.getShape();
  if (kernel.getRank() != 4 || !kernel.hasStaticShape() || shape[0] != 3 || shape[1] != 3)
    return emitOpError("needs a kernel [3, 3, ci, co], not ") << describe(kernel);
  bool turned = getTranspose();
  return inDeclaredPanels(
      *this, RankedTensorType::get({36, shape[turned ? 3 : 2], shape[turned ? 2 : 3]}, kernel.getElementType()));
}

/// The extents of what Winograd's convolution gives of an image, with the image's channels.
static FailureOr<Extents> inferWinogradWindow(Operation *op, RankedTensorType x, ArrayRef<int64_t> padding) {
  static constexpr int64_t sizes[] = {3, 3}, strides[] = {1, 1};
  Window window{sizes, strides, {}, padding, {}};
  return inferWindow(op, x, window);
}

static LogicalResult checkWinogradWeights(Operation *op, RankedTensorType weights) {
  if (weights.getRank() != 3 || !weights.hasStaticShape() || weights.getDimSize(0) != 36)
    return op->emitOpError("needs weights [36, ci, co], not ") << describe(weights);
  return success();
}

FailureOr<RankedTensorType> WinogradConvOp::inferType() {
  RankedTensorType x = nn::getType(getX()), weights = nn::getType(getWeights());
  if (failed(checkWinogradWeights(*this, weights)))
    return failure();
  ArrayRef<int64_t> shape = weights.getShape();
  if (getFixedShape(x).size() != 3 || getFixedShape(x).back() != shape[1])
    return emitOpError("needs an image [height, width, ")
           << shape[1] << "] of a fixed size for weights " << describe(weights) << ", not " << describe(x);
  FailureOr<Extents> extents = inferWinogradWindow(*this, x, getPadding());
  if (failed(extents))
    return failure();
  extents->back() = shape[2];
  return getTensorType(x.getElementType(), *extents);
}

/// Of the convolution that it stands for.
int64_t WinogradConvOp::getReductionSize() { return 9 * nn::getType(getWeights()).getDimSize(1); }

FailureOr<RankedTensorType> WinogradImageOp::inferType() {
  RankedTensorType x = nn::getType(getX());
  if (getFixedShape(x).size() != 3)
    return emitOpError("needs an image [height, width, channels] of a fixed size, not ") << describe(x);
  FailureOr<Extents> extents = inferWinogradWindow(*this, x, getPadding());
  if (failed(extents))
    return failure();
  for (Extent &extent : MutableArrayRef(*extents).take_back(3).drop_back())
    extent = static_cast<int64_t>(llvm::divideCeil(extent.size, 4));
  extents->insert(extents->end() - 3, 2, int64_t(6));
  return getTensorType(x.getElementType(), *extents);
}

FailureOr<RankedTensorType> WinogradProductsOp::inferType() {
  RankedTensorType image = nn::getType(getImage()), weights = nn::getType(getWeights());
  if (failed(checkWinogradWeights(*this, weights)))
    return failure();
  ArrayRef<int64_t> fixed = getFixedShape(image), size = getSize();
  auto isOfTiles = [&](unsigned i) { return static_cast<int64_t>(llvm::divideCeil(size[i], 4)) == fixed[2 + i]; };
  if (size.size() != 2 || fixed.size() != 5 || fixed[0] != 6 || fixed[1] != 6 || !isOfTiles(0) || !isOfTiles(1) ||
      fixed.back() != weights.getDimSize(1))
    return emitOpError("needs an image [6, 6, height / 4, width / 4, ")
           << weights.getDimSize(1) << "] for weights " << describe(weights) << ", not " << describe(image);
  Extents extents = getExtents(image);
  extents.erase(extents.end() - 5, extents.end() - 3);
  for (unsigned i = 0; i < 2; ++i)
    *(extents.end() - 3 + i) = size[i];
  extents.back() = weights.getDimSize(2);
  return getTensorType(image.getElementType(), extents);
}

/// Of the convolution that it stands for.
int64_t WinogradProductsOp::getReductionSize() { return 9 * nn::getType(getWeights()).getDimSize(1); }
