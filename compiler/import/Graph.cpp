//===- Graph.cpp - One function's operations as nn ops --------------------===//
//
// An operation of a Model has the name and attributes of the dialect's op, so
// most need no code here: `import` copies them. What follows by hand is what the
// batch and ragged batches add.
//
//===----------------------------------------------------------------------===//

#include "compiler/import/Graph.h"

#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;
using namespace nnc::nn;

namespace nnc {

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

static Type getElementType(OpBuilder &builder, dsl::Element element) {
  switch (element) {
  case dsl::Element::Float:
    return builder.getF32Type();
  case dsl::Element::Class:
    return builder.getI32Type();
  case dsl::Element::Bool:
    return builder.getI1Type();
  }
  llvm_unreachable("every element has a type");
}

static unsigned countFree(const dsl::Type &type) {
  return llvm::count_if(type.shape, [](const dsl::Dim &dim) { return !dim.isFixed(); });
}

bool GraphImporter::hasFreeDim(const dsl::Type &type) const { return countFree(type) > 0; }

StringAttr GraphImporter::getName(const dsl::Dim &dim) const {
  if (dim.isFixed())
    return builder.getStringAttr(std::to_string(dim.size));
  return builder.getStringAttr(Length{network.freeDims[dim.free].name, dim.offset, dim.stride}.str());
}

RankedTensorType GraphImporter::getType(const dsl::Type &type, bool batched) const {
  Extents extents;
  for (const dsl::Dim &dim : type.shape)
    if (!dim.isFixed())
      extents.push_back(getName(dim));
  if (batched)
    extents.push_back(builder.getStringAttr(batchName));
  for (const dsl::Dim &dim : type.shape)
    if (dim.isFixed())
      extents.push_back(dim.size);
  return getTensorType(getElementType(builder, type.element), extents);
}

/// The place of an example's dimension in the imported type.
static int64_t renumber(int64_t axis, unsigned free, bool batched) {
  return axis < static_cast<int64_t>(free) || !batched ? axis : axis + 1;
}

Location GraphImporter::getLocation(const dsl::Location &location, StringRef path) const {
  Location place = builder.getUnknownLoc();
  if (location.source)
    place = FileLineColLoc::get(builder.getContext(), location.source->path, location.line, location.column);
  return path.empty() ? place : Location(NameLoc::get(builder.getStringAttr(path), place));
}

//===----------------------------------------------------------------------===//
// Ragged batches
//===----------------------------------------------------------------------===//

Value GraphImporter::getLengths(const dsl::Dim &dim) {
  Value whole = lengths.lookup(dim.free);
  if (Value end = ends.lookup(dim.free); end && followsEnd)
    whole = end;
  assert(whole && "every free dimension has lengths");
  if (dim.offset == 0 && dim.stride == 1)
    return whole;
  return build("nn.lengths", whole,
               {builder.getNamedAttr("offset", builder.getI64IntegerAttr(dim.offset)),
                builder.getNamedAttr("stride", builder.getI64IntegerAttr(dim.stride))});
}

Value GraphImporter::mask(Value value, const dsl::Type &type, double fill) {
  unsigned free = countFree(type);
  for (unsigned axis = 0; axis < free; ++axis)
    value = build("nn.mask", {value, getLengths(type.shape[axis])},
                  {builder.getNamedAttr("axis", builder.getI64IntegerAttr(axis)),
                   builder.getNamedAttr("fill", builder.getF64FloatAttr(fill))});
  return value;
}

Value GraphImporter::makeBatched(Value value, const dsl::Type &type) {
  RankedTensorType from = nn::getType(value);
  if (isBatched(from))
    return value;
  SmallVector<int64_t> dims;
  for (int64_t dim : llvm::seq<int64_t>(0, from.getRank()))
    dims.push_back(renumber(dim, countFree(type), /*batched=*/true));
  return BroadcastOp::create(builder, location, getType(type, /*batched=*/true), value, dims);
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

Value GraphImporter::build(StringRef name, ValueRange operands, ArrayRef<NamedAttribute> attributes) {
  OperationState state(location, name, operands, UnrankedTensorType::get(builder.getF32Type()), attributes);
  Operation *op = builder.create(state);
  FailureOr<RankedTensorType> type = cast<ComputeOp>(op).inferType();
  assert(succeeded(type) && "a checked program has shapes that fit");
  op->getResult(0).setType(*type);
  return op->getResult(0);
}

SmallVector<NamedAttribute> GraphImporter::convertAttributes(const dsl::Operation &operation, bool batched) {
  unsigned free = operation.operands.empty() ? 0 : countFree(typeOf(operation.operands.front()));
  SmallVector<NamedAttribute> attributes;
  for (const auto &[name, value] : operation.attributes) {
    Attribute converted;
    if (auto *flag = std::get_if<bool>(&value))
      converted = builder.getBoolAttr(*flag);
    else if (auto *integer = std::get_if<int64_t>(&value))
      converted = builder.getI64IntegerAttr(*integer);
    else if (auto *number = std::get_if<double>(&value))
      converted = builder.getF64FloatAttr(*number);
    else if (auto *text = std::get_if<std::string>(&value))
      converted = builder.getStringAttr(*text);
    else if (auto *list = std::get_if<std::vector<int64_t>>(&value))
      converted = builder.getDenseI64ArrayAttr(*list);
    else {
      SmallVector<int64_t> axes;
      for (int64_t axis : std::get<dsl::Axes>(value).dims)
        axes.push_back(renumber(axis, free, batched));
      converted = name == "axis" ? Attribute(builder.getI64IntegerAttr(axes.front()))
                                 : Attribute(builder.getDenseI64ArrayAttr(axes));
    }
    attributes.push_back(builder.getNamedAttr(name, converted));
  }
  return attributes;
}

void GraphImporter::importOperations(ArrayRef<dsl::Operation> operations) {
  for (const dsl::Operation &operation : operations) {
    location = getLocation(operation.location, operation.path);
    bool follows = std::exchange(followsEnd, followsEnd || readsEnded(operation));
    if (hasBeams(operation))
      importBeams(operation);
    else if (operation.each)
      importEach(operation);
    else
      set(operation.results.front(), import(operation));
    std::swap(follows, followsEnd);
    nameResults(operation);
    if (follows || (operation.each && operation.each->hasUntil))
      ended.insert(operation.results.begin(), operation.results.end());
  }
}

/// For those who read the module: names have no say in what is compiled.
void GraphImporter::nameResults(const dsl::Operation &operation) {
  for (dsl::Value result : operation.results)
    if (const std::string &name = function.values[result].name; !name.empty())
      if (Operation *op = get(result).getDefiningOp(); op && op->getNumResults() == 1)
        op->setLoc(withName(op->getLoc(), name));
}

/// Whether an operation reads what follows from a loop that ends by `until`.
bool GraphImporter::readsEnded(const dsl::Operation &operation) const {
  if (ended.empty())
    return false;
  return llvm::any_of(operation.operands, [&](dsl::Value value) { return ended.contains(value); }) ||
         (operation.each &&
          llvm::any_of(operation.each->body, [&](const dsl::Operation &inner) { return readsEnded(inner); }));
}

/// Whether an op takes operands whose rows are the same, unlike those that repeat what has no batch.
static bool takesRowsAlike(StringRef name) {
  return llvm::is_contained({"concat", "cross_entropy", "nll", "mse", "l1", "binary_cross_entropy", "hinge"}, name);
}

/// What is the same for all examples, such as a weight, is repeated for each where another operand differs from one to
/// the next.
void GraphImporter::makeAlike(const dsl::Operation &operation, SmallVectorImpl<Value> &operands) {
  if (llvm::none_of(operands, [](Value operand) { return isBatched(nn::getType(operand)); }))
    return;
  for (auto [operand, value] : llvm::zip_equal(operands, operation.operands))
    operand = makeBatched(operand, typeOf(value));
}

Value GraphImporter::import(const dsl::Operation &operation) {
  StringRef name = operation.name;
  const dsl::Type &resultType = typeOf(operation.results.front());
  if (name == "read")
    return ReadOp::create(builder, location, getType(resultType, /*batched=*/false),
                          getAttribute<std::string>(operation, "weight"));
  if (name == "constant") {
    RankedTensorType type = getType(resultType, /*batched=*/false);
    TypedAttr value = type.getElementType().isF32()
                          ? TypedAttr(builder.getF32FloatAttr(getAttribute<double>(operation, "value")))
                          : TypedAttr(builder.getI32IntegerAttr(getAttribute<int64_t>(operation, "value")));
    return ConstantOp::create(builder, location, type, value);
  }
  if (name == "broadcast")
    return importBroadcast(operation);
  if (name == "last")
    return importLast(operation);
  if (name == "dropout")
    return importDropout(operation);
  if (name == "predict") // in no loop that searches
    return build("nn.argmax", get(operation.operands.front()), {});
  if (name == "batch_norm" && seed)
    return importBatchStatistics(operation);

  SmallVector<Value> operands;
  for (dsl::Value operand : operation.operands)
    operands.push_back(get(operand));
  Value first = operands.front();
  const dsl::Type &firstType = typeOf(operation.operands.front());

  if (name == "reshape")
    return ReshapeOp::create(builder, location, getType(resultType, isBatched(nn::getType(first))), first);
  if (name == "sum" || name == "mean" || name == "reduce_max" || name == "reduce_min")
    return importReduction(operation);
  if (name == "avg_pool" && hasFreeDim(firstType))
    return importAveragePool(operation);

  if (takesRowsAlike(name))
    makeAlike(operation, operands);
  if (seed)
    guardOperands(operation, operands);
  SmallVector<NamedAttribute> attributes = convertAttributes(operation, isBatched(nn::getType(operands.front())));
  if (name == "transpose") {
    // The model permutes the fixed dimensions; the others stay in front.
    unsigned leading = getDynamicRank(nn::getType(first));
    SmallVector<int64_t> permutation = llvm::to_vector(llvm::seq<int64_t>(0, leading));
    for (int64_t dim : getAttribute<std::vector<int64_t>>(operation, "permutation"))
      permutation.push_back(leading + dim);
    attributes = {builder.getNamedAttr("permutation", builder.getDenseI64ArrayAttr(permutation))};
  }
  if (name == "conv" && hasFreeDim(firstType))
    operands.front() = mask(first, firstType, 0);
  if (name == "max_pool" && hasFreeDim(firstType)) {
    operands.front() = mask(first, firstType, -std::numeric_limits<double>::infinity());
    Value largest = build("nn.max_pool", operands, attributes);
    // Windows past an example's end have no largest element; gradients sum over their steps, too.
    return seed ? fillPastEnd(largest, resultType, 0) : largest;
  }
  if (name == "reverse") {
    int64_t axis = getAttribute<dsl::Axes>(operation, "axis").dims.front();
    if (!firstType.shape[axis].isFixed())
      operands.push_back(getLengths(firstType.shape[axis]));
  }
  return build(("nn." + name).str(), operands, attributes);
}

Value GraphImporter::importBroadcast(const dsl::Operation &operation) {
  Value value = get(operation.operands.front());
  const dsl::Type &resultType = typeOf(operation.results.front());
  RankedTensorType type = nn::getType(value);
  bool wasBatched = isBatched(type);
  unsigned operandFree = countFree(typeOf(operation.operands.front())), resultFree = countFree(resultType);
  // Only a batch has sequences: what spans time is repeated for each example.
  bool batched = wasBatched || resultFree > 0;
  SmallVector<int64_t> dims;
  for (int64_t dim : getAttribute<dsl::Axes>(operation, "dims").dims)
    dims.push_back(renumber(dim, resultFree, batched));
  if (wasBatched)
    dims.insert(dims.begin() + operandFree, resultFree);
  return BroadcastOp::create(builder, location, getType(resultType, batched), value, dims);
}

/// Reduces the fixed dimensions at once, then each free one within the lengths
/// of the examples: the mean of such means is the mean, as all steps of an
/// example are equally wide.
Value GraphImporter::importReduction(const dsl::Operation &operation) {
  std::string name = "nn." + operation.name;
  Value value = get(operation.operands.front());
  const dsl::Type &type = typeOf(operation.operands.front());
  bool batched = isBatched(nn::getType(value));
  unsigned free = countFree(type);
  SmallVector<int64_t> fixedAxes, freeAxes;
  for (int64_t axis : getAttribute<dsl::Axes>(operation, "axes").dims)
    (axis < static_cast<int64_t>(free) ? freeAxes : fixedAxes).push_back(renumber(axis, free, batched));
  auto reduce = [&](ArrayRef<int64_t> axes, ValueRange operands) {
    value = build(name, operands, builder.getNamedAttr("axes", builder.getDenseI64ArrayAttr(axes)));
  };
  if (!fixedAxes.empty())
    reduce(fixedAxes, value);
  for (int64_t axis : llvm::reverse(freeAxes)) {
    Value lengths = getLengths(type.shape[axis]);
    if (window) {
      if (window->overlaps) // its own steps are the last, which become the first
        value = build("nn.reverse", {value, lengths}, builder.getNamedAttr("axis", builder.getI64IntegerAttr(axis)));
      lengths = window->own;
      name = "nn.sum"; // importWindowLosses divides
    }
    reduce(axis, {value, lengths});
  }
  return value;
}

/// Over time the divisor of an example counts its own steps alone: the mean of
/// the window over the mean of ones in it.
Value GraphImporter::importAveragePool(const dsl::Operation &operation) {
  Value value = get(operation.operands.front());
  const dsl::Type &type = typeOf(operation.operands.front());
  SmallVector<NamedAttribute> attributes = convertAttributes(operation, isBatched(nn::getType(value)));
  if (getAttribute<bool>(operation, "count_padding"))
    return build("nn.avg_pool", mask(value, type, 0), attributes);
  for (NamedAttribute &attribute : attributes)
    if (attribute.getName() == "count_padding")
      attribute.setValue(builder.getBoolAttr(true));
  Value one = ConstantOp::create(builder, location, RankedTensorType::get({}, builder.getF32Type()),
                                 builder.getF32FloatAttr(1));
  Value ones = BroadcastOp::create(builder, location, nn::getType(value), one, ArrayRef<int64_t>());
  Value sum = build("nn.avg_pool", mask(value, type, 0), attributes);
  Value count = build("nn.avg_pool", mask(ones, type, 0), attributes);
  // A window past the end counts nothing: 0 / 0 would spoil gradients that sum over all steps.
  return build("nn.div", {sum, mask(count, typeOf(operation.results.front()), 1)}, {});
}

Value GraphImporter::importLast(const dsl::Operation &operation) {
  Value value = get(operation.operands.front());
  const dsl::Type &type = typeOf(operation.operands.front());
  const dsl::Dim &dim = type.shape.front();
  if (!dim.isFixed())
    return build("nn.last", {value, getLengths(dim)}, {});
  SmallVector<int64_t> starts(type.shape.size(), 0), sizes(getFixedShape(nn::getType(value)));
  starts.front() = dim.size - 1;
  sizes.front() = 1;
  Value step = build("nn.slice", value,
                     {builder.getNamedAttr("starts", builder.getDenseI64ArrayAttr(starts)),
                      builder.getNamedAttr("sizes", builder.getDenseI64ArrayAttr(sizes))});
  RankedTensorType result = getType(typeOf(operation.results.front()), isBatched(nn::getType(value)));
  return ReshapeOp::create(builder, location, result, step);
}

} // namespace nnc
