//===- Dense.cpp - Algorithms of matrix products --------------------------===//

#include "compiler/halide/Builder.h"

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;

namespace nnc {

/// The accumulator has the outputs as lane and panel, as the weight has them.
void buildRowsTimesPanels(AlgorithmBuilder &builder, const PanelProduct &product, const Halide::RDom &k) {
  auto width = static_cast<int32_t>(product.width);
  Extents extents = getExtents(nn::getType(product.result));
  extents.back() = static_cast<int64_t>(llvm::divideCeil(extents.back().size, width));
  extents.push_back(static_cast<int64_t>(width));
  // The panel comes before the rows, so that a tile of rows walks one panel.
  std::rotate(extents.begin(), extents.end() - 2, extents.end() - 1);
  std::optional<Expr> lastRow;
  if (extents.size() > 2)
    lastRow = builder.size(extents[extents.size() - 2]) - 1;
  Func sum = builder.accumulateProducts("dense", targets::Role::Contraction, extents, k, [&](const Indices &indices) {
    Expr weight = AlgorithmBuilder::call(builder.func(product.weight), {indices.front(), k.x, indices.back()});
    Indices row(indices.begin() + 1, indices.end());
    row.back() = k.x;
    if (lastRow)
      row[row.size() - 2] = min(row[row.size() - 2], *lastRow);
    return std::make_pair(builder.at(product.rows, row), weight);
  });
  builder.define(product.result, [&](const Indices &indices) {
    Indices accumulated{indices.back() / width};
    accumulated.insert(accumulated.end(), indices.begin(), indices.end() - 1);
    accumulated.push_back(indices.back() % width);
    return AlgorithmBuilder::call(sum, accumulated);
  });
}

/// acc(n, rows…) += w(n, k) x(k, rows…).
static void buildDenseProduct(AlgorithmBuilder &builder, DenseOp op) {
  Halide::RDom k = builder.productDomain(op.getReductionSize());
  if (auto panel = dyn_cast_or_null<PanelAttr>(nn::getType(op.getWeight()).getEncoding()))
    return buildRowsTimesPanels(builder, {op.getResult(), op.getX(), op.getWeight(), panel.getWidth()}, k);
  Func sum = builder.accumulateProducts(
      "dense", targets::Role::Contraction, getExtents(nn::getType(op.getResult())), k, [&](const Indices &indices) {
        Indices x(indices);
        x.back() = k.x;
        return std::make_pair(builder.at(op.getX(), x), builder.at(op.getWeight(), {indices.back(), k.x}));
      });
  builder.bind(op.getResult(), sum);
}

static void buildMatmul(AlgorithmBuilder &builder, MatmulOp op) {
  Halide::RDom k = builder.domain("k", {Expr(static_cast<int32_t>(op.getReductionSize()))});
  Func sum = builder.accumulateProducts(
      "matmul", targets::Role::Contraction, getExtents(nn::getType(op.getResult())), k, [&](const Indices &indices) {
        Indices a(indices), b(indices);
        a.back() = k.x;
        b[b.size() - 2] = k.x;
        return std::make_pair(builder.atSuffix(op.getA(), a), builder.atSuffix(op.getB(), b));
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
