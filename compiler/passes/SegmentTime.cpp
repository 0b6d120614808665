//===- SegmentTime.cpp - Go through sequences in segments -----------------===//
//
// Of a train block that keeps checkpoints. What treats the steps of a length one by
// one, and loops over it, become the body of a loop over segments; its states are
// those of the loops, and the sums over the steps so far. On the way back each
// segment is computed anew (autodiff/Segments.cpp), so that only states outlive it.
//
// Not everything can be in one loop: what follows from a sum over all steps, or looks
// across them (`reverse`), comes after it. So each op gets a stage, and each stage is
// a loop over the same segments. What other stages read of it is stacked, as without
// segments. Constants, repeats and the caller's sequences are made where they are read.
//
// The last segment may go past the longest example. Nothing comes of it: a state of
// which an example has ended stays, and what is summed or stacked is masked or cut.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"

namespace nnc {
#define GEN_PASS_DEF_SEGMENTTIME
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

/// What is known of one length of one function.
class Steps {
public:
  explicit Steps(StringAttr length) : length(length), steps(rename(getStepsName(length))) {}

  StringAttr getSegments() const { return rename(getSegmentsName(length)); }
  StringAttr getSteps() const { return steps; }
  StringAttr getLength() const { return length; }

  /// Whether a value has the length anywhere in its shape.
  bool isIn(Value value) const {
    return llvm::any_of(getExtents(getType(value)), [&](const Extent &extent) { return has(extent); });
  }

  /// Whether a value is a sequence: a step after the other, and nothing else of them.
  bool isSequence(Value value) const {
    Extents extents = getExtents(getType(value));
    return !extents.empty() && extents.front() == Extent(length) &&
           llvm::none_of(ArrayRef(extents).drop_front(), [&](const Extent &extent) { return has(extent); });
  }

  /// The type of one segment of a sequence.
  RankedTensorType getSegmentType(Value sequence) const {
    Extents extents = getExtents(getType(sequence));
    extents.front() = steps;
    return getTensorType(getType(sequence).getElementType(), extents);
  }

  /// The type of all segments.
  RankedTensorType getSplitType(Value sequence) const {
    Extents extents = getExtents(getSegmentType(sequence));
    extents.insert(extents.begin(), getSegments());
    return getTensorType(getType(sequence).getElementType(), extents);
  }

  bool isStepwise(Operation *op) const;
  bool isLoop(EachOp loop) const;
  bool isReduction(Operation *op) const;

private:
  StringAttr rename(StringRef name) const { return StringAttr::get(length.getContext(), name); }
  bool has(const Extent &extent) const {
    return extent.isDynamic() && llvm::any_of(parseProduct(extent.name),
                                              [&](const Length &factor) { return factor.symbol == length.getValue(); });
  }

  StringAttr length, steps;
};

} // namespace

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

namespace {

/// Moves into loops over segments what one function has of one length.
class Segmenter {
public:
  Segmenter(func::FuncOp function, StringAttr length)
      : block(function.getBody().front()), steps(length), builder(block.getTerminator()) {}

  /// Says whether there was a loop that carries states.
  bool run() {
    findStages();
    bool carries = llvm::any_of(stages, [](auto &entry) {
      auto loop = dyn_cast<EachOp>(entry.first);
      return loop && !loop.getStarts().empty();
    });
    if (!carries)
      return false;
    for (unsigned stage = 0; stage <= count; ++stage) {
      for (Operation *op : outside)
        if (levels.lookup(op) == stage)
          op->moveBefore(block.getTerminator());
      if (stage < count)
        build(stage);
    }
    for (auto &[op, stage] : llvm::reverse(stages))
      op->erase();
    return true;
  }

private:
  bool isMadeWhereRead(Operation *op) const;
  void findStages();
  unsigned getLevel(Value value);
  void build(unsigned stage);
  bool isReadElsewhere(Value value, unsigned stage);

  Block &block;
  Steps steps;
  OpBuilder builder;
  llvm::MapVector<Operation *, unsigned> stages; ///< of ops that move
  DenseMap<Operation *, unsigned> levels;        ///< of others: the first stage that can read them
  SmallVector<Operation *> outside;              ///< those others, in order
  unsigned count = 0;                            ///< of the stages
  llvm::MapVector<Value, Value> stacked;         ///< a sequence that moved: the segments of its stage's loop
};

/// Builds one stage's loop.
class StageBuilder {
public:
  StageBuilder(const Steps &steps, OpBuilder &builder, llvm::MapVector<Value, Value> &stacked,
               std::function<bool(Operation *)> isMadeWhereRead)
      : steps(steps), builder(builder), stacked(stacked), isMadeWhereRead(std::move(isMadeWhereRead)),
        inside(builder.getContext()) {
    body = &region.emplaceBlock();
    body->addArgument(RankedTensorType::get({}, builder.getI32Type()), builder.getUnknownLoc());
    inside.setInsertionPointToEnd(body);
  }

  void add(Operation *op) {
    location = op->getLoc();
    if (auto loop = dyn_cast<EachOp>(op))
      addLoop(loop);
    else if (steps.isReduction(op))
      addReduction(op);
    else
      addStepwise(op);
  }

  /// Lets a sequence leave the loop.
  void addOutput(Value value) { outputs.push_back(value); }

  void finish();

private:
  template <typename OpTy> Value make(ValueRange operands, ArrayRef<NamedAttribute> attributes = {}) {
    return createInferred<OpTy>(inside, location, operands, attributes)->getResult(0);
  }
  template <typename OpTy>
  Value makeDeclared(OpBuilder &at, RankedTensorType type, ValueRange operands,
                     ArrayRef<NamedAttribute> attributes = {}) {
    return OpTy::create(at, location, TypeRange(type), operands, attributes)->getResult(0);
  }
  NamedAttribute integer(StringRef name, int64_t value) {
    return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
  }
  Value fill(OpBuilder &at, RankedTensorType type, double value) {
    TypedAttr number = type.getElementType().isF32()
                           ? TypedAttr(builder.getF32FloatAttr(static_cast<float>(value)))
                           : TypedAttr(builder.getIntegerAttr(type.getElementType(), static_cast<int64_t>(value)));
    Value scalar = ConstantOp::create(at, location, RankedTensorType::get({}, type.getElementType()), number);
    return type.getRank() == 0 ? scalar : Value(BroadcastOp::create(at, location, type, scalar, ArrayRef<int64_t>()));
  }
  /// How many steps a name stands for, as a class.
  Value getExtent(StringAttr name) {
    return make<ExtentOp>(fill(inside, getTensorType(builder.getF32Type(), Extent(name)), 0), integer("axis", 0));
  }
  /// The first step of the segment, counted over all of them.
  Value getFirst() {
    if (!first)
      first = atStart([&] { return make<MulOp>({body->getArgument(0), getExtent(steps.getSteps())}); });
    return first;
  }
  /// How many of so many steps are in the segment.
  Value getLocal(Value lengths) {
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
  /// Builds what does not depend on ops of the body before these, once `getFirst` is there.
  template <typename Fn> Value atStart(Fn write) {
    OpBuilder::InsertionGuard guard(inside);
    inside.setInsertionPoint(body, prefix ? std::next(prefix->getIterator()) : body->begin());
    Value value = write();
    prefix = value.getDefiningOp();
    return value;
  }

  Value get(Value value);
  Value makeInside(Operation *op);
  unsigned addState(Value start) {
    starts.push_back(start);
    body->addArgument(start.getType(), location);
    next.emplace_back();
    return starts.size() - 1;
  }
  Value getCarried(unsigned state) { return body->getArgument(1 + sequences.size() + state); }
  void addLoop(EachOp loop);
  void addReduction(Operation *op);
  void addStepwise(Operation *op);
  Value makePart(Operation *op);

  const Steps &steps;
  OpBuilder &builder;                     ///< where the loop goes
  llvm::MapVector<Value, Value> &stacked; ///< of sequences of stages before
  std::function<bool(Operation *)> isMadeWhereRead;
  OpBuilder inside;
  Region region;
  Block *body;
  Operation *prefix = nullptr;
  Location location = builder.getUnknownLoc();
  IRMapping mapping;
  Value first, all;
  DenseMap<Value, Value> locals;
  SmallVector<Value> sequences, starts, next, outputs;
  struct Result {
    Value value; ///< outside
    unsigned state;
    Value lengths; ///< of a mean: it is still to be divided
  };
  SmallVector<Result> results;
};

} // namespace

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

/// What each stage makes for itself: what is the same in every step, and the caller's
/// sequences.
bool Segmenter::isMadeWhereRead(Operation *op) const {
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return !steps.isIn(broadcast.getX());
  if (auto major = dyn_cast<TimeMajorOp>(op))
    return major.getSteps() == 1 && isa<BlockArgument>(major.getX()) && steps.isSequence(major.getResult());
  auto mask = dyn_cast<MaskOp>(op);
  Operation *masked = mask ? mask.getX().getDefiningOp() : nullptr;
  return masked && !isa<BroadcastOp>(masked) && steps.isStepwise(op) && isMadeWhereRead(masked);
}

/// The first stage after which a value can be read as a whole.
unsigned Segmenter::getLevel(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != &block)
    return 0;
  auto moved = stages.find(op);
  return moved == stages.end() ? levels.lookup(op) : moved->second + 1;
}

void Segmenter::findStages() {
  for (Operation &op : block.without_terminator()) {
    auto loop = dyn_cast<EachOp>(op);
    bool moves = !isMadeWhereRead(&op) && (loop ? steps.isLoop(loop) : steps.isStepwise(&op) || steps.isReduction(&op));
    unsigned stage = 0;
    op.walk([&](Operation *nested) {
      for (Value operand : nested->getOperands()) {
        auto moved =
            nested == &op && moves && steps.isSequence(operand) ? stages.find(operand.getDefiningOp()) : stages.end();
        stage = std::max(stage, moved == stages.end() ? getLevel(operand) : moved->second);
      }
    });
    if (moves) {
      stages[&op] = stage;
      count = std::max(count, stage + 1);
    } else {
      levels[&op] = stage;
      outside.push_back(&op);
    }
  }
}

/// Whether anything but the stage's own ops reads a sequence, or one of them reads it
/// as a whole.
bool Segmenter::isReadElsewhere(Value value, unsigned stage) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    auto moved = stages.find(user);
    return moved == stages.end() || moved->second != stage;
  });
}

void Segmenter::build(unsigned stage) {
  StageBuilder loop(steps, builder, stacked, [&](Operation *op) { return isMadeWhereRead(op); });
  for (auto &[op, where] : stages)
    if (where == stage)
      loop.add(op);
  for (auto &[op, where] : stages)
    if (where == stage)
      for (Value result : op->getResults())
        if (steps.isSequence(result) && isReadElsewhere(result, stage))
          loop.addOutput(result);
  loop.finish();
  // As a whole where an op outside, or in a body, reads it.
  for (auto &[value, segments] : stacked) {
    auto readsWhole = [&](OpOperand &use) { return !stages.contains(use.getOwner()); };
    if (llvm::none_of(value.getUses(), readsWhole))
      continue;
    Value whole = JoinStepsOp::create(builder, value.getLoc(), TypeRange(value.getType()), ValueRange(segments));
    Value(value).replaceUsesWithIf(whole, readsWhole);
  }
}

//===----------------------------------------------------------------------===//
// One stage
//===----------------------------------------------------------------------===//

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

namespace {

struct SegmentTimePass : nnc::impl::SegmentTimeBase<SegmentTimePass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      auto train = function->getAttrOfType<DictionaryAttr>("nn.train");
      auto checkpoint = train ? train.getAs<IntegerAttr>("checkpoint") : IntegerAttr();
      if (!checkpoint || checkpoint.getInt() == 0)
        continue;
      bool carries = false;
      for (unsigned index = 0; index < function.getNumArguments(); ++index)
        if (auto length = function.getArgAttrOfType<StringAttr>(index, "nn.lengths"))
          carries |= Segmenter(function, length).run();
      if (!carries)
        function.emitWarning(
            "`bptt = checkpoint` changes nothing: there is no loop over a length that carries a state");
    }
  }
};

} // namespace
