//===- Dense.cpp - Algorithms of matrix products --------------------------===//

#include "compiler/halide/Builder.h"

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;

namespace nnc {

/// acc(n, rows…) += w(n, k) x(k, rows…). With a weight in panels the accumulator
/// has its outputs as lane and panel, as the weight has them.
static void buildDenseProduct(AlgorithmBuilder &builder, DenseOp op) {
  RankedTensorType resultType = nn::getType(op.getResult()), weightType = nn::getType(op.getWeight());
  Halide::RDom k = builder.domain("k", {Expr(static_cast<int32_t>(op.getReductionSize()))});
  auto panel = dyn_cast_or_null<PanelAttr>(weightType.getEncoding());
  Extents extents = getExtents(resultType);
  auto getRow = [&](const Indices &indices, unsigned outputs) {
    Indices x(indices.begin(), indices.end() - outputs);
    x.push_back(k.x);
    return builder.at(op.getX(), x);
  };
  if (!panel) {
    Func sum = builder.accumulate(
        "dense", targets::Role::Contraction, extents, k, [](const Indices &) { return Expr(0.0f); },
        [&](Expr self, const Indices &indices) {
          return self + builder.at(op.getWeight(), {indices.back(), k.x}) * getRow(indices, 1);
        });
    builder.bind(op.getResult(), sum);
    return;
  }
  int32_t width = panel.getWidth();
  extents.back() = static_cast<int64_t>(llvm::divideCeil(weightType.getDimSize(0), width));
  extents.push_back(static_cast<int64_t>(width));
  // The panel comes before the rows, so that a tile of rows walks one panel.
  std::rotate(extents.begin(), extents.end() - 2, extents.end() - 1);
  Func sum = builder.accumulate(
      "dense", targets::Role::Contraction, extents, k, [](const Indices &) { return Expr(0.0f); },
      [&](Expr self, const Indices &indices) {
        Expr weight = AlgorithmBuilder::call(builder.func(op.getWeight()), {indices.front(), k.x, indices.back()});
        return self + weight * getRow(Indices(indices.begin() + 1, indices.end()), 1);
      });
  builder.define(op.getResult(), [&](const Indices &indices) {
    Indices accumulated{indices.back() / width};
    accumulated.insert(accumulated.end(), indices.begin(), indices.end() - 1);
    accumulated.push_back(indices.back() % width);
    return AlgorithmBuilder::call(sum, accumulated);
  });
}

static void buildMatmul(AlgorithmBuilder &builder, MatmulOp op) {
  Halide::RDom k = builder.domain("k", {Expr(static_cast<int32_t>(op.getReductionSize()))});
  Func sum = builder.accumulate(
      "matmul", targets::Role::Contraction, getExtents(nn::getType(op.getResult())), k,
      [](const Indices &) { return Expr(0.0f); },
      [&](Expr self, const Indices &indices) {
        Indices a(indices), b(indices);
        a.back() = k.x;
        b[b.size() - 2] = k.x;
        return self + builder.atSuffix(op.getB(), b) * builder.atSuffix(op.getA(), a);
      });
  builder.bind(op.getResult(), sum);
}

bool buildDense(AlgorithmBuilder &builder, Operation &op) {
  if (auto dense = dyn_cast<DenseOp>(op))
    return buildDenseProduct(builder, dense), true;
  if (auto matmul = dyn_cast<MatmulOp>(op))
    return buildMatmul(builder, matmul), true;
  return false;
}

} // namespace nnc
