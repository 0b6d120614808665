//===- Reduce.cpp - Derivatives of sums, means, maxima --------------------===//

#include "compiler/autodiff/Autodiff.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

/// What is repeated along the axes again; past an example's end it is 0.
template <typename ReduceOp> Value spread(Adjoints &a, ReduceOp op, Value dy) {
  Value spread = a.repeat(dy, nn::getType(op.getX()), op.getAxes());
  if (!op.getLengths())
    return spread;
  return a.make<MaskOp>({spread, a.primal(op.getLengths())},
                        {a.builder.getNamedAttr("axis", a.builder.getI64IntegerAttr(op.getAxes().front())),
                         a.builder.getNamedAttr("fill", a.builder.getF64FloatAttr(0))});
}

/// Each example's own number of steps, at least 1, in the shape of `type`.
Value countSteps(Adjoints &a, Value lengths, RankedTensorType type) {
  Value steps = a.make<ToFloatOp>(lengths);
  steps = a.make<MaxOp>({steps, a.number(1)});
  Extents extents = getExtents(type), batch = getExtents(nn::getType(lengths));
  int64_t dim = llvm::find(extents, batch.front()) - extents.begin();
  auto plain = getTensorType(nn::getType(steps).getElementType(), extents);
  return BroadcastOp::create(a.builder, a.location, plain, steps, ArrayRef<int64_t>(dim));
}

void differentiateMean(Adjoints &a, MeanOp op, Value dy) {
  Value share;
  if (op.getLengths())
    share = a.over(dy, countSteps(a, a.primal(op.getLengths()), nn::getType(dy)));
  else
    share = a.over(dy, a.make<CountOp>(a.primal(op.getX()), a.axes(op.getAxes())));
  a.add(op.getX(), spread(a, op, share));
}

/// The extremes of a slice share its cotangent.
template <typename ReduceOp> void differentiateExtreme(Adjoints &a, ReduceOp op, Value dy) {
  RankedTensorType type = nn::getType(op.getX());
  Value y = a.repeat(a.primal(op.getResult()), type, op.getAxes());
  Value wins = a.make<EqOp>({a.primal(op.getX()), y});
  Value ones = a.make<SelectOp>({wins, a.fill(1, type), a.fill(0, type)});
  SmallVector<Value> operands{ones};
  if (op.getLengths())
    operands.push_back(a.primal(op.getLengths()));
  Value count = a.make<MaxOp>({a.make<SumOp>(operands, a.axes(op.getAxes())), a.number(1)});
  a.add(op.getX(), a.times(ones, spread(a, op, a.over(dy, count))));
}

/// dx = y (dy - sum(dy y)); of the logarithm dx = dy - e^y sum(dy).
void differentiateSoftmax(Adjoints &a, Operation *op, Value dy, bool logarithm) {
  RankedTensorType type = nn::getType(dy);
  Value y = a.primal(op->getResult(0));
  Value sum = a.sum(logarithm ? dy : a.times(dy, y), type.getRank() - 1);
  Value repeated = a.repeatLast(sum, type);
  Value dx = logarithm ? a.minus(dy, a.times(a.make<ExpOp>(y), repeated)) : a.times(y, a.minus(dy, repeated));
  a.add(op->getOperand(0), dx);
}

} // namespace

bool nnc::differentiateReduce(Adjoints &a, Operation *op, Value dy) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](SumOp sum) { return a.add(sum.getX(), spread(a, sum, dy)), true; })
      .Case([&](MeanOp mean) { return differentiateMean(a, mean, dy), true; })
      .Case([&](ReduceMaxOp largest) { return differentiateExtreme(a, largest, dy), true; })
      .Case([&](ReduceMinOp smallest) { return differentiateExtreme(a, smallest, dy), true; })
      .Case([&](SoftmaxOp) { return differentiateSoftmax(a, op, dy, /*logarithm=*/false), true; })
      .Case([&](LogSoftmaxOp) { return differentiateSoftmax(a, op, dy, /*logarithm=*/true), true; })
      .Default([](Operation *) { return false; });
}
