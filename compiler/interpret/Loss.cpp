//===- Loss.cpp - Values of losses ----------------------------------------===//

#include "compiler/interpret/Interpreter.h"

#include <cmath>

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;
using namespace nnc::interpret;

/// The loss of a row of n elements, and of the target of that row: a class, or as many.
static double getLoss(Interpreter &run, Operation &op, ArrayRef<double> y, ArrayRef<double> target) {
  auto n = static_cast<double>(y.size());
  auto label = static_cast<int64_t>(target[0]);
  auto atLabel = [&] { return label >= 0 && label < static_cast<int64_t>(y.size()) ? y[label] : 0; };
  auto meanOf = [&](function_ref<double(double, double)> term) {
    double sum = 0;
    for (auto [a, b] : llvm::zip_equal(y, target))
      sum += term(a, b) / n;
    return sum;
  };
  if (isa<CrossEntropyOp>(op))
    return label >= 0 && label < static_cast<int64_t>(y.size()) ? -std::log(y[label]) : 0;
  if (isa<NllOp>(op))
    return -atLabel();
  if (isa<MseOp>(op))
    return meanOf([](double a, double b) { return (a - b) * (a - b); });
  if (isa<L1Op>(op))
    return meanOf([&](double a, double b) {
      run.choose(a > b);
      return std::abs(a - b);
    });
  if (isa<BinaryCrossEntropyOp>(op))
    return meanOf([&](double a, double t) {
      auto log = [&](double x) {
        run.choose(std::log(x) > -100);
        return std::max(std::log(x), -100.0);
      };
      return -t * log(a) - (1 - t) * log(1 - a);
    });
  double sum = 0;
  for (auto [i, other] : llvm::enumerate(y))
    if (static_cast<int64_t>(i) != label) {
      double margin = 1 - atLabel() + other;
      run.choose(margin > 0);
      sum += std::max(0.0, margin) / std::max(1.0, n - 1);
    }
  return sum;
}

bool interpret::evaluateLoss(Interpreter &run, Operation &op) {
  if (!isa<CrossEntropyOp, NllOp, MseOp, L1Op, BinaryCrossEntropyOp, HingeOp>(op))
    return false;
  const Tensor y = run.at(op.getOperand(0)), target = run.at(op.getOperand(1));
  Tensor &loss = run.define(op.getResult(0));
  int64_t n = y.shape.back(), m = target.size() / std::max<int64_t>(1, loss.size());
  for (int64_t row = 0; row < loss.size(); ++row)
    loss[row] = getLoss(run, op, ArrayRef(y.data).slice(row * n, n), ArrayRef(target.data).slice(row * m, m));
  return true;
}
