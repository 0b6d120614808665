//===- Reshape.cpp - Types and folds of moved elements --------------------===//

#include "compiler/dialect/NN.h"

using namespace mlir;
using namespace nnc::nn;

//===----------------------------------------------------------------------===//
// broadcast
//===----------------------------------------------------------------------===//

LogicalResult BroadcastOp::verify() {
  auto from = dyn_cast<RankedTensorType>(getX().getType());
  auto to = dyn_cast<RankedTensorType>(getResult().getType());
  if (!from || !to)
    return success();
  if (static_cast<int64_t>(getDims().size()) != from.getRank())
    return emitOpError("has ") << getDims().size() << " dims for an operand of rank " << from.getRank();
  Extents small = getExtents(from), large = getExtents(to);
  int64_t previous = -1;
  for (auto [extent, dim] : llvm::zip_equal(small, getDims())) {
    if (dim <= previous || dim >= to.getRank())
      return emitOpError("needs ascending dims below ") << to.getRank() << ", not " << dim;
    previous = dim;
    if (extent != large[dim] && extent != Extent(1))
      return emitOpError("cannot repeat ") << describe(from) << " to " << describe(to);
  }
  return success();
}

OpFoldResult BroadcastOp::fold(FoldAdaptor) {
  return getX().getType() == getResult().getType() ? getX() : OpFoldResult();
}

//===----------------------------------------------------------------------===//
// reshape
//===----------------------------------------------------------------------===//

LogicalResult ReshapeOp::verify() {
  auto from = dyn_cast<RankedTensorType>(getX().getType());
  auto to = dyn_cast<RankedTensorType>(getResult().getType());
  if (!from || !to)
    return success();
  if (from.getEncoding() != to.getEncoding() || getFixedSize(from) != getFixedSize(to))
    return emitOpError("cannot make ") << describe(to) << " of " << describe(from);
  return success();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  if (getX().getType() == getResult().getType())
    return getX();
  if (auto first = getX().getDefiningOp<ReshapeOp>()) {
    getXMutable().assign(first.getX());
    return getResult();
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Ops whose types follow
//===----------------------------------------------------------------------===//

FailureOr<RankedTensorType> TimeMajorOp::inferType() {
  RankedTensorType type = nn::getType(getX());
  Extents extents = getExtents(type);
  int64_t steps = getSteps();
  if (steps < 0 || steps >= type.getRank() || !extents[0].isDynamic())
    return emitOpError("needs [batch, …] with ") << steps << " steps, not " << describe(type);
  for (Extent &extent : MutableArrayRef(extents).slice(1, steps))
    if (!extent.isDynamic())
      extent = StringAttr::get(getContext(), std::to_string(extent.size));
  std::rotate(extents.begin(), extents.begin() + 1, extents.begin() + 1 + steps);
  return getTensorType(type.getElementType(), extents);
}

OpFoldResult TimeMajorOp::fold(FoldAdaptor) {
  if (getSteps() == 0)
    return getX();
  auto inverse = getX().getDefiningOp<BatchMajorOp>();
  return inverse && inverse.getSteps() == getSteps() ? inverse.getX() : OpFoldResult();
}

FailureOr<RankedTensorType> BatchMajorOp::inferType() {
  RankedTensorType type = nn::getType(getX());
  Extents extents = getExtents(type);
  int64_t steps = getSteps();
  if (steps < 0 || steps >= type.getRank() || !extents[steps].isDynamic())
    return emitOpError("needs [steps…, batch, …] with ") << steps << " steps, not " << describe(type);
  for (Extent &extent : MutableArrayRef(extents).take_front(steps))
    if (std::optional<int64_t> size = extent.isDynamic() ? getNumber(extent.name) : std::nullopt)
      extent = *size;
  std::rotate(extents.begin(), extents.begin() + steps, extents.begin() + steps + 1);
  return getTensorType(type.getElementType(), extents);
}

OpFoldResult BatchMajorOp::fold(FoldAdaptor) {
  if (getSteps() == 0)
    return getX();
  auto inverse = getX().getDefiningOp<TimeMajorOp>();
  return inverse && inverse.getSteps() == getSteps() ? inverse.getX() : OpFoldResult();
}

FailureOr<RankedTensorType> TransposeOp::inferType() {
  RankedTensorType type = nn::getType(getX());
  Extents from = getExtents(type), to;
  SmallVector<bool> seen(from.size());
  for (int64_t dim : getPermutation()) {
    if (dim < 0 || dim >= type.getRank() || seen[dim])
      return emitOpError("has a permutation that is none of ") << type.getRank() << " dimensions";
    seen[dim] = true;
    to.push_back(from[dim]);
  }
  if (to.size() != from.size())
    return emitOpError("has a permutation that is none of ") << type.getRank() << " dimensions";
  if (!llvm::is_sorted(to, [](const Extent &a, const Extent &b) { return a.isDynamic() && !b.isDynamic(); }))
    return emitOpError("must leave dynamic dimensions before fixed ones");
  return getTensorType(type.getElementType(), to);
}

OpFoldResult TransposeOp::fold(FoldAdaptor) { return llvm::is_sorted(getPermutation()) ? getX() : OpFoldResult(); }

FailureOr<RankedTensorType> ConcatOp::inferType() {
  if (getInputs().empty())
    return emitOpError("needs an operand");
  RankedTensorType first = nn::getType(getInputs().front());
  int64_t axis = getAxis();
  if (axis < getDynamicRank(first) || axis >= first.getRank())
    return emitOpError("has axis ") << axis << ", which is no fixed dimension of " << describe(first);
  Extents extents = getExtents(first);
  for (Value input : getInputs().drop_front()) {
    Extents other = getExtents(nn::getType(input));
    if (other.size() != extents.size())
      return emitOpError("joins ") << describe(first) << " and " << describe(nn::getType(input));
    int64_t joined = extents[axis].size + other[axis].size;
    other[axis] = extents[axis];
    if (other != extents || nn::getType(input).getElementType() != first.getElementType())
      return emitOpError("joins ") << describe(first) << " and " << describe(nn::getType(input));
    extents[axis] = joined;
  }
  return getTensorType(first.getElementType(), extents);
}

FailureOr<RankedTensorType> SliceOp::inferType() {
  RankedTensorType type = nn::getType(getX());
  ArrayRef<int64_t> shape = getFixedShape(type);
  if (getStarts().size() != shape.size() || getSizes().size() != shape.size())
    return emitOpError("needs a start and a size for each of ") << shape.size() << " fixed dimensions";
  Extents extents = getExtents(type);
  for (auto [i, extent] : llvm::enumerate(shape)) {
    int64_t start = getStarts()[i], size = getSizes()[i];
    if (start < 0 || size < 1 || start > extent - size)
      return emitOpError("takes ") << size << " from " << start << " of an extent of " << extent;
    extents[getDynamicRank(type) + i] = size;
  }
  return getTensorType(type.getElementType(), extents);
}

OpFoldResult SliceOp::fold(FoldAdaptor) { return getX().getType() == getResult().getType() ? getX() : OpFoldResult(); }

FailureOr<RankedTensorType> ReverseOp::inferType() {
  RankedTensorType type = nn::getType(getX());
  int64_t axis = getAxis();
  if (axis < 0 || axis >= type.getRank())
    return emitOpError("has axis ") << axis << ", which is no dimension of " << describe(type);
  return type;
}

FailureOr<RankedTensorType> LastOp::inferType() {
  RankedTensorType type = nn::getType(getX());
  if (type.getRank() < 1)
    return emitOpError("needs a dimension to take the last of");
  return getTensorType(type.getElementType(), ArrayRef(getExtents(type)).drop_front());
}

FailureOr<RankedTensorType> EmbedOp::inferType() {
  RankedTensorType table = nn::getType(getTable());
  if (table.getRank() != 2 || !table.hasStaticShape())
    return emitOpError("needs a table [classes, n], not ") << describe(table);
  Extents extents = getExtents(nn::getType(getIds()));
  extents.push_back(table.getDimSize(1));
  return getTensorType(table.getElementType(), extents);
}

FailureOr<RankedTensorType> OneHotOp::inferType() {
  if (getClasses() < 1)
    return emitOpError("has ") << getClasses() << " classes, which must be at least 1";
  Extents extents = getExtents(nn::getType(getIds()));
  extents.push_back(static_cast<int64_t>(getClasses()));
  return getTensorType(Float32Type::get(getContext()), extents);
}

FailureOr<RankedTensorType> PadOp::inferType() {
  RankedTensorType type = nn::getType(getX());
  ArrayRef<int64_t> part = getFixedShape(type);
  if (getStarts().size() != part.size() || getShape().size() != part.size())
    return emitOpError("needs a start and an extent for each of ") << part.size() << " fixed dimensions";
  Extents extents = getExtents(type);
  for (auto [i, size] : llvm::enumerate(part)) {
    int64_t start = getStarts()[i], extent = getShape()[i];
    if (start < 0 || start > extent - size)
      return emitOpError("puts ") << size << " at " << start << " of an extent of " << extent;
    extents[getDynamicRank(type) + i] = extent;
  }
  return getTensorType(type.getElementType(), extents);
}

FailureOr<RankedTensorType> DelayOp::inferType() {
  RankedTensorType type = nn::getType(getX()), start = nn::getType(getStart());
  Extents extents = getExtents(type);
  if (getDynamicRank(type) < 1 || getTensorType(type.getElementType(), ArrayRef(extents).drop_front()) != start)
    return emitOpError("needs a start of the shape of one step of ") << describe(type) << ", not " << describe(start);
  return type;
}

/// The declared type, whose outermost dimensions are so many steps' and whose others
/// are these.
static FailureOr<RankedTensorType> getDeclaredSteps(Operation *op, RankedTensorType from, size_t count,
                                                    ArrayRef<Extent> others) {
  FailureOr<RankedTensorType> type = getDeclaredType(op);
  if (failed(type))
    return failure();
  Extents extents = getExtents(*type);
  if (extents.size() != count + others.size() ||
      !llvm::all_of(ArrayRef(extents).take_front(count), [](const Extent &e) { return e.isDynamic(); }) ||
      ArrayRef(extents).drop_front(count) != others || type->getElementType() != from.getElementType())
    return op->emitOpError("cannot make ") << describe(*type) << " of " << describe(from);
  return *type;
}

FailureOr<RankedTensorType> SegmentOp::inferType() {
  RankedTensorType type = nn::getType(getX());
  Extents others = getExtents(type);
  auto axis = static_cast<int64_t>(getAxis());
  if (axis < 0 || axis >= getDynamicRank(type) || nn::getType(getFirst()).getRank() != 0)
    return emitOpError("needs an axis of steps and the number of the first one, not ")
           << axis << " of " << describe(type) << " and " << describe(nn::getType(getFirst()));
  others.erase(others.begin() + axis);
  return getDeclaredSteps(*this, type, 1, others);
}

FailureOr<RankedTensorType> SplitStepsOp::inferType() {
  RankedTensorType type = nn::getType(getX());
  if (getDynamicRank(type) < 1)
    return emitOpError("needs steps, not ") << describe(type);
  return getDeclaredSteps(*this, type, 2, ArrayRef(getExtents(type)).drop_front());
}

FailureOr<RankedTensorType> JoinStepsOp::inferType() {
  RankedTensorType type = nn::getType(getX());
  if (getDynamicRank(type) < 2)
    return emitOpError("needs segments of steps, not ") << describe(type);
  return getDeclaredSteps(*this, type, 1, ArrayRef(getExtents(type)).drop_front(2));
}

FailureOr<RankedTensorType> EmbedGradientOp::inferType() {
  RankedTensorType ids = nn::getType(getIds()), dy = nn::getType(getDy());
  Extents rows = getExtents(ids), extents = getExtents(dy);
  if (getClasses() < 1 || getFixedShape(dy).empty() || ArrayRef(extents).drop_back() != ArrayRef(rows))
    return emitOpError("needs ids[…] and dy[…, n], not ") << describe(ids) << " and " << describe(dy);
  return RankedTensorType::get({static_cast<int64_t>(getClasses()), extents.back().size}, dy.getElementType());
}

FailureOr<RankedTensorType> PackOp::inferType() {
  RankedTensorType type = nn::getType(getX()), packed = inDeclaredPanels(*this, type);
  if (packed == type)
    return emitOpError("must declare the panels of its result");
  return packed;
}
