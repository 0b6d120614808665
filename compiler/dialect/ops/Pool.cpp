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
