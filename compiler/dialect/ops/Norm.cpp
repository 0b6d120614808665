//===- Norm.cpp - Types of normalization ----------------------------------===//

#include "compiler/dialect/NN.h"

using namespace mlir;
using namespace nnc::nn;

/// Each of `vectors` must be as long as the last dimension of `x`.
static FailureOr<RankedTensorType> inferNorm(Operation *op, Value x, ValueRange vectors) {
  RankedTensorType type = getType(x);
  for (Value vector : vectors)
    if (type.getRank() < 1 || getType(vector).getShape() != type.getShape().take_back(1))
      return op->emitOpError("needs vectors over the last dimension of ")
             << describe(type) << ", not " << describe(getType(vector));
  return type;
}

FailureOr<RankedTensorType> BatchNormOp::inferType() { return inferNorm(*this, getX(), getOperands().drop_front()); }

FailureOr<RankedTensorType> LayerNormOp::inferType() { return inferNorm(*this, getX(), getOperands().drop_front()); }
int64_t LayerNormOp::getReductionSize() { return nn::getType(getX()).getShape().back(); }

FailureOr<RankedTensorType> LocalResponseNormOp::inferType() {
  if (getSize() < 1)
    return emitOpError("sums over ") << getSize() << " channels, which must be at least 1";
  return inferNorm(*this, getX(), {});
}
int64_t LocalResponseNormOp::getReductionSize() { return getSize(); }

FailureOr<RankedTensorType> LocalResponseNormGradientOp::inferType() {
  if (getSize() < 1)
    return emitOpError("sums over ") << getSize() << " channels, which must be at least 1";
  if (nn::getType(getX()) != nn::getType(getDy()))
    return emitOpError("has a cotangent of another shape than ") << describe(nn::getType(getX()));
  return nn::getType(getX());
}
int64_t LocalResponseNormGradientOp::getReductionSize() { return getSize(); }
