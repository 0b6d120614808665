//===- Reduce.cpp - Types of sums, means, maxima --------------------------===//

#include "compiler/dialect/NN.h"

using namespace mlir;
using namespace nnc::nn;

template <typename ReduceOp> static FailureOr<RankedTensorType> inferReduce(ReduceOp op) {
  RankedTensorType type = getType(op.getX());
  Extents extents = getExtents(type), kept;
  int64_t previous = -1;
  for (int64_t axis : op.getAxes()) {
    if (axis <= previous || axis >= type.getRank())
      return op.emitOpError("needs ascending axes below ") << type.getRank() << ", not " << axis;
    previous = axis;
  }
  for (auto [dim, extent] : llvm::enumerate(extents))
    if (!llvm::is_contained(op.getAxes(), static_cast<int64_t>(dim)))
      kept.push_back(extent);
  return getTensorType(type.getElementType(), kept);
}

/// Products of fixed extents; a free one counts once.
template <typename ReduceOp> static int64_t getReduced(ReduceOp op) {
  int64_t size = 1;
  for (int64_t axis : op.getAxes())
    if (int64_t extent = getType(op.getX()).getDimSize(axis); !ShapedType::isDynamic(extent))
      size *= extent;
  return size;
}

FailureOr<RankedTensorType> SumOp::inferType() { return inferReduce(*this); }
FailureOr<RankedTensorType> MeanOp::inferType() { return inferReduce(*this); }
FailureOr<RankedTensorType> ReduceMaxOp::inferType() { return inferReduce(*this); }
FailureOr<RankedTensorType> ReduceMinOp::inferType() { return inferReduce(*this); }
int64_t SumOp::getReductionSize() { return getReduced(*this); }
int64_t MeanOp::getReductionSize() { return getReduced(*this); }
int64_t ReduceMaxOp::getReductionSize() { return getReduced(*this); }
int64_t ReduceMinOp::getReductionSize() { return getReduced(*this); }

/// A vector that is not dynamic: the last dimension of `x`.
static FailureOr<RankedTensorType> inferAlongLast(Operation *op, Value x) {
  RankedTensorType type = getType(x);
  if (getFixedShape(type).empty())
    return op->emitOpError("needs a fixed last dimension, not ") << describe(type);
  return type;
}

FailureOr<RankedTensorType> SoftmaxOp::inferType() { return inferAlongLast(*this, getX()); }
FailureOr<RankedTensorType> LogSoftmaxOp::inferType() { return inferAlongLast(*this, getX()); }
FailureOr<RankedTensorType> ArgmaxOp::inferType() {
  FailureOr<RankedTensorType> type = inferAlongLast(*this, getX());
  if (failed(type))
    return failure();
  return getTensorType(IntegerType::get(getContext(), 32), ArrayRef(getExtents(*type)).drop_back());
}
int64_t SoftmaxOp::getReductionSize() { return nn::getType(getX()).getShape().back(); }
int64_t LogSoftmaxOp::getReductionSize() { return nn::getType(getX()).getShape().back(); }
int64_t ArgmaxOp::getReductionSize() { return nn::getType(getX()).getShape().back(); }
