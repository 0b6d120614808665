//===- Dense.cpp - Types of matrix products -------------------------------===//

#include "compiler/dialect/NN.h"

using namespace mlir;
using namespace nnc::nn;

FailureOr<RankedTensorType> DenseOp::inferType() {
  RankedTensorType x = nn::getType(getX()), weight = nn::getType(getWeight());
  if (x.getRank() < 1 || weight.getRank() != 2 || x.getShape().back() != weight.getDimSize(1) ||
      !weight.hasStaticShape())
    return emitOpError("needs x[…, k] and weight[n, k], not ") << describe(x) << " and " << describe(weight);
  Extents extents = getExtents(x);
  extents.back() = weight.getDimSize(0);
  return getTensorType(x.getElementType(), extents);
}

int64_t DenseOp::getReductionSize() { return nn::getType(getWeight()).getDimSize(1); }

FailureOr<RankedTensorType> MatmulOp::inferType() {
  RankedTensorType a = nn::getType(getA()), b = nn::getType(getB());
  if (getFixedShape(a).size() < 2 || getFixedShape(b).size() < 2 ||
      a.getShape().back() != b.getShape()[b.getRank() - 2])
    return emitOpError("needs a[…, m, k] and b[…, k, n], not ") << describe(a) << " and " << describe(b);
  Extents left = getExtents(a), right = getExtents(b);
  ArrayRef<Extent> leadingA = ArrayRef(left).drop_back(2), leadingB = ArrayRef(right).drop_back(2);
  if (leadingA != leadingB && !leadingA.empty() && !leadingB.empty())
    return emitOpError("has leading dimensions of ") << describe(a) << " and " << describe(b) << ", which differ";
  Extents extents(leadingA.empty() ? leadingB : leadingA);
  extents.push_back(left[left.size() - 2]);
  extents.push_back(right.back());
  return getTensorType(a.getElementType(), extents);
}

int64_t MatmulOp::getReductionSize() { return nn::getType(getA()).getShape().back(); }

FailureOr<RankedTensorType> DenseInputGradientOp::inferType() {
  RankedTensorType dy = nn::getType(getDy()), weight = nn::getType(getWeight());
  if (dy.getRank() < 1 || weight.getRank() != 2 || dy.getShape().back() != weight.getDimSize(0) ||
      !weight.hasStaticShape())
    return emitOpError("needs dy[…, n] and weight[n, k], not ") << describe(dy) << " and " << describe(weight);
  Extents extents = getExtents(dy);
  extents.back() = weight.getDimSize(1);
  return getTensorType(dy.getElementType(), extents);
}

int64_t DenseInputGradientOp::getReductionSize() { return nn::getType(getWeight()).getDimSize(0); }

FailureOr<RankedTensorType> DenseWeightGradientOp::inferType() {
  RankedTensorType x = nn::getType(getX()), dy = nn::getType(getDy());
  Extents left = getExtents(x), right = getExtents(dy);
  if (getFixedShape(x).empty() || getFixedShape(dy).empty() ||
      ArrayRef(left).drop_back() != ArrayRef(right).drop_back())
    return emitOpError("needs x[…, k] and dy[…, n], not ") << describe(x) << " and " << describe(dy);
  Extents extents{right.back(), left.back()};
  return inDeclaredPanels(*this, getTensorType(x.getElementType(), extents));
}

/// Rows that are fixed; those of time and batch count once.
int64_t DenseWeightGradientOp::getReductionSize() {
  return ShapedType::getNumElements(getFixedShape(nn::getType(getX())).drop_back());
}
