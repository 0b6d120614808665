//===- Pool.cpp - Values of pooling ---------------------------------------===//

#include "compiler/dialect/Window.h"
#include "compiler/interpret/Interpreter.h"

#include <limits>

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;
using namespace nnc::interpret;

/// Visits the windows of a pool: the place of each result, the places of the image that it
/// sees, and how many elements its mean counts.
template <typename PoolLike>
static void forEachWindow(PoolLike op, RankedTensorType imageType, ArrayRef<int64_t> image, ArrayRef<int64_t> result,
                          bool countsPadding,
                          function_ref<void(int64_t y, ArrayRef<int64_t> xs, int64_t count)> visit) {
  ArrayRef<int64_t> window = op.getWindow();
  SmallVector<unsigned> spatial = *getSpatialDims(imageType, window.size());
  forEachIndex(result, [&](ArrayRef<int64_t> y, int64_t yPlace) {
    SmallVector<int64_t> xs;
    int64_t count = 0;
    Shape x(y);
    forEachIndex(window, [&](ArrayRef<int64_t> step, int64_t) {
      bool inside = true, counts = true;
      for (auto [i, dim] : llvm::enumerate(spatial)) {
        int64_t before = op.getPadding()[2 * i], after = op.getPadding()[2 * i + 1];
        x[dim] = y[dim] * op.getStrides()[i] + step[i] - before;
        inside &= x[dim] >= 0 && x[dim] < image[dim];
        counts &= x[dim] >= -before && x[dim] < image[dim] + after;
      }
      if (inside)
        xs.push_back(placeOf(x, image));
      count += countsPadding ? counts : inside;
    });
    visit(yPlace, xs, std::max<int64_t>(count, 1));
  });
}

/// The first of the largest; -1 of none.
static int64_t findLargest(Interpreter &run, const Tensor &x, ArrayRef<int64_t> places) {
  int64_t largest = -1;
  for (int64_t place : places)
    if (largest < 0 || x[place] > x[largest])
      largest = place;
  run.choose(largest);
  return largest;
}

bool interpret::evaluatePool(Interpreter &run, Operation &op) {
  if (!isa<MaxPoolOp, AvgPoolOp, MaxPoolGradientOp, AvgPoolGradientOp>(op))
    return false;
  const Tensor x = run.at(op.getOperand(0));
  Tensor &y = run.define(op.getResult(0));
  if (auto pool = dyn_cast<MaxPoolOp>(op)) {
    forEachWindow(pool, getType(pool.getX()), x.shape, y.shape, false, [&](int64_t i, ArrayRef<int64_t> xs, int64_t) {
      int64_t largest = findLargest(run, x, xs);
      y[i] = largest < 0 ? -std::numeric_limits<double>::infinity() : x[largest];
    });
  } else if (auto pool = dyn_cast<AvgPoolOp>(op)) {
    forEachWindow(pool, getType(pool.getX()), x.shape, y.shape, pool.getCountPadding(),
                  [&](int64_t i, ArrayRef<int64_t> xs, int64_t count) {
                    y[i] = 0;
                    for (int64_t place : xs)
                      y[i] += x[place] / static_cast<double>(count);
                  });
  } else if (auto gradient = dyn_cast<MaxPoolGradientOp>(op)) {
    const Tensor dy = run.at(gradient.getDy());
    y.data.assign(y.size(), 0);
    forEachWindow(gradient, getType(gradient.getX()), x.shape, dy.shape, false,
                  [&](int64_t i, ArrayRef<int64_t> xs, int64_t) {
                    if (int64_t largest = findLargest(run, x, xs); largest >= 0)
                      y[largest] += dy[i];
                  });
  } else if (auto gradient = dyn_cast<AvgPoolGradientOp>(op)) {
    y.data.assign(y.size(), 0);
    forEachWindow(gradient, getType(gradient.getResult()), y.shape, x.shape, gradient.getCountPadding(),
                  [&](int64_t i, ArrayRef<int64_t> xs, int64_t count) {
                    for (int64_t place : xs)
                      y[place] += x[i] / static_cast<double>(count);
                  });
  }
  return true;
}
