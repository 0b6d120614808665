//===- Stage.cpp - Loops over segments of sequences -----------------------===//

#include "compiler/passes/Stage.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

bool Steps::isIn(Value value) const {
  return llvm::any_of(getExtents(getType(value)), [&](const Extent &extent) { return has(extent); });
}

bool Steps::isSequence(Value value) const {
  Extents extents = getExtents(getType(value));
  return !extents.empty() && extents.front() == Extent(length) &&
         llvm::none_of(ArrayRef(extents).drop_front(), [&](const Extent &extent) { return has(extent); });
}

RankedTensorType Steps::getSegmentType(Value sequence) const {
  Extents extents = getExtents(getType(sequence));
  extents.front() = steps;
  return getTensorType(getType(sequence).getElementType(), extents);
}

RankedTensorType Steps::getSplitType(Value sequence) const {
  Extents extents = getExtents(getSegmentType(sequence));
  extents.insert(extents.begin(), getSegments());
  return getTensorType(getType(sequence).getElementType(), extents);
}

bool Steps::has(const Extent &extent) const {
  return extent.isDynamic() && llvm::any_of(parseProduct(extent.name),
                                            [&](const Length &factor) { return factor.symbol == length.getValue(); });
}

//===----------------------------------------------------------------------===//
// What can be in a segment
//===----------------------------------------------------------------------===//

static bool hasAxis0(Operation *op, StringRef name) {
  auto axes = op->getAttrOfType<DenseI64ArrayAttr>(name);
  return axes && llvm::is_contained(axes.asArrayRef(), 0);
}

/// Whether a window moves over time.
static bool looksAcross(Operation *op) {
  auto strides = op->getAttrOfType<DenseI64ArrayAttr>("strides");
  return strides && getFixedShape(getType(op->getOperand(0))).size() != static_cast<size_t>(strides.size()) + 1;
}

/// Whether a step of the result follows from that step of the operands.
bool Steps::isStepwise(Operation *op) const {
  if (!isa<ComputeOp, ReshapeOp, BroadcastOp>(op) || !isSequence(op->getResult(0)) ||
      op->hasTrait<nn::OpTrait::SumsRows>() ||
      isa<LastOp, TimeMajorOp, BatchMajorOp, DelayOp, CountOp, ExtentOp, SegmentOp, SplitStepsOp, JoinStepsOp>(op))
    return false;
  if (auto reverse = dyn_cast<ReverseOp>(op); reverse && reverse.getAxis() == 0)
    return false;
  if (auto transpose = dyn_cast<TransposeOp>(op); transpose && transpose.getPermutation().front() != 0)
    return false;
  auto fits = [&](Value operand) { return isSequence(operand) || !isIn(operand); };
  return !hasAxis0(op, "axes") && !looksAcross(op) && llvm::all_of(op->getOperands(), fits) &&
         llvm::any_of(op->getOperands(), [&](Value operand) { return isSequence(operand); });
}

/// Whether a state stays where nothing chooses another.
static bool canStay(Value next, Value carried) {
  if (next == carried)
    return true;
  if (auto select = next.getDefiningOp<SelectOp>())
    return canStay(select.getB(), carried);
  auto loop = next.getDefiningOp<EachOp>();
  unsigned index = loop ? cast<OpResult>(next).getResultNumber() : 0;
  if (!loop || index < loop.getOutputs().size())
    return false;
  index -= loop.getOutputs().size();
  return canStay(loop.getStarts()[index], carried) &&
         canStay(loop.getYield().getNext()[index], loop.getCarried()[index]);
}

/// Whether a loop goes over the steps, and an example that has ended keeps its states.
bool Steps::isLoop(EachOp loop) const {
  if (loop.getTripAttr() != length || loop.getBackward() || loop.getYield().getUntil())
    return false;
  for (auto [next, carried] : llvm::zip_equal(loop.getYield().getNext(), loop.getCarried()))
    if (!canStay(next, carried))
      return false;
  return llvm::all_of(loop->getOperands(), [&](Value operand) { return isSequence(operand) || !isIn(operand); }) &&
         llvm::all_of(loop.getOutputs(), [&](Value output) { return isSequence(output); });
}

/// Whether the value of all steps is made of the values of segments.
bool Steps::isReduction(Operation *op) const {
  if (!isa<SumOp, MeanOp, LastOp>(op) || !isSequence(op->getOperand(0)) || !isBatched(getType(op->getOperand(0))))
    return false;
  bool hasLengths = op->getNumOperands() > 1;
  return isa<LastOp>(op) ? hasLengths
                         : hasAxis0(op, "axes") && (hasLengths || isa<SumOp>(op)) &&
                               (!hasLengths || op->getAttrOfType<DenseI64ArrayAttr>("axes").size() == 1);
}

//===----------------------------------------------------------------------===//
// One stage
//===----------------------------------------------------------------------===//

void StageBuilder::add(Operation *op) {
  location = op->getLoc();
  if (auto loop = dyn_cast<EachOp>(op))
    addLoop(loop);
  else if (steps.isReduction(op))
    addReduction(op);
  else
    addStepwise(op);
}

Value StageBuilder::fill(OpBuilder &at, RankedTensorType type, double value) {
  TypedAttr number = type.getElementType().isF32()
                         ? TypedAttr(builder.getF32FloatAttr(static_cast<float>(value)))
                         : TypedAttr(builder.getIntegerAttr(type.getElementType(), static_cast<int64_t>(value)));
  Value scalar = ConstantOp::create(at, location, RankedTensorType::get({}, type.getElementType()), number);
  return type.getRank() == 0 ? scalar : Value(BroadcastOp::create(at, location, type, scalar, ArrayRef<int64_t>()));
}

Value StageBuilder::getLocal(Value lengths) {
  Value &local = locals[lengths];
  if (local)
    return local;
  Value begin = getFirst();
  return local = atStart([&] {
           Value zero = fill(inside, RankedTensorType::get({}, builder.getI32Type()), 0);
           Value left = make<MaxOp>({make<SubOp>({lengths, begin}), zero});
           return make<MinOp>({left, getExtent(steps.getSteps())});
         });
}

/// A value in the body.
Value StageBuilder::get(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  if (!steps.isIn(value))
    return value;
  Operation *op = value.getDefiningOp();
  if (op && isMadeWhereRead(op)) {
    Value made = makeInside(op);
    mapping.map(value, made);
    return made;
  }
  Value segments = stacked.lookup(value);
  if (!segments)
    segments = makeDeclared<SplitStepsOp>(builder, steps.getSplitType(value), value);
  sequences.push_back(segments);
  Value element = body->insertArgument(sequences.size(), steps.getSegmentType(value), location);
  mapping.map(value, element);
  return element;
}

Value StageBuilder::makeInside(Operation *op) {
  if (auto major = dyn_cast<TimeMajorOp>(op))
    return makeDeclared<SegmentOp>(inside, steps.getSegmentType(major.getResult()), {major.getX(), getFirst()},
                                   integer("axis", 1));
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return BroadcastOp::create(inside, op->getLoc(), steps.getSegmentType(broadcast.getResult()), get(broadcast.getX()),
                               broadcast.getDims());
  addStepwise(op);
  return mapping.lookup(op->getResult(0));
}

void StageBuilder::addStepwise(Operation *op) {
  IRMapping operands;
  for (Value operand : op->getOperands())
    operands.map(operand, get(operand));
  if (auto mask = dyn_cast<MaskOp>(op); mask && mask.getAxis() == 0)
    operands.map(mask.getLengths(), getLocal(mask.getLengths()));
  Value result = op->getResult(0);
  Operation *copy = inside.clone(*op, operands);
  copy->getResult(0).setType(steps.getSegmentType(result));
  // Each segment draws other elements.
  if (auto dropout = dyn_cast<DropoutOp>(copy); dropout && !dropout.getStep())
    dropout.getStepMutable().assign(body->getArgument(0));
  mapping.map(result, copy->getResult(0));
}

/// The same loop over the steps of a segment, which count on.
void StageBuilder::addLoop(EachOp loop) {
  SmallVector<Value> segments, before;
  for (Value sequence : loop.getSequences())
    segments.push_back(get(sequence));
  Region copy;
  IRMapping captured;
  loop.getBody().cloneInto(&copy, captured);
  BlockArgument index = copy.front().getArgument(0);
  if (!index.use_empty()) {
    OpBuilder::InsertionGuard guard(inside);
    Value begin = getFirst();
    inside.setInsertionPointToStart(&copy.front());
    Value counted = make<AddOp>({begin, index});
    index.replaceAllUsesExcept(counted, counted.getDefiningOp());
  }
  unsigned base = starts.size();
  for (auto [start, final] : llvm::zip_equal(loop.getStarts(), loop.getFinals()))
    results.push_back({final, addState(start), {}});
  for (unsigned state = base; state < starts.size(); ++state)
    before.push_back(getCarried(state));
  EachOp segment = EachOp::make(inside, loop.getLoc(), steps.getSteps(), /*backward=*/false, segments, before, copy);
  for (auto [index, final] : llvm::enumerate(segment.getFinals()))
    next[base + index] = final;
  mapping.map(loop.getOutputs(), segment.getOutputs());
}

/// What a segment contributes to a sum, or the last of its steps.
Value StageBuilder::makePart(Operation *op) {
  Value x = get(op->getOperand(0));
  if (auto last = dyn_cast<LastOp>(op))
    return make<LastOp>({x, getLocal(last.getLengths())});
  NamedAttribute axes = builder.getNamedAttr("axes", op->getAttr("axes"));
  if (op->getNumOperands() > 1)
    return make<SumOp>({x, getLocal(op->getOperand(1))}, axes);
  // Steps behind all others count nothing.
  if (!all)
    all = atStart([&] { return getExtent(steps.getLength()); });
  auto type = getTensorType(builder.getI32Type(), Extent(builder.getStringAttr(batchName)));
  Value lengths = BroadcastOp::create(inside, location, type, getLocal(all), ArrayRef<int64_t>());
  Value masked =
      make<MaskOp>({x, lengths}, {integer("axis", 0), builder.getNamedAttr("fill", builder.getF64FloatAttr(0))});
  return make<SumOp>(masked, axes);
}

void StageBuilder::addReduction(Operation *op) {
  RankedTensorType type = getType(op->getResult(0));
  unsigned state = addState(fill(builder, type, 0));
  Value lengths = op->getNumOperands() > 1 ? op->getOperand(1) : Value();
  Value part = makePart(op);
  if (isa<LastOp>(op)) {
    Value zero = fill(inside, RankedTensorType::get({}, builder.getI32Type()), 0);
    Value has = make<LtOp>({zero, getLocal(lengths)});
    Extents extents = getExtents(type);
    int64_t dim = llvm::find(extents, Extent(builder.getStringAttr(batchName))) - extents.begin();
    has =
        BroadcastOp::create(inside, location, getTensorType(builder.getI1Type(), extents), has, ArrayRef<int64_t>(dim));
    next[state] = make<SelectOp>({has, part, getCarried(state)});
  } else {
    next[state] = make<AddOp>({getCarried(state), part});
  }
  results.push_back({op->getResult(0), state, isa<MeanOp>(op) ? lengths : Value()});
}

/// sum / max(lengths, 1).
static Value divide(OpBuilder &builder, Location location, Value sum, Value lengths) {
  Value one = ConstantOp::create(builder, location, RankedTensorType::get({}, builder.getF32Type()),
                                 builder.getF32FloatAttr(1));
  Value steps = createInferred<ToFloatOp>(builder, location, lengths);
  steps = createInferred<MaxOp>(builder, location, {steps, one});
  Extents extents = getExtents(getType(sum));
  int64_t dim = llvm::find(extents, Extent(builder.getStringAttr(batchName))) - extents.begin();
  auto type = getTensorType(builder.getF32Type(), extents);
  if (type != getType(steps))
    steps = BroadcastOp::create(builder, location, type, steps, ArrayRef<int64_t>(dim));
  return createInferred<DivOp>(builder, location, {sum, steps});
}

void StageBuilder::finish() {
  SmallVector<Value> yielded;
  for (Value output : outputs)
    yielded.push_back(mapping.lookup(output));
  inside.setInsertionPointToEnd(body);
  YieldOp::create(inside, location, next, yielded, Value());
  EachOp loop = EachOp::make(builder, location, steps.getSegments(), /*backward=*/false, sequences, starts, region);
  loop.setSegments(true);
  for (auto [output, segments] : llvm::zip_equal(outputs, loop.getOutputs()))
    stacked[output] = segments;
  for (Result &result : results) {
    Value final = loop.getFinals()[result.state];
    if (result.lengths)
      final = divide(builder, result.value.getLoc(), final, result.lengths);
    result.value.replaceAllUsesWith(final);
  }
}
