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
template <typename PoolOp>
static Expr countElements(AlgorithmBuilder &builder, PoolOp op, RankedTensorType image, const Indices &indices) {
  Window window = getWindow(op);
  SmallVector<unsigned> spatial = *getSpatialDims(image, window.rank());
  Extents extents = getExtents(image);
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

template <typename PoolOp> static bool alwaysWhole(PoolOp op) {
  auto isZero = [](int64_t value) { return value == 0; };
  return llvm::all_of(op.getOverhang(), isZero) && (op.getCountPadding() || llvm::all_of(op.getPadding(), isZero));
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//
//
// An element of the image gathers from the windows that hold it, so that no two
// elements write to one place.

namespace {

/// One of the windows that may hold an element of the image.
struct Holder {
  Indices index;  ///< of the window in the pool's result, within its bounds
  Expr holds;     ///< whether it is there and holds the element
  Expr place = 0; ///< of the element in the window, row-major
};

/// The windows of a pool around the elements of its image.
class Holders {
public:
  Holders(AlgorithmBuilder &builder, const Window &window, RankedTensorType image, RankedTensorType pooled)
      : builder(builder), window(window), spatial(*getSpatialDims(image, window.rank())), pooled(getExtents(pooled)) {
    std::vector<Expr> extents; // innermost first
    for (unsigned i = window.rank(); i-- > 0;)
      extents.push_back(static_cast<int32_t>(llvm::divideCeil(window.sizes[i], window.strides[i])));
    domain = builder.domain("q", extents);
  }

  /// Counts the windows that may hold one element.
  Halide::RDom domain;

  /// The window that the domain counts, for an element of the image.
  Holder at(const Indices &element) const {
    Holder holder{element, {}};
    for (auto [i, dim] : llvm::enumerate(spatial)) {
      int32_t size = window.sizes[i], stride = window.strides[i], before = window.padding[2 * i];
      Expr padded = element[dim] + before, last = builder.size(pooled[dim]) - 1;
      Expr number = padded / stride - domain[window.rank() - 1 - i];
      Expr within = padded - number * stride;
      Expr holds = number >= 0 && number <= last && within < size;
      holder.holds = holder.holds.defined() ? holder.holds && holds : holds;
      holder.index[dim] = clamp(number, 0, last);
      holder.place = holder.place * size + within;
    }
    return holder;
  }

private:
  AlgorithmBuilder &builder;
  Window window;
  SmallVector<unsigned> spatial;
  Extents pooled;
};

} // namespace

/// For each window the number of its first largest element, row-major.
static Func findFirst(AlgorithmBuilder &builder, MaxPoolGradientOp op) {
  Window window = getWindow(op);
  unsigned rank = window.rank();
  RankedTensorType image = nn::getType(op.getX()), pooled = nn::getType(op.getY());
  SmallVector<unsigned> spatial = *getSpatialDims(image, rank);
  Extents imageExtents = getExtents(image), extents = getExtents(pooled);
  std::vector<Expr> sizes;
  for (unsigned i = rank; i-- > 0;)
    sizes.push_back(static_cast<int32_t>(window.sizes[i]));
  Halide::RDom w = builder.domain("w", sizes);
  int32_t none = static_cast<int32_t>(op.getReductionSize());
  Func first = builder.accumulate(
      "first", targets::Role::Reduction, extents, w, [&](const Indices &) { return Expr(none); },
      [&](Expr self, const Indices &indices) {
        Indices x(indices), y(indices);
        Expr inside, number = 0;
        for (auto [i, dim] : llvm::enumerate(spatial)) {
          Expr step = w[rank - 1 - i];
          // A schedule may compute windows behind the last one.
          y[dim] = clamp(indices[dim], 0, builder.size(extents[dim]) - 1);
          Expr place =
              y[dim] * static_cast<int32_t>(window.strides[i]) + step - static_cast<int32_t>(window.padding[2 * i]);
          Expr last = builder.size(imageExtents[dim]) - 1;
          Expr within = place >= 0 && place <= last;
          inside = inside.defined() ? inside && within : within;
          x[dim] = clamp(place, 0, last);
          number = number * static_cast<int32_t>(window.sizes[i]) + step;
        }
        Expr isLargest = inside && builder.at(op.getX(), x) == builder.at(op.getY(), y);
        return min(self, Halide::select(isLargest, number, none));
      });
  // A step for every dimension but the channels, innermost first.
  std::vector<targets::WindowStep> &steps = builder.getLastStage().window;
  for (unsigned dim = extents.size() - 1; dim-- > 0;) {
    auto place = llvm::find(spatial, dim);
    unsigned i = place - spatial.begin();
    steps.push_back(place == spatial.end() ? targets::WindowStep{1, 1}
                                           : targets::WindowStep{window.strides[i], window.span(i)});
  }
  return first;
}

static void buildMaxGradient(AlgorithmBuilder &builder, MaxPoolGradientOp op) {
  Func first = findFirst(builder, op);
  Holders holders(builder, getWindow(op), nn::getType(op.getX()), nn::getType(op.getY()));
  Func sum = builder.accumulate(
      "gathered", targets::Role::Reduction, getExtents(nn::getType(op.getX())), holders.domain,
      [](const Indices &) { return Expr(0.0f); },
      [&](Expr self, const Indices &indices) {
        Holder holder = holders.at(indices);
        Expr wins = holder.holds && AlgorithmBuilder::call(first, holder.index) == holder.place;
        return self + Halide::select(wins, builder.at(op.getDy(), holder.index), 0.0f);
      });
  builder.bind(op.getResult(), sum);
}

static void buildAvgGradient(AlgorithmBuilder &builder, AvgPoolGradientOp op) {
  RankedTensorType image = nn::getType(op.getResult());
  Holders holders(builder, getWindow(op), image, nn::getType(op.getDy()));
  bool isWhole = alwaysWhole(op);
  Func sum = builder.accumulate(
      "gathered", targets::Role::Reduction, getExtents(image), holders.domain,
      [](const Indices &) { return Expr(0.0f); },
      [&](Expr self, const Indices &indices) {
        Holder holder = holders.at(indices);
        Expr dy = builder.at(op.getDy(), holder.index);
        if (!isWhole)
          dy = dy / Halide::cast<float>(countElements(builder, op, image, holder.index));
        return self + Halide::select(holder.holds, dy, 0.0f);
      });
  float share = isWhole ? 1.0f / static_cast<float>(op.getReductionSize()) : 1.0f;
  builder.define(op.getResult(), [&](const Indices &indices) { return AlgorithmBuilder::call(sum, indices) * share; });
}

bool buildPool(AlgorithmBuilder &builder, Operation &op) {
  if (auto pool = dyn_cast<MaxPoolOp>(op)) {
    Func largest = accumulateWindow(builder, pool, math::infinity(/*negative=*/true),
                                    [](Expr self, Expr x) { return math::maximum(self, x); });
    builder.bind(pool.getResult(), largest);
    return true;
  }
  if (auto gradient = dyn_cast<MaxPoolGradientOp>(op))
    return buildMaxGradient(builder, gradient), true;
  if (auto gradient = dyn_cast<AvgPoolGradientOp>(op))
    return buildAvgGradient(builder, gradient), true;
  auto pool = dyn_cast<AvgPoolOp>(op);
  if (!pool)
    return false;
  Func sum = accumulateWindow(builder, pool, 0.0f, [](Expr self, Expr x) { return self + x; });
  builder.define(pool.getResult(), [&](const Indices &indices) {
    Expr total = AlgorithmBuilder::call(sum, indices);
    if (alwaysWhole(pool))
      return total * (1.0f / static_cast<float>(pool.getReductionSize()));
    return total / Halide::cast<float>(countElements(builder, pool, nn::getType(pool.getX()), indices));
  });
  return true;
}

} // namespace nnc
