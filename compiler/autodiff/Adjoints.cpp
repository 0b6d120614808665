//===- Adjoints.cpp - The cotangents of a block's values ------------------===//

#include "compiler/autodiff/Autodiff.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

//===----------------------------------------------------------------------===//
// Cotangents
//===----------------------------------------------------------------------===//

void Adjoints::add(Value value, Value cotangent) {
  if (!isActive(value))
    return;
  cotangent = sumRepetitions(value, cotangent);
  Value &gathered = cotangents[value];
  gathered = gathered ? plus(gathered, cotangent) : cotangent;
}

Value Adjoints::sumRepetitions(Value value, Value cotangent) {
  int64_t repeated = nn::getType(cotangent).getRank() - nn::getType(value).getRank();
  return repeated > 0 ? sum(cotangent, llvm::to_vector(llvm::seq<int64_t>(0, repeated))) : cotangent;
}

Value Adjoints::getOrZero(Value value) {
  if (Value gathered = get(value))
    return gathered;
  return fill(0, nn::getType(value));
}

void Adjoints::replace(Value from, Value to) {
  if (active.erase(from))
    active.insert(to);
  if (Value gathered = cotangents.lookup(from)) {
    cotangents.erase(from);
    cotangents[to] = gathered;
  }
}

//===----------------------------------------------------------------------===//
// What derivatives are built of
//===----------------------------------------------------------------------===//

Value Adjoints::number(double value) {
  auto type = RankedTensorType::get({}, builder.getF32Type());
  return ConstantOp::create(builder, location, type, builder.getF32FloatAttr(static_cast<float>(value)));
}

Value Adjoints::fill(double value, RankedTensorType type) {
  if (type.getRank() == 0)
    return number(value);
  auto plain = getTensorType(type.getElementType(), getExtents(type));
  return BroadcastOp::create(builder, location, plain, number(value), ArrayRef<int64_t>());
}

Value Adjoints::sum(Value value, ArrayRef<int64_t> reduced) { return make<SumOp>(value, axes(reduced)); }

Value Adjoints::meanOfLast(Value value) { return make<MeanOp>(value, axes(nn::getType(value).getRank() - 1)); }

Value Adjoints::repeat(Value value, RankedTensorType type, ArrayRef<int64_t> missing) {
  SmallVector<int64_t> dims;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (!llvm::is_contained(missing, dim))
      dims.push_back(dim);
  auto plain = getTensorType(nn::getType(value).getElementType(), getExtents(type));
  return BroadcastOp::create(builder, location, plain, value, dims);
}

Value Adjoints::repeatLast(Value value, RankedTensorType type) { return repeat(value, type, type.getRank() - 1); }

//===----------------------------------------------------------------------===//
// Active values
//===----------------------------------------------------------------------===//

bool nnc::isStatistic(Value start) {
  if (auto argument = dyn_cast<BlockArgument>(start)) {
    auto loop = dyn_cast<EachOp>(argument.getOwner()->getParentOp());
    unsigned index = argument.getArgNumber();
    return loop && index > loop.getSequences().size() &&
           isStatistic(loop.getStarts()[index - 1 - loop.getSequences().size()]);
  }
  if (auto loop = start.getDefiningOp<EachOp>()) {
    unsigned index = cast<OpResult>(start).getResultNumber();
    return index >= loop.getOutputs().size() && isStatistic(loop.getStarts()[index - loop.getOutputs().size()]);
  }
  auto read = start.getDefiningOp<ReadOp>();
  auto weight = read ? SymbolTable::lookupNearestSymbolFrom<WeightOp>(read, read.getSymbolAttr()) : WeightOp();
  return weight && weight.getFrozen();
}

namespace {

/// Marks what follows from active values, loops until nothing is added.
class ActivityFinder {
public:
  ActivityFinder(ActiveValues &active, function_ref<bool(Operation *)> isSource) : active(active), isSource(isSource) {}

  void visit(Block &block) {
    for (Operation &op : block)
      if (auto loop = dyn_cast<EachOp>(op))
        visitLoop(loop);
      else if (isSource(&op) || llvm::any_of(op.getOperands(), [&](Value value) { return active.contains(value); }))
        for (Value result : op.getResults())
          mark(result);
  }

private:
  /// Whether the value is active now and was not.
  bool mark(Value value) {
    return cast<RankedTensorType>(value.getType()).getElementType().isF32() && active.insert(value).second;
  }

  void visitLoop(EachOp loop) {
    auto follow = [&](ValueRange from, ValueRange to) {
      bool changed = false;
      for (auto [source, target] : llvm::zip_equal(from, to))
        changed |= active.contains(source) && mark(target);
      return changed;
    };
    follow(loop.getSequences(), loop.getElements());
    follow(loop.getStarts(), loop.getCarried());
    auto followStates = [&] {
      bool changed = false;
      for (auto [start, next, carried] :
           llvm::zip_equal(loop.getStarts(), loop.getYield().getNext(), loop.getCarried()))
        changed |= active.contains(next) && !isStatistic(start) && mark(carried);
      return changed;
    };
    do
      visit(loop.getBody().front());
    while (followStates());
    follow(loop.getYield().getOutputs(), loop.getOutputs());
    follow(loop.getCarried(), loop.getFinals());
  }

  ActiveValues &active;
  function_ref<bool(Operation *)> isSource;
};

} // namespace

ActiveValues nnc::findActive(Block &block, function_ref<bool(Operation *)> isSource) {
  ActiveValues active;
  ActivityFinder(active, isSource).visit(block);
  return active;
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

static LogicalResult differentiate(Operation *op, Adjoints &adjoints) {
  adjoints.location = op->getLoc();
  if (auto loop = dyn_cast<EachOp>(op))
    return differentiateEach(adjoints, loop);
  if (op->getNumResults() != 1 || !llvm::any_of(op->getOperands(), [&](Value v) { return adjoints.isActive(v); }))
    return success();
  Value dy = adjoints.get(op->getResult(0));
  if (!dy)
    return success();
  bool known = differentiateElementwise(adjoints, op, dy) || differentiateDense(adjoints, op, dy) ||
               differentiateConv(adjoints, op, dy) || differentiatePool(adjoints, op, dy) ||
               differentiateNorm(adjoints, op, dy) || differentiateReduce(adjoints, op, dy) ||
               differentiateReshape(adjoints, op, dy);
  return known ? success() : op->emitError("`") << op->getName().stripDialect() << "` has no derivative";
}

LogicalResult nnc::differentiateBlock(Block &block, Adjoints &adjoints) {
  SmallVector<Operation *> ops;
  for (Operation &op : block.without_terminator())
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops))
    if (failed(differentiate(op, adjoints)))
      return failure();
  return success();
}
