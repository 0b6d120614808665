//===- Loss.cpp - Types of losses -----------------------------------------===//

#include "compiler/dialect/NN.h"

using namespace mlir;
using namespace nnc::nn;

/// A label is a class for each vector; any other target has the shape of `y`.
static FailureOr<RankedTensorType> inferLoss(Operation *op, Value y, Value target, bool isLabel) {
  RankedTensorType type = getType(y);
  Extents extents = getExtents(type), targets = getExtents(getType(target));
  if (getFixedShape(type).empty())
    return op->emitOpError("needs a fixed last dimension, not ") << describe(type);
  ArrayRef<Extent> rows = ArrayRef(extents).drop_back();
  if (ArrayRef(targets) != (isLabel ? rows : ArrayRef(extents)))
    return op->emitOpError("compares ") << describe(type) << " with " << describe(getType(target));
  return getTensorType(type.getElementType(), rows);
}

#define NN_INFER_LOSS(OP, IS_LABEL)                                                                                    \
  FailureOr<RankedTensorType> OP::inferType() { return inferLoss(*this, getY(), getTarget(), IS_LABEL); }              \
  int64_t OP::getReductionSize() { return nn::getType(getY()).getShape().back(); }

NN_INFER_LOSS(CrossEntropyOp, true)
NN_INFER_LOSS(NllOp, true)
NN_INFER_LOSS(MseOp, false)
NN_INFER_LOSS(L1Op, false)
NN_INFER_LOSS(BinaryCrossEntropyOp, false)
NN_INFER_LOSS(HingeOp, true)
