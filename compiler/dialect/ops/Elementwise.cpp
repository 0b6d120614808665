//===- Elementwise.cpp - Types and folds of element-wise ops --------------===//

#include "compiler/dialect/NN.h"

#include <functional>
#include <optional>

using namespace mlir;
using namespace nnc::nn;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

/// The shape of the operand with most dimensions, of which each other's must be
/// the end. What lies in panels is made of what lies in the same ones, and numbers.
static FailureOr<RankedTensorType> inferElementwise(Operation *op, Type element) {
  RankedTensorType widest;
  for (Value operand : op->getOperands())
    if (RankedTensorType type = getType(operand); !widest || type.getRank() > widest.getRank())
      widest = type;
  Extents whole = getExtents(widest);
  for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
    Extents part = getExtents(getType(operand));
    if (ArrayRef(whole).take_back(part.size()) != ArrayRef(part))
      return op->emitOpError("operand ") << index << " has shape " << describe(getType(operand))
                                         << ", which is not the end of " << describe(widest);
  }
  RankedTensorType result = inDeclaredPanels(op, getTensorType(element, whole));
  if (isa_and_nonnull<PanelAttr>(result.getEncoding()))
    for (auto [index, operand] : llvm::enumerate(op->getOperands()))
      if (RankedTensorType type = getType(operand); type.getRank() != 0 && type.getEncoding() != result.getEncoding())
        return op->emitOpError("operand ") << index << " does not lie in panels as " << result << " does";
  return result;
}

static FailureOr<RankedTensorType> inferSameElement(Operation *op, ValueRange values) {
  Type element = getType(values.front()).getElementType();
  for (Value value : values)
    if (getType(value).getElementType() != element)
      return op->emitOpError("mixes ") << element << " and " << getType(value).getElementType();
  return inferElementwise(op, element);
}

#define NN_INFER_FLOAT(OP)                                                                                             \
  FailureOr<RankedTensorType> OP::inferType() { return inferElementwise(*this, Float32Type::get(getContext())); }
#define NN_INFER_SAME(OP)                                                                                              \
  FailureOr<RankedTensorType> OP::inferType() { return inferSameElement(*this, (*this)->getOperands()); }
#define NN_INFER_BOOL(OP)                                                                                              \
  FailureOr<RankedTensorType> OP::inferType() {                                                                        \
    if (failed(inferSameElement(*this, (*this)->getOperands())))                                                       \
      return failure();                                                                                                \
    return inferElementwise(*this, IntegerType::get(getContext(), 1));                                                 \
  }

NN_INFER_FLOAT(NegOp)
NN_INFER_FLOAT(AbsOp)
NN_INFER_FLOAT(ExpOp)
NN_INFER_FLOAT(LogOp)
NN_INFER_FLOAT(SqrtOp)
NN_INFER_FLOAT(SquareOp)
NN_INFER_FLOAT(TanhOp)
NN_INFER_FLOAT(SigmoidOp)
NN_INFER_FLOAT(ReluOp)
NN_INFER_FLOAT(SoftplusOp)
NN_INFER_FLOAT(GeluOp)
NN_INFER_FLOAT(LeakyReluOp)
NN_INFER_FLOAT(EluOp)
NN_INFER_FLOAT(ToFloatOp)
NN_INFER_SAME(AddOp)
NN_INFER_SAME(SubOp)
NN_INFER_SAME(MulOp)
NN_INFER_SAME(DivOp)
NN_INFER_SAME(MaxOp)
NN_INFER_SAME(MinOp)
NN_INFER_SAME(PowOp)
NN_INFER_SAME(AndOp)
NN_INFER_SAME(OrOp)
NN_INFER_SAME(NotOp)
NN_INFER_SAME(LengthsOp)
NN_INFER_BOOL(EqOp)
NN_INFER_BOOL(NeOp)
NN_INFER_BOOL(LtOp)
NN_INFER_BOOL(LeOp)
NN_INFER_BOOL(GtOp)
NN_INFER_BOOL(GeOp)

FailureOr<RankedTensorType> SelectOp::inferType() {
  Type element = nn::getType(getA()).getElementType();
  if (nn::getType(getB()).getElementType() != element)
    return emitOpError("chooses between ") << element << " and " << nn::getType(getB()).getElementType();
  return inferElementwise(*this, element);
}

FailureOr<RankedTensorType> CountOp::inferType() {
  int64_t rank = nn::getType(getX()).getRank();
  for (int64_t axis : getAxes())
    if (axis < 0 || axis >= rank)
      return emitOpError("counts along axis ") << axis << " of " << describe(nn::getType(getX()));
  return RankedTensorType::get({}, Float32Type::get(getContext()));
}

FailureOr<RankedTensorType> ExtentOp::inferType() {
  auto axis = static_cast<int64_t>(getAxis());
  if (axis < 0 || axis >= nn::getType(getX()).getRank())
    return emitOpError("has axis ") << axis << ", which is no dimension of " << describe(nn::getType(getX()));
  return RankedTensorType::get({}, IntegerType::get(getContext(), 32));
}

FailureOr<RankedTensorType> DropoutOp::inferType() {
  Extents two{2};
  if (getExtents(nn::getType(getSeed())) != two || (getStep() && nn::getType(getStep()).getRank() != 0))
    return emitOpError("needs a seed of two words, and one number for the step");
  return nn::getType(getX());
}

FailureOr<RankedTensorType> MaskOp::inferType() {
  RankedTensorType type = nn::getType(getX());
  Extents extents = getExtents(type), lengths = getExtents(nn::getType(getLengths()));
  int64_t axis = getAxis();
  if (axis < 0 || axis >= getDynamicRank(type) || lengths.size() != 1 || extents[axis] == lengths[0] ||
      !llvm::is_contained(extents, lengths[0]))
    return emitOpError("needs an axis of steps before the batch and the lengths of that batch, not ")
           << axis << " of " << describe(type) << " and " << describe(nn::getType(getLengths()));
  return type;
}

//===----------------------------------------------------------------------===//
// Folds
//===----------------------------------------------------------------------===//

static std::optional<double> getNumber(Attribute attribute) {
  if (auto number = dyn_cast_or_null<FloatAttr>(attribute))
    return number.getValueAsDouble();
  return std::nullopt;
}

/// Two numbers become one; `x op neutral` becomes x where it has x's shape.
static OpFoldResult foldBinary(Operation *op, Attribute a, Attribute b, double neutral, bool commutes,
                               std::function<double(double, double)> compute) {
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!type || !type.getElementType().isF32())
    return {};
  std::optional<double> left = getNumber(a), right = getNumber(b);
  if (left && right && type.getRank() == 0)
    return FloatAttr::get(type.getElementType(), compute(*left, *right));
  if (right == neutral && op->getOperand(0).getType() == type)
    return op->getOperand(0);
  if (commutes && left == neutral && op->getOperand(1).getType() == type)
    return op->getOperand(1);
  return {};
}

OpFoldResult NegOp::fold(FoldAdaptor adaptor) {
  if (std::optional<double> number = ::getNumber(adaptor.getX()))
    return FloatAttr::get(cast<RankedTensorType>(getType()).getElementType(), -*number);
  if (auto inner = getX().getDefiningOp<NegOp>())
    return inner.getX();
  return {};
}
OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  return foldBinary(*this, adaptor.getA(), adaptor.getB(), 0, true, std::plus<double>());
}
OpFoldResult SubOp::fold(FoldAdaptor adaptor) {
  return foldBinary(*this, adaptor.getA(), adaptor.getB(), 0, false, std::minus<double>());
}
OpFoldResult MulOp::fold(FoldAdaptor adaptor) {
  return foldBinary(*this, adaptor.getA(), adaptor.getB(), 1, true, std::multiplies<double>());
}
OpFoldResult DivOp::fold(FoldAdaptor adaptor) {
  return foldBinary(*this, adaptor.getA(), adaptor.getB(), 1, false, std::divides<double>());
}

/// What has been filled already is left as it is.
OpFoldResult MaskOp::fold(FoldAdaptor) {
  auto inner = getX().getDefiningOp<MaskOp>();
  bool isSame = inner && inner.getLengths() == getLengths() && inner.getAxis() == getAxis() &&
                inner.getFill().bitwiseIsEqual(getFill());
  return isSame ? getX() : Value();
}
