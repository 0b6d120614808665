//===- Reduce.cpp - Values of sums, means, maxima -------------------------===//

#include "compiler/interpret/Interpreter.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;
using namespace nnc::interpret;

/// Visits each element that counts with the place of its result.
template <typename ReduceOp>
static void forEachTerm(Interpreter &run, ReduceOp op, function_ref<void(int64_t x, int64_t y)> visit) {
  RankedTensorType type = getType(op.getX());
  Extents extents = getExtents(type);
  const Tensor &x = run.at(op.getX());
  const Tensor *lengths = op.getLengths() ? &run.at(op.getLengths()) : nullptr;
  int64_t batch = 0;
  if (lengths)
    batch = llvm::find(extents, getExtents(getType(op.getLengths())).front()) - extents.begin();
  forEachIndex(x.shape, [&](ArrayRef<int64_t> index, int64_t place) {
    int64_t result = 0;
    for (size_t dim = 0; dim < index.size(); ++dim) {
      if (!llvm::is_contained(op.getAxes(), static_cast<int64_t>(dim)))
        result = result * x.shape[dim] + index[dim];
      else if (lengths && extents[dim].isDynamic() && static_cast<double>(index[dim]) >= (*lengths)[index[batch]])
        return;
    }
    visit(place, result);
  });
}

template <typename ReduceOp> static void evaluateSum(Interpreter &run, ReduceOp op, bool isMean) {
  const Tensor x = run.at(op.getX());
  Tensor &y = run.define(op.getResult());
  y.data.assign(y.size(), 0);
  std::vector<int64_t> counts(y.size(), 0);
  forEachTerm(run, op, [&](int64_t from, int64_t to) {
    y[to] += x[from];
    ++counts[to];
  });
  if (isMean)
    for (int64_t i = 0; i < y.size(); ++i)
      y[i] /= static_cast<double>(std::max<int64_t>(1, counts[i]));
}

template <typename ReduceOp> static void evaluateExtreme(Interpreter &run, ReduceOp op, double sign) {
  const Tensor x = run.at(op.getX());
  Tensor &y = run.define(op.getResult());
  y.data.assign(y.size(), -sign * std::numeric_limits<double>::infinity());
  std::vector<int64_t> winners(y.size(), -1);
  forEachTerm(run, op, [&](int64_t from, int64_t to) {
    if (x[from] != x[from] || sign * x[from] > sign * y[to]) {
      y[to] = x[from];
      winners[to] = from;
    }
  });
  for (int64_t winner : winners)
    run.choose(winner);
}

static void evaluateSoftmax(Interpreter &run, Operation &op, bool logarithm) {
  const Tensor x = run.at(op.getOperand(0));
  Tensor &y = run.define(op.getResult(0));
  int64_t n = x.shape.back();
  for (int64_t row = 0; row < x.size(); row += n) {
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t i = 0; i < n; ++i)
      largest = std::max(largest, x[row + i]);
    for (int64_t i = 0; i < n; ++i)
      sum += std::exp(x[row + i] - largest);
    for (int64_t i = 0; i < n; ++i)
      y[row + i] = logarithm ? x[row + i] - largest - std::log(sum) : std::exp(x[row + i] - largest) / sum;
  }
}

static void evaluateArgmax(Interpreter &run, ArgmaxOp op) {
  const Tensor x = run.at(op.getX());
  Tensor &y = run.define(op.getResult());
  int64_t n = x.shape.back();
  for (int64_t row = 0; row < y.size(); ++row) {
    auto begin = x.data.begin() + row * n;
    y[row] = static_cast<double>(std::max_element(begin, begin + n) - begin);
    run.choose(static_cast<uint64_t>(y[row]));
  }
}

bool interpret::evaluateReduce(Interpreter &run, Operation &op) {
  if (auto sum = dyn_cast<SumOp>(op))
    return evaluateSum(run, sum, /*isMean=*/false), true;
  if (auto mean = dyn_cast<MeanOp>(op))
    return evaluateSum(run, mean, /*isMean=*/true), true;
  if (auto largest = dyn_cast<ReduceMaxOp>(op))
    return evaluateExtreme(run, largest, 1), true;
  if (auto smallest = dyn_cast<ReduceMinOp>(op))
    return evaluateExtreme(run, smallest, -1), true;
  if (isa<SoftmaxOp, LogSoftmaxOp>(op))
    return evaluateSoftmax(run, op, isa<LogSoftmaxOp>(op)), true;
  if (auto argmax = dyn_cast<ArgmaxOp>(op))
    return evaluateArgmax(run, argmax), true;
  return false;
}
