//===- Dense.cpp - Values of matrix products ------------------------------===//

#include "compiler/interpret/Interpreter.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;
using namespace nnc::interpret;

/// Visits the places in x[row, k], weight[n, k] and y[row, n] of all that is multiplied.
template <typename Visit> static void forEachProduct(int64_t rows, ArrayRef<int64_t> weight, Visit visit) {
  int64_t n = weight[0], k = weight[1];
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < k; ++j)
        visit(row * k + j, i * k + j, row * n + i);
}

static void evaluateMatmul(Interpreter &run, MatmulOp op) {
  const Tensor a = run.at(op.getA()), b = run.at(op.getB());
  Tensor &c = run.define(op.getResult());
  int64_t m = a.shape[a.shape.size() - 2], k = a.shape.back(), n = b.shape.back();
  for (int64_t i = 0; i < c.size(); ++i) {
    int64_t matrix = i / (m * n), row = i / n % m, column = i % n;
    // A matrix without leading dimensions serves all.
    int64_t first = (matrix * m * k) % a.size(), second = (matrix * k * n) % b.size();
    c[i] = 0;
    for (int64_t j = 0; j < k; ++j)
      c[i] += a[first + row * k + j] * b[second + j * n + column];
  }
}

bool interpret::evaluateDense(Interpreter &run, Operation &op) {
  if (auto matmul = dyn_cast<MatmulOp>(op))
    return evaluateMatmul(run, matmul), true;
  if (!isa<DenseOp, DenseInputGradientOp, DenseWeightGradientOp>(op))
    return false;
  const Tensor a = run.at(op.getOperand(0)), b = run.at(op.getOperand(1));
  Tensor &y = run.define(op.getResult(0));
  y.data.assign(y.size(), 0);
  const double *left = a.data.data(), *right = b.data.data();
  double *out = y.data.data();
  if (isa<DenseOp>(op))
    forEachProduct(a.size() / b.shape[1], b.shape,
                   [=](int64_t x, int64_t w, int64_t i) { out[i] += right[w] * left[x]; });
  else if (isa<DenseInputGradientOp>(op))
    forEachProduct(a.size() / b.shape[0], b.shape,
                   [=](int64_t x, int64_t w, int64_t i) { out[x] += right[w] * left[i]; });
  else
    forEachProduct(a.size() / y.shape[1], y.shape,
                   [=](int64_t x, int64_t w, int64_t i) { out[w] += right[i] * left[x]; });
  return true;
}
