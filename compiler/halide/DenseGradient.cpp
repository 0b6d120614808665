//===- DenseGradient.cpp - Algorithms of a dense op's derivatives ---------===//

#include "compiler/halide/Builder.h"

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;
using Halide::RDom;

namespace nnc {

static Expr zero(const Indices &) { return 0.0f; }

static int32_t toInt(int64_t value) { return static_cast<int32_t>(value); }

//===----------------------------------------------------------------------===//
// The vectors' cotangent
//===----------------------------------------------------------------------===//

/// A weight that lies as [n][k]: acc(k, rows…) += w(k, n) dy(n, rows…).
static void buildFromRowMajor(AlgorithmBuilder &builder, DenseInputGradientOp op) {
  RDom n = builder.domain("n", {Expr(toInt(op.getReductionSize()))});
  Func sum =
      builder.accumulate("dense", targets::Role::Contraction, getExtents(nn::getType(op.getResult())), n, zero,
                         [&](Expr self, const Indices &indices) {
                           Indices dy(indices);
                           dy.back() = n.x;
                           return self + builder.at(op.getWeight(), {n.x, indices.back()}) * builder.at(op.getDy(), dy);
                         });
  builder.bind(op.getResult(), sum);
}

/// Panels of outputs: each sum is an inner product of what is contiguous, over the
/// whole panels and over what the last panel holds.
static void buildFromPanels(AlgorithmBuilder &builder, DenseInputGradientOp op, PanelAttr panel) {
  int64_t width = panel.getWidth(), size = op.getReductionSize();
  Extents extents = getExtents(nn::getType(op.getResult()));
  auto accumulate = [&](int64_t lanes, int64_t first, int64_t panels) {
    RDom r = builder.domain("n", {Expr(toInt(lanes)), Expr(toInt(panels))});
    return builder.accumulate(
        "dense", targets::Role::InnerProduct, extents, r, zero, [&](Expr self, const Indices &indices) {
          Indices dy(indices);
          dy.back() = (r[1] + toInt(first)) * toInt(width) + r[0];
          Expr weight =
              AlgorithmBuilder::call(builder.func(op.getWeight()), {r[1] + toInt(first), indices.back(), r[0]});
          return self + weight * builder.at(op.getDy(), dy);
        });
  };
  std::vector<Func> sums;
  if (size >= width)
    sums.push_back(accumulate(width, 0, size / width));
  if (size % width != 0)
    sums.push_back(accumulate(size % width, size / width, 1));
  builder.define(op.getResult(), [&](const Indices &indices) {
    Expr sum = AlgorithmBuilder::call(sums.front(), indices);
    return sums.size() == 1 ? sum : sum + AlgorithmBuilder::call(sums.back(), indices);
  });
}

//===----------------------------------------------------------------------===//
// The weight's cotangent
//===----------------------------------------------------------------------===//

/// acc(k, n) += x(k, rows…) dy(n, rows…), or acc(lane, k, panel) as the weight lies.
static void buildWeightGradient(AlgorithmBuilder &builder, DenseWeightGradientOp op) {
  RankedTensorType type = nn::getType(op.getResult());
  Extents rows = getExtents(nn::getType(op.getX()));
  rows.pop_back();
  std::vector<Expr> sizes;
  for (const Extent &extent : llvm::reverse(rows))
    sizes.push_back(builder.size(extent));
  if (sizes.empty())
    sizes.push_back(1);
  RDom r = builder.domain("row", sizes);
  Indices row;
  for (size_t i = rows.size(); i-- > 0;)
    row.push_back(r[i]);
  auto at = [&](Value value, const Expr &column) {
    Indices place(row);
    place.push_back(column);
    return builder.at(value, place);
  };

  auto panel = dyn_cast_or_null<PanelAttr>(type.getEncoding());
  if (!panel) {
    Func sum = builder.accumulate("dense", targets::Role::OuterProduct, getExtents(type), r, zero,
                                  [&](Expr self, const Indices &indices) {
                                    return self + at(op.getX(), indices[1]) * at(op.getDy(), indices[0]);
                                  });
    builder.bind(op.getResult(), sum);
    return;
  }
  int64_t width = panel.getWidth(), outputs = type.getDimSize(0);
  Extents packed{int64_t(llvm::divideCeil(outputs, width))}, shape(packed);
  packed.append(rows.begin(), rows.end());
  packed.push_back(width);
  shape.append({Extent(type.getDimSize(1)), Extent(width)});
  Func dy = packColumns(builder, op.getDy(), packed);
  Func sum =
      builder.accumulate("dense", targets::Role::OuterProduct, shape, r, zero, [&](Expr self, const Indices &indices) {
        Indices place{indices[0]};
        place.insert(place.end(), row.begin(), row.end());
        place.push_back(indices[2]);
        return self + at(op.getX(), indices[1]) * AlgorithmBuilder::call(dy, place);
      });
  builder.bind(op.getResult(), sum);
}

Func packColumns(AlgorithmBuilder &builder, Value value, ArrayRef<Extent> packed) {
  int64_t columns = nn::getType(value).getShape().back(), width = packed.back().size;
  return builder.stage("packed", targets::Role::Padded, packed, [&](const Indices &indices) {
    Indices place(indices.begin() + 1, indices.end());
    Expr column = indices.front() * toInt(width) + indices.back();
    place.back() = columns % width == 0 ? column : min(column, toInt(columns - 1));
    Expr element = builder.at(value, place);
    return columns % width == 0 ? element : Halide::select(column < toInt(columns), element, 0.0f);
  });
}

bool buildDenseGradient(AlgorithmBuilder &builder, Operation &op) {
  if (auto input = dyn_cast<DenseInputGradientOp>(op)) {
    auto panel = dyn_cast_or_null<PanelAttr>(nn::getType(input.getWeight()).getEncoding());
    return panel ? buildFromPanels(builder, input, panel) : buildFromRowMajor(builder, input), true;
  }
  if (auto weight = dyn_cast<DenseWeightGradientOp>(op))
    return buildWeightGradient(builder, weight), true;
  return false;
}

} // namespace nnc
