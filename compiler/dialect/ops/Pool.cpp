//===- Pool.cpp - Types of pooling ----------------------------------------===//

#include "compiler/dialect/Window.h"

using namespace mlir;
using namespace nnc::nn;

template <typename PoolOp> static FailureOr<RankedTensorType> inferPool(PoolOp op) {
  RankedTensorType x = getType(op.getX());
  Window window{op.getWindow(), op.getStrides(), {}, op.getPadding(), op.getOverhang()};
  FailureOr<Extents> extents = inferWindow(op, x, window);
  if (failed(extents))
    return failure();
  return getTensorType(x.getElementType(), *extents);
}

FailureOr<RankedTensorType> MaxPoolOp::inferType() { return inferPool(*this); }
FailureOr<RankedTensorType> AvgPoolOp::inferType() { return inferPool(*this); }
int64_t MaxPoolOp::getReductionSize() { return ShapedType::getNumElements(getWindow()); }
int64_t AvgPoolOp::getReductionSize() { return ShapedType::getNumElements(getWindow()); }

template <typename GradientOp>
static LogicalResult checkPool(GradientOp op, RankedTensorType image, RankedTensorType result) {
  Window window{op.getWindow(), op.getStrides(), {}, op.getPadding(), op.getOverhang()};
  FailureOr<Extents> extents = inferWindow(op, image, window);
  if (failed(extents))
    return failure();
  if (*extents != getExtents(result))
    return op.emitOpError("pools ") << describe(image) << " to another shape than " << describe(result);
  return success();
}

FailureOr<RankedTensorType> MaxPoolGradientOp::inferType() {
  RankedTensorType x = nn::getType(getX()), y = nn::getType(getY());
  if (failed(checkPool(*this, x, y)))
    return failure();
  if (nn::getType(getDy()) != y)
    return emitOpError("has a cotangent of another shape than the pool's result, ") << describe(y);
  return x;
}

FailureOr<RankedTensorType> AvgPoolGradientOp::inferType() {
  FailureOr<RankedTensorType> image = getDeclaredType(*this);
  if (failed(image) || failed(checkPool(*this, *image, nn::getType(getDy()))))
    return failure();
  return image;
}

int64_t MaxPoolGradientOp::getReductionSize() { return ShapedType::getNumElements(getWindow()); }
int64_t AvgPoolGradientOp::getReductionSize() { return ShapedType::getNumElements(getWindow()); }
