//===- Segments.cpp - The derivative of a loop over segments --------------===//
//
// A loop backwards, whose body is the forward body once more, and its derivative. Of
// the loop forward it needs the states before each segment and nothing else (Chen et
// al. 2016: checkpoints), so that what the derivative reads of a segment is gone when
// the next one is computed.
//
// What the body reads from outside (a weight, say) gets a contribution in every
// segment, which a state adds up. A sum that the loop forward has for its result alone
// (of losses) moves into the loop backwards, which computes its terms anyway: what is
// left of the loop forward is what states need.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/Autodiff.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

/// The adjoints of a segment, beside which they are built.
class SegmentAdjoints : public Adjoints {
public:
  SegmentAdjoints(Adjoints &outer, OpBuilder &inside, Region &region)
      : Adjoints(inside, outer.getActive()), outer(outer), region(region) {}

  Value primal(Value value) override { return isInside(value) ? value : outer.primal(value); }

  void add(Value value, Value cotangent) override {
    if (isInside(value))
      return Adjoints::add(value, cotangent);
    if (!isActive(value))
      return;
    cotangent = sumRepetitions(value, cotangent);
    Value &gathered = contributions[value];
    gathered = gathered ? plus(gathered, cotangent) : cotangent;
  }

  llvm::MapVector<Value, Value> contributions; ///< to what is outside

private:
  bool isInside(Value value) { return region.isAncestor(value.getParentRegion()); }

  Adjoints &outer;
  Region &region;
};

/// Builds the derivative of one loop over segments.
class SegmentDifferentiator {
public:
  SegmentDifferentiator(Adjoints &outer, EachOp loop)
      : outer(outer), loop(loop), inside(loop.getContext()), draft(makeDraft()), body(draft.getBody().front()),
        adjoints(outer, inside, draft.getBody()) {
    body.addArgument(loop.getIndex().getType(), loop.getLoc());
  }

  LogicalResult run();

private:
  /// Holds the body while it is written: ops ask in which loops they are.
  EachOp makeDraft() {
    OperationState state(loop.getLoc(), EachOp::getOperationName());
    state.addAttribute("trip", loop.getTripAttr());
    auto &properties = state.getOrAddProperties<EachOp::Properties>();
    properties.operandSegmentSizes = properties.resultSegmentSizes = {0, 0};
    state.addRegion()->emplaceBlock();
    return cast<EachOp>(outer.builder.create(state));
  }
  Value addElement(Value sequence, RankedTensorType type) {
    sequences.push_back(sequence);
    return body.insertArgument(sequences.size(), type, loop.getLoc());
  }
  Value addState(Value start) {
    starts.push_back(start);
    return body.addArgument(getType(start), loop.getLoc());
  }
  void keepStates();
  void cloneBody();
  void seed();
  void yieldCotangents();
  void moveSums();
  bool isSumOnly(unsigned state);
  llvm::SetVector<Operation *> findReaders(Value value);
  void spread();

  Adjoints &outer;
  EachOp loop;
  OpBuilder inside;
  EachOp draft;
  Block &body;
  SegmentAdjoints adjoints;
  IRMapping mapping; ///< from the body forward
  EachOp backward;

  SmallVector<unsigned> activeStates;                         ///< of the loop forward
  SmallVector<Value> sequences, starts, next, outputs;        ///< of the loop backwards
  SmallVector<std::pair<unsigned, unsigned>> sequenceOutputs; ///< sequence forward, output
  SmallVector<std::pair<Value, unsigned>> sums; ///< a value outside, or the result of a sum, and its state
  SmallVector<unsigned> moved;                  ///< states forward that the loop backwards sums
};

} // namespace

//===----------------------------------------------------------------------===//
// The segment once more
//===----------------------------------------------------------------------===//

/// Lets the loop forward stack its states before each segment.
void SegmentDifferentiator::keepStates() {
  SmallVector<Value> stacked(loop.getYield().getOutputs());
  unsigned first = stacked.size();
  llvm::append_range(stacked, loop.getCarried());
  loop.getYield().getOutputsMutable().assign(stacked);
  loop = remakeLoop(outer, loop);
  for (auto [element, sequence] : llvm::zip_equal(loop.getElements(), loop.getSequences()))
    mapping.map(element, addElement(outer.primal(sequence), getType(element)));
  for (auto [carried, states] : llvm::zip_equal(loop.getCarried(), loop.getOutputs().drop_front(first)))
    mapping.map(carried, addElement(outer.primal(states), getType(carried)));
}

void SegmentDifferentiator::cloneBody() {
  mapping.map(loop.getIndex(), body.getArgument(0));
  inside.setInsertionPointToEnd(&body);
  for (Operation &op : loop.getBody().front())
    inside.clone(op, mapping);
  ActiveValues &active = outer.getActive();
  for (auto [from, to] : mapping.getValueMap())
    if (active.contains(from))
      active.insert(to);
}

/// The cotangents of outputs come segment by segment, those of states from the segment
/// after.
void SegmentDifferentiator::seed() {
  auto yield = cast<YieldOp>(body.getTerminator());
  inside.setInsertionPoint(yield);
  SmallVector<std::pair<Value, Value>> seeds;
  for (auto [output, value] : llvm::zip(loop.getOutputs(), yield.getOutputs()))
    if (Value cotangent = outer.get(output))
      seeds.emplace_back(value, addElement(cotangent, getType(value)));
  for (auto [index, final] : llvm::enumerate(loop.getFinals()))
    if (outer.isActive(final)) {
      activeStates.push_back(index);
      seeds.emplace_back(yield.getNext()[index], addState(outer.getOrZero(final)));
    }
  for (auto [value, cotangent] : seeds)
    adjoints.add(value, cotangent);
}

void SegmentDifferentiator::yieldCotangents() {
  for (unsigned state : activeStates)
    next.push_back(adjoints.getOrZero(mapping.lookup(loop.getCarried()[state])));
  for (auto &[value, contribution] : adjoints.contributions) {
    auto type = getTensorType(getType(contribution).getElementType(), getExtents(getType(contribution)));
    sums.emplace_back(value, starts.size());
    next.push_back(adjoints.plus(addState(outer.fill(0, type)), contribution));
  }
  for (auto [index, element] : llvm::enumerate(loop.getElements()))
    if (Value cotangent = adjoints.get(mapping.lookup(element))) {
      sequenceOutputs.emplace_back(index, outputs.size());
      outputs.push_back(cotangent);
    }
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// Whether a state is the sum of a term of each segment, which nothing in the loop reads.
bool SegmentDifferentiator::isSumOnly(unsigned state) {
  Value carried = loop.getCarried()[state];
  auto add = loop.getYield().getNext()[state].getDefiningOp<AddOp>();
  return add && add->hasOneUse() && add.getA() == carried &&
         llvm::all_of(carried.getUsers(), [&](Operation *user) { return user == add || isa<YieldOp>(user); });
}

/// The ops of the function that follow from a value.
llvm::SetVector<Operation *> SegmentDifferentiator::findReaders(Value value) {
  llvm::SetVector<Operation *> readers;
  SmallVector<Value> worklist{value};
  while (!worklist.empty())
    for (Operation *user : worklist.pop_back_val().getUsers()) {
      Operation *op = loop->getBlock()->findAncestorOpInBlock(*user);
      if (op && !op->hasTrait<mlir::OpTrait::IsTerminator>() && readers.insert(op))
        llvm::append_range(worklist, op->getResults());
    }
  return readers;
}

/// Sums that the derivative does not follow from.
void SegmentDifferentiator::moveSums() {
  auto yield = cast<YieldOp>(body.getTerminator());
  for (auto [state, final] : llvm::enumerate(loop.getFinals())) {
    if (!isSumOnly(state) || final.use_empty())
      continue;
    llvm::SetVector<Operation *> readers = findReaders(final);
    auto follows = [&](Value value) { return readers.contains(value.getDefiningOp()); };
    if (llvm::any_of(sequences, follows) || llvm::any_of(starts, follows))
      continue;
    auto add = yield.getNext()[state].getDefiningOp<AddOp>();
    sums.emplace_back(final, starts.size());
    moved.push_back(state);
    Value before = addState(loop.getStarts()[state]);
    adjoints.location = add.getLoc();
    next.push_back(adjoints.plus(before, add.getB()));
  }
}

//===----------------------------------------------------------------------===//
// The loop backwards
//===----------------------------------------------------------------------===//

/// Hands the cotangents on to what the loop forward read, and the sums to what reads
/// them, which comes after the loop now.
void SegmentDifferentiator::spread() {
  for (auto [sequence, output] : sequenceOutputs)
    outer.add(loop.getSequences()[sequence], backward.getOutputs()[output]);
  for (auto [index, state] : llvm::enumerate(activeStates))
    outer.add(loop.getStarts()[state], backward.getFinals()[index]);
  size_t contributions = sums.size() - moved.size();
  for (auto [value, state] : ArrayRef(sums).take_front(contributions))
    outer.add(value, backward.getFinals()[state]);
  for (auto [value, state] : ArrayRef(sums).drop_front(contributions)) {
    SmallVector<Operation *> readers = findReaders(value).takeVector();
    llvm::sort(readers, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    Operation *last = backward;
    for (Operation *reader : readers)
      if (reader->isBeforeInBlock(backward)) {
        reader->moveAfter(last);
        last = reader;
      }
    value.replaceAllUsesWith(backward.getFinals()[state]);
  }
}

LogicalResult SegmentDifferentiator::run() {
  adjoints.location = outer.location = loop.getLoc();
  keepStates();
  cloneBody();
  seed();
  if (failed(differentiateBlock(body, adjoints)))
    return failure();
  adjoints.location = outer.location = loop.getLoc();
  yieldCotangents();
  moveSums();
  body.getTerminator()->erase();
  inside.setInsertionPointToEnd(&body);
  YieldOp::create(inside, loop.getLoc(), next, outputs, Value());
  backward = EachOp::make(outer.builder, loop.getLoc(), loop.getTripAttr(), /*backward=*/true, sequences, starts,
                          draft.getBody());
  draft.erase();
  spread();
  return success();
}

LogicalResult nnc::differentiateSegments(Adjoints &adjoints, EachOp loop) {
  return SegmentDifferentiator(adjoints, loop).run();
}
