//===- Pool.cpp - Algorithms of pooling -----------------------------------===//

#include "compiler/halide/Math.h"
#include "compiler/halide/Window.h"

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;

namespace nnc {

template <typename PoolOp> static Window getWindow(PoolOp op) {
  return {op.getWindow(), op.getStrides(), {}, op.getPadding(), op.getOverhang()};
}

/// Combines the elements of each window.
template <typename PoolOp>
static Func accumulateWindow(AlgorithmBuilder &builder, PoolOp op, Expr initial,
                             const std::function<Expr(Expr, Expr)> &combine) {
  Window window = getWindow(op);
  WindowedImage image = padImage(builder, op.getX(), window, initial);
  unsigned rank = window.rank();
  std::vector<Expr> extents;
  for (unsigned i = rank; i-- > 0;)
    extents.push_back(static_cast<int32_t>(window.sizes[i]));
  Halide::RDom r = builder.domain("w", extents);
  return builder.accumulate(
      "pool", targets::Role::Reduction, getExtents(nn::getType(op.getResult())), r,
      [&](const Indices &) { return initial; },
      [&](Expr self, const Indices &indices) {
        Indices x(indices);
        for (unsigned i = 0; i < rank; ++i)
          x[image.spatial[i]] = indices[image.spatial[i]] * static_cast<int32_t>(window.strides[i]) + r[rank - 1 - i];
        return combine(self, image.element(x));
      });
}

/// How many elements of a window count in its mean, at an index of the result.
static Expr countElements(AlgorithmBuilder &builder, AvgPoolOp op, const Indices &indices) {
  Window window = getWindow(op);
  RankedTensorType type = nn::getType(op.getX());
  SmallVector<unsigned> spatial = *getSpatialDims(type, window.rank());
  Extents extents = getExtents(type);
  Expr count = 1;
  for (auto [i, dim] : llvm::enumerate(spatial)) {
    int32_t before = window.padding[2 * i], after = window.padding[2 * i + 1];
    Expr size = builder.size(extents[dim]);
    Expr first = indices[dim] * static_cast<int32_t>(window.strides[i]) - before;
    Expr last = first + static_cast<int32_t>(window.sizes[i]);
    // What lies in the image, or in its padding too; the overhang never counts.
    Expr low = op.getCountPadding() ? Expr(-before) : Expr(0);
    Expr high = op.getCountPadding() ? size + after : size;
    count = count * max(min(last, high) - max(first, low), 1);
  }
  return count;
}

static bool alwaysWhole(AvgPoolOp op) {
  auto isZero = [](int64_t value) { return value == 0; };
  return llvm::all_of(op.getOverhang(), isZero) && (op.getCountPadding() || llvm::all_of(op.getPadding(), isZero));
}

bool buildPool(AlgorithmBuilder &builder, Operation &op) {
  if (auto pool = dyn_cast<MaxPoolOp>(op)) {
    Func largest = accumulateWindow(builder, pool, math::infinity(/*negative=*/true),
                                    [](Expr self, Expr x) { return math::maximum(self, x); });
    builder.bind(pool.getResult(), largest);
    return true;
  }
  auto pool = dyn_cast<AvgPoolOp>(op);
  if (!pool)
    return false;
  Func sum = accumulateWindow(builder, pool, 0.0f, [](Expr self, Expr x) { return self + x; });
  builder.define(pool.getResult(), [&](const Indices &indices) {
    Expr total = AlgorithmBuilder::call(sum, indices);
    if (alwaysWhole(pool))
      return total * (1.0f / static_cast<float>(pool.getReductionSize()));
    return total / Halide::cast<float>(countElements(builder, pool, indices));
  });
  return true;
}

} // namespace nnc
