//===- Paths.cpp - The ways of errors back through a function --------------===//
//
// Ops from the last to the first: an op hands on to each operand what reached its result. Classes and truth values
// carry no error. In a loop the states before a step are the states after the one before it, so its body is gone
// through again with what reached them, as often as there are states: by then everything that can be reached has been.
//
//===----------------------------------------------------------------------===//

#include "compiler/explain/Paths.h"

#include "compiler/autodiff/Autodiff.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;
using namespace nnc::explain;

static constexpr int64_t maxVisits = 10000000;

std::vector<Mark> Way::getMarks() const {
  std::vector<Mark> list;
  for (const Link *link = marks.get(); link; link = link->before.get())
    list.push_back(link->mark);
  std::reverse(list.begin(), list.end());
  return list;
}

//===----------------------------------------------------------------------===//
// What an op does to an error
//===----------------------------------------------------------------------===//

static bool isConstant(Value value) {
  Operation *op = value.getDefiningOp();
  return op && (isa<ConstantOp>(op) || (isa<BroadcastOp>(op) && isConstant(op->getOperand(0))));
}

Paths::Paths(Block &function) {
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op->getNumResults() != 1 || isBatched(nn::getType(op->getResult(0))))
      return;
    // What follows from a batch, such as its mean, is no weight, nor is what a weight makes of it.
    auto isFixed = [&](Value operand) { return getWeight(operand) || isConstant(operand); };
    if (!llvm::all_of(op->getOperands(), isFixed))
      return;
    ReadOp weight = dyn_cast<ReadOp>(op);
    for (Value operand : op->getOperands())
      weight = weight ? weight : getWeight(operand);
    if (weight)
      weights[op->getResult(0)] = weight;
  });
}

/// Whether a choice is between a step and, for an example that has ended, the state before it.
static bool holdsState(SelectOp select) {
  Value condition = select.getCondition();
  if (auto broadcast = condition.getDefiningOp<BroadcastOp>())
    condition = broadcast.getX();
  auto lt = condition.getDefiningOp<LtOp>();
  auto index = lt ? dyn_cast<BlockArgument>(lt->getOperand(0)) : BlockArgument();
  return index && isa<EachOp>(index.getOwner()->getParentOp()) && index.getArgNumber() == 0;
}

/// Whether a factor is a gate: sigmoid, or 1 less one.
static bool isGate(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (isa<SigmoidOp>(op))
    return true;
  if (isa<BroadcastOp, SliceOp, ReshapeOp>(op))
    return isGate(op->getOperand(0));
  if (auto select = dyn_cast<SelectOp>(op))
    return isGate(select.getA());
  auto sub = dyn_cast<SubOp>(op);
  return sub && isConstant(sub->getOperand(0)) && isGate(sub->getOperand(1));
}

static bool carriesError(OpOperand &operand) {
  auto select = dyn_cast<SelectOp>(operand.getOwner());
  if (select && operand.get() == select.getB() && holdsState(select))
    return false;
  return nn::getType(operand.get()).getElementType().isF32();
}

static bool contracts(Operation *op) {
  auto compute = dyn_cast<ComputeOp>(op);
  return isa<EmbedOp>(op) || (compute && (compute.getFamily() == Family::Dense || compute.getFamily() == Family::Conv));
}

/// The way through an op to one of its operands.
Way Paths::pass(Way way, Operation *op, OpOperand &operand) const {
  bool isLayer = contracts(op) && llvm::any_of(op->getOperands(), [&](Value value) { return getWeight(value); });
  // A bias is of the layer that it is added to, which the way does not pass.
  bool entersWeight = getWeight(operand.get()) && !getWeight(op->getResult(0));
  if (isLayer || entersWeight)
    way.add({Mark::Layer, op});
  if (isa<TanhOp, SigmoidOp>(op))
    way.add({Mark::Saturates, op});
  if (isa<MulOp>(op) && isGate(op->getOperand(1 - operand.getOperandNumber())))
    way.add({Mark::Gate, op});
  return way;
}

//===----------------------------------------------------------------------===//
// Ways
//===----------------------------------------------------------------------===//

static void merge(Reaches &reaches, Value value, const Reach &reach, Prefer prefer) {
  auto [place, isNew] = reaches.insert({value, reach});
  if (isNew)
    return;
  auto rank = [&](const Way &way) {
    return prefer == Prefer::FewLayers ? std::pair(way.layers, way.saturations)
                                       : std::pair(way.saturations, way.layers);
  };
  Reach &known = place->second;
  known.longest = std::max(known.longest, reach.longest);
  if (rank(reach.best) < rank(known.best))
    known.best = reach.best;
}

/// Goes through the body for one step, from what reached its yield; gives what is reached.
Reaches Paths::followStep(EachOp loop, const Reaches &outer, ArrayRef<std::optional<Reach>> next, bool isFirst,
                          Prefer prefer) {
  Reaches inside;
  if (isFirst)
    for (auto [result, value] : llvm::zip_equal(loop.getOutputs(), loop.getYield().getOutputs()))
      if (auto found = outer.find(result); found != outer.end())
        merge(inside, value, found->second, prefer);
  for (auto [reach, value] : llvm::zip_equal(next, loop.getYield().getNext()))
    if (reach)
      merge(inside, value, *reach, prefer);
  followBack(loop.getBody().front(), inside, prefer);
  return inside;
}

void Paths::followLoop(EachOp loop, Reaches &outer, Prefer prefer) {
  size_t count = loop.getStarts().size();
  std::vector<std::optional<Reach>> next(count);
  for (auto [index, final] : llvm::enumerate(loop.getFinals()))
    if (auto found = outer.find(final); found != outer.end())
      next[index] = found->second;
  Reaches left; ///< what the loop reads, with the fewest steps back
  std::vector<std::optional<Reach>> starts(count);
  for (size_t step = 0; step <= count + 1; ++step) {
    Reaches inside = followStep(loop, outer, next, step == 0, prefer);
    auto leave = [&](Value value, Reach reach) {
      if (count > 0)
        reach.best.backs.push_back({loop, static_cast<int64_t>(step)});
      auto [place, isNew] = left.insert({value, reach});
      if (!isNew && !place->second.best.backs.empty())
        place->second.best.backs.back().goesOn = true;
    };
    for (auto &[value, reach] : inside)
      if (!loop.getBody().isAncestor(value.getParentRegion()))
        leave(value, reach);
    for (auto [element, sequence] : llvm::zip_equal(loop.getElements(), loop.getSequences()))
      if (auto found = inside.find(element); found != inside.end())
        leave(sequence, found->second);
    bool isReached = false;
    for (auto [index, carried] : llvm::enumerate(loop.getCarried())) {
      auto found = inside.find(carried);
      next[index] = found == inside.end() ? std::nullopt : std::optional(found->second);
      if (next[index] && !starts[index])
        starts[index] = next[index];
      isReached |= next[index].has_value();
    }
    if (!isReached || (step > 0 && visits > maxVisits))
      break;
  }
  for (auto &[value, reach] : left)
    merge(outer, value, reach, prefer);
  for (auto [index, start] : llvm::enumerate(loop.getStarts()))
    if (starts[index]) {
      starts[index]->best.backs.push_back({loop, 0, false, /*leaves=*/true});
      merge(outer, start, *starts[index], prefer);
    }
}

void Paths::followBack(Block &block, Reaches &reaches, Prefer prefer) {
  for (Operation &op : llvm::reverse(block)) {
    ++visits;
    if (auto loop = dyn_cast<EachOp>(op)) {
      if (llvm::any_of(loop->getResults(), [&](Value result) { return reaches.contains(result); }))
        followLoop(loop, reaches, prefer);
      continue;
    }
    auto found = op.getNumResults() == 1 ? reaches.find(op.getResult(0)) : reaches.end();
    if (found == reaches.end())
      continue;
    Reach reach = found->second;
    for (OpOperand &operand : op.getOpOperands()) {
      if (!carriesError(operand))
        continue;
      Way way = pass(reach.best, &op, operand);
      merge(reaches, operand.get(), {way, reach.longest + way.layers - reach.best.layers}, prefer);
    }
  }
}

std::vector<std::vector<std::optional<Way>>> Paths::followStates(EachOp loop) {
  size_t count = loop.getStarts().size();
  std::vector<std::vector<std::optional<Way>>> ways(count, std::vector<std::optional<Way>>(count));
  for (size_t after = 0; after < count; ++after) {
    if (isStatistic(loop.getStarts()[after]))
      continue;
    std::vector<std::optional<Reach>> next(count);
    next[after].emplace();
    Reaches inside = followStep(loop, {}, next, /*isFirst=*/false, Prefer::FewSaturations);
    for (auto [before, carried] : llvm::enumerate(loop.getCarried()))
      if (auto found = inside.find(carried); found != inside.end())
        ways[after][before] = found->second.best;
  }
  return ways;
}
