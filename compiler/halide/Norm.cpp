//===- Norm.cpp - Algorithms of normalization -----------------------------===//

#include "compiler/halide/Builder.h"
#include "compiler/halide/Math.h"

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;

namespace nnc {

/// Sums a term of each element of a row over the last dimension.
static Func sumRow(AlgorithmBuilder &builder, RankedTensorType type, const Element &term) {
  Extents rows = getExtents(type);
  int32_t columns = rows.pop_back_val().size;
  Halide::RDom k = builder.domain("k", {Expr(columns)});
  return builder.accumulate(
      "row", targets::Role::Reduction, rows, k, [](const Indices &) { return Expr(0.0f); },
      [&](Expr self, const Indices &indices) {
        Indices x(indices);
        x.push_back(k.x);
        return self + term(x);
      });
}

/// Two passes, mean then variance: what one pass over squares loses to
/// cancellation is not acceptable. The mean is summed from the row's first
/// element, so that a mean far from 0 costs no digits.
static void buildLayerNorm(AlgorithmBuilder &builder, LayerNormOp op) {
  RankedTensorType type = nn::getType(op.getX());
  Extents rows = getExtents(type);
  float scale = 1.0f / static_cast<float>(rows.pop_back_val().size);
  auto rowOf = [](const Indices &indices) { return Indices(indices.begin(), indices.end() - 1); };

  auto first = [&](Indices row) {
    row.push_back(0);
    return builder.at(op.getX(), row);
  };
  // Fast-math would take the difference apart again.
  Func sum = sumRow(builder, type, [&](const Indices &indices) {
    return Halide::strict_float(builder.at(op.getX(), indices) - first(rowOf(indices)));
  });
  Func mean = builder.stage("mean", targets::Role::Value, rows, [&](const Indices &indices) {
    return first(indices) + AlgorithmBuilder::call(sum, indices) * scale;
  });
  Func squares = sumRow(builder, type, [&](const Indices &indices) {
    Expr centred = builder.at(op.getX(), indices) - AlgorithmBuilder::call(mean, rowOf(indices));
    return centred * centred;
  });
  float epsilon = static_cast<float>(op.getEpsilon().convertToDouble());
  Func inverse = builder.stage("inverse", targets::Role::Value, rows, [&](const Indices &indices) {
    return 1.0f / Halide::sqrt(AlgorithmBuilder::call(squares, indices) * scale + epsilon);
  });
  builder.define(op.getResult(), [&](const Indices &indices) {
    Expr centred = builder.at(op.getX(), indices) - AlgorithmBuilder::call(mean, rowOf(indices));
    return centred * AlgorithmBuilder::call(inverse, rowOf(indices)) * builder.atSuffix(op.getScale(), indices) +
           builder.atSuffix(op.getShift(), indices);
  });
}

namespace {

/// Sums over the channels around each, those outside of the row left out.
template <typename NormOp> class Neighbours {
public:
  Neighbours(AlgorithmBuilder &builder, NormOp op)
      : builder(builder), type(nn::getType(op.getX())), size(op.getSize()),
        scale(static_cast<float>(op.getAlpha().convertToDouble() / size)),
        beta(static_cast<float>(op.getBeta().convertToDouble())), k(static_cast<float>(op.getK().convertToDouble())) {}

  /// The sum of a term of `size` channels, the first `before` channels before.
  Func sum(int32_t before, const Element &term) const {
    int32_t channels = type.getShape().back();
    Halide::RDom r = builder.domain("n", {Expr(size)});
    return builder.accumulate(
        "neighbours", targets::Role::Reduction, getExtents(type), r, [](const Indices &) { return Expr(0.0f); },
        [&](Expr self, const Indices &indices) {
          Expr channel = indices.back() + r.x - before;
          Indices neighbour(indices);
          neighbour.back() = clamp(channel, 0, channels - 1);
          return self + Halide::select(channel >= 0 && channel < channels, term(neighbour), 0.0f);
        });
  }

  AlgorithmBuilder &builder;
  RankedTensorType type;
  int32_t size;
  float scale, beta, k;
};

} // namespace

static void buildLocalResponseNorm(AlgorithmBuilder &builder, LocalResponseNormOp op) {
  Neighbours norm(builder, op);
  Func squares = norm.sum(norm.size / 2, [&](const Indices &indices) {
    Expr x = builder.at(op.getX(), indices);
    return x * x;
  });
  builder.define(op.getResult(), [&](const Indices &indices) {
    Expr base = norm.k + norm.scale * AlgorithmBuilder::call(squares, indices);
    return builder.at(op.getX(), indices) * math::pow(base, -norm.beta);
  });
}

/// Channel i is in the windows of the channels from i + before + 1 - size on.
static void buildLocalResponseNormGradient(AlgorithmBuilder &builder, LocalResponseNormGradientOp op) {
  Neighbours norm(builder, op);
  int32_t before = norm.size / 2;
  Func squares = norm.sum(before, [&](const Indices &indices) {
    Expr x = builder.at(op.getX(), indices);
    return x * x;
  });
  auto base = [&](const Indices &indices) { return norm.k + norm.scale * AlgorithmBuilder::call(squares, indices); };
  Extents extents = getExtents(norm.type);
  Func scaled = builder.stage("scaled", targets::Role::Value, extents, [&](const Indices &indices) {
    return builder.at(op.getDy(), indices) * math::pow(base(indices), -norm.beta);
  });
  Func shares = builder.stage("shares", targets::Role::Value, extents, [&](const Indices &indices) {
    return AlgorithmBuilder::call(scaled, indices) * builder.at(op.getX(), indices) / base(indices);
  });
  Func sum =
      norm.sum(norm.size - 1 - before, [&](const Indices &indices) { return AlgorithmBuilder::call(shares, indices); });
  builder.define(op.getResult(), [&](const Indices &indices) {
    return AlgorithmBuilder::call(scaled, indices) -
           2.0f * norm.beta * norm.scale * builder.at(op.getX(), indices) * AlgorithmBuilder::call(sum, indices);
  });
}

bool buildNorm(AlgorithmBuilder &builder, Operation &op) {
  if (auto norm = dyn_cast<LayerNormOp>(op))
    return buildLayerNorm(builder, norm), true;
  if (auto norm = dyn_cast<LocalResponseNormOp>(op))
    return buildLocalResponseNorm(builder, norm), true;
  if (auto norm = dyn_cast<LocalResponseNormGradientOp>(op))
    return buildLocalResponseNormGradient(builder, norm), true;
  if (auto norm = dyn_cast<BatchNormOp>(op)) {
    float epsilon = static_cast<float>(norm.getEpsilon().convertToDouble());
    builder.define(norm.getResult(), [&](const Indices &indices) {
      Expr deviation = Halide::sqrt(builder.atSuffix(norm.getVariance(), indices) + epsilon);
      return (builder.at(norm.getX(), indices) - builder.atSuffix(norm.getMean(), indices)) / deviation *
                 builder.atSuffix(norm.getScale(), indices) +
             builder.atSuffix(norm.getShift(), indices);
    });
    return true;
  }
  return false;
}

} // namespace nnc
