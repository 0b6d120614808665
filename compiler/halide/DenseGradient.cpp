//===- DenseGradient.cpp - Algorithms of a dense op's derivatives ---------===//

#include "compiler/halide/Builder.h"

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;
using Halide::RDom;

namespace nnc {

static int32_t toInt(int64_t value) { return static_cast<int32_t>(value); }

//===----------------------------------------------------------------------===//
// The vectors' cotangent
//===----------------------------------------------------------------------===//

/// acc(k, rows…) += w(k, n) dy(n, rows…): a product with the transposed weight. In panels of
/// its inputs the weight lies as that of such a product does.
static void buildInputGradient(AlgorithmBuilder &builder, DenseInputGradientOp op) {
  RDom n = builder.productDomain(op.getReductionSize());
  auto panel = dyn_cast_or_null<PanelAttr>(nn::getType(op.getWeight()).getEncoding());
  if (panel && panel.getDim() == 1)
    return buildRowsTimesPanels(builder, {op.getResult(), op.getDy(), op.getWeight(), panel.getWidth()}, n);
  Func sum = builder.accumulateProducts(
      "dense", targets::Role::Contraction, getExtents(nn::getType(op.getResult())), n, [&](const Indices &indices) {
        Indices dy(indices);
        dy.back() = n.x;
        return std::make_pair(builder.at(op.getDy(), dy), builder.at(op.getWeight(), {n.x, indices.back()}));
      });
  builder.bind(op.getResult(), sum);
}

//===----------------------------------------------------------------------===//
// The weight's cotangent
//===----------------------------------------------------------------------===//

/// acc(k, n) += x(k, rows…) dy(n, rows…), or acc(lane, k, panel) as the weight lies, of
/// copies; k goes on beyond the last column there, which is repeated.
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
    Func sum = builder.accumulateProducts(
        "dense", targets::Role::OuterProduct, getExtents(type), r,
        [&](const Indices &indices) { return std::make_pair(at(op.getDy(), indices[0]), at(op.getX(), indices[1])); });
    builder.bind(op.getResult(), sum);
    return;
  }
  int64_t width = panel.getWidth(), outputs = type.getDimSize(0);
  Extents packed{int64_t(llvm::divideCeil(outputs, width))}, shape(packed);
  packed.append(rows.begin(), rows.end());
  packed.push_back(width);
  shape.append({Extent(type.getDimSize(1)), Extent(width)});
  Func dy = packColumns(builder, op.getDy(), packed);
  Func x = builder.stage("columns", targets::Role::Padded, getExtents(nn::getType(op.getX())),
                         [&](const Indices &indices) { return builder.at(op.getX(), indices); });
  int32_t last = toInt(type.getDimSize(1) - 1);
  Func sum = builder.accumulateProducts("dense", targets::Role::OuterProduct, shape, r, [&](const Indices &indices) {
    Indices place{indices[0]}, column(row);
    place.insert(place.end(), row.begin(), row.end());
    place.push_back(indices[2]);
    column.push_back(min(indices[1], last));
    return std::make_pair(AlgorithmBuilder::call(x, column), AlgorithmBuilder::call(dy, place));
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
  if (auto input = dyn_cast<DenseInputGradientOp>(op))
    return buildInputGradient(builder, input), true;
  if (auto weight = dyn_cast<DenseWeightGradientOp>(op))
    return buildWeightGradient(builder, weight), true;
  return false;
}

} // namespace nnc
