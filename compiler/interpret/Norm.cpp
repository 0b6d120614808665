//===- Norm.cpp - Values of normalization ---------------------------------===//

#include "compiler/interpret/Interpreter.h"

#include <cmath>

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;
using namespace nnc::interpret;

static void evaluateLayerNorm(Interpreter &run, LayerNormOp op) {
  const Tensor x = run.at(op.getX()), scale = run.at(op.getScale()), shift = run.at(op.getShift());
  Tensor &y = run.define(op.getResult());
  int64_t n = x.shape.back();
  for (int64_t row = 0; row < x.size(); row += n) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < n; ++i)
      mean += x[row + i] / static_cast<double>(n);
    for (int64_t i = 0; i < n; ++i)
      variance += (x[row + i] - mean) * (x[row + i] - mean) / static_cast<double>(n);
    double deviation = std::sqrt(variance + op.getEpsilon().convertToDouble());
    for (int64_t i = 0; i < n; ++i)
      y[row + i] = (x[row + i] - mean) / deviation * scale[i] + shift[i];
  }
}

static void evaluateBatchNorm(Interpreter &run, BatchNormOp op) {
  const Tensor x = run.at(op.getX()), scale = run.at(op.getScale()), shift = run.at(op.getShift()),
               mean = run.at(op.getMean()), variance = run.at(op.getVariance());
  Tensor &y = run.define(op.getResult());
  for (int64_t i = 0, n = x.shape.back(); i < x.size(); ++i) {
    double deviation = std::sqrt(variance[i % n] + op.getEpsilon().convertToDouble());
    y[i] = (x[i] - mean[i % n]) / deviation * scale[i % n] + shift[i % n];
  }
}

/// The channels [first, last) around channel c of n.
template <typename NormOp> static std::pair<int64_t, int64_t> getNeighbours(NormOp op, int64_t c, int64_t n) {
  auto size = static_cast<int64_t>(op.getSize());
  return {std::max<int64_t>(0, c - size / 2), std::min(n, c - size / 2 + size)};
}

/// k + alpha / size * the sum of squares around each channel of each row.
template <typename NormOp> static std::vector<double> getBases(NormOp op, const Tensor &x) {
  std::vector<double> bases(x.size());
  double scale = op.getAlpha().convertToDouble() / static_cast<double>(op.getSize());
  int64_t n = x.shape.back();
  for (int64_t i = 0; i < x.size(); ++i) {
    auto [first, last] = getNeighbours(op, i % n, n);
    bases[i] = op.getK().convertToDouble();
    for (int64_t c = first; c < last; ++c)
      bases[i] += scale * x[i / n * n + c] * x[i / n * n + c];
  }
  return bases;
}

bool interpret::evaluateNorm(Interpreter &run, Operation &op) {
  if (auto norm = dyn_cast<LayerNormOp>(op))
    return evaluateLayerNorm(run, norm), true;
  if (auto norm = dyn_cast<BatchNormOp>(op))
    return evaluateBatchNorm(run, norm), true;
  if (auto norm = dyn_cast<LocalResponseNormOp>(op)) {
    const Tensor x = run.at(norm.getX());
    std::vector<double> bases = getBases(norm, x);
    Tensor &y = run.define(norm.getResult());
    for (int64_t i = 0; i < y.size(); ++i)
      y[i] = x[i] * std::pow(bases[i], -norm.getBeta().convertToDouble());
    return true;
  }
  auto gradient = dyn_cast<LocalResponseNormGradientOp>(op);
  if (!gradient)
    return false;
  const Tensor x = run.at(gradient.getX()), dy = run.at(gradient.getDy());
  std::vector<double> bases = getBases(gradient, x);
  double beta = gradient.getBeta().convertToDouble();
  double scale = 2 * gradient.getAlpha().convertToDouble() * beta / static_cast<double>(gradient.getSize());
  Tensor &dx = run.define(gradient.getResult());
  int64_t n = x.shape.back();
  for (int64_t i = 0; i < dx.size(); ++i)
    dx[i] = dy[i] * std::pow(bases[i], -beta);
  for (int64_t i = 0; i < dx.size(); ++i) {
    auto [first, last] = getNeighbours(gradient, i % n, n);
    for (int64_t c = first; c < last; ++c)
      dx[i / n * n + c] -= scale * x[i / n * n + c] * dy[i] * x[i] * std::pow(bases[i], -beta - 1);
  }
  return true;
}
