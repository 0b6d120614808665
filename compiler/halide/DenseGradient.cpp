//===- DenseGradient.cpp - Algorithms of a dense op's derivatives ---------===//

#include "compiler/halide/Builder.h"

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;
using Halide::RDom;

namespace nnc {

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

/// acc(k, n) += x(k, rows…) dy(n, rows…).
static void buildWeightGradient(AlgorithmBuilder &builder, DenseWeightGradientOp op, const RDom &r,
                                const Indices &row) {
  auto at = [&](Value value, const Expr &column) {
    Indices place(row);
    place.push_back(column);
    return builder.at(value, place);
  };
  Func sum = builder.accumulateProducts(
      "dense", targets::Role::OuterProduct, getExtents(nn::getType(op.getResult())), r,
      [&](const Indices &indices) { return std::make_pair(at(op.getDy(), indices[0]), at(op.getX(), indices[1])); });
  builder.bind(op.getResult(), sum);
}

/// acc(lane, k, panel) as the weight lies, of copies; k goes on beyond the last column, which is
/// repeated. The gradients of all weights that the rows are multiplied with are one sum of several
/// values: the rows are copied, and read, once for all.
static void buildWeightGradients(AlgorithmBuilder &builder, ArrayRef<DenseWeightGradientOp> ops, const Extents &rows,
                                 const RDom &r, const Indices &row) {
  DenseWeightGradientOp first = ops.front();
  RankedTensorType type = nn::getType(first.getResult());
  int64_t width = cast<PanelAttr>(type.getEncoding()).getWidth(), outputs = type.getDimSize(0);
  Extents packed{int64_t(llvm::divideCeil(outputs, width))}, shape(packed);
  packed.append(rows.begin(), rows.end());
  packed.push_back(width);
  shape.append({Extent(type.getDimSize(1)), Extent(width)});
  int32_t last = toInt(type.getDimSize(1) - 1);
  std::vector<Func> dys;
  for (DenseWeightGradientOp op : ops)
    dys.push_back(packColumns(builder, op.getDy(), packed));
  Func x = builder.stage("columns", targets::Role::Padded, getExtents(nn::getType(first.getX())),
                         [&](const Indices &indices) { return builder.at(first.getX(), indices); });
  std::vector<AlgorithmBuilder::Factors> products;
  for (const Func &dy : dys)
    products.push_back([&, dy](const Indices &indices) {
      Indices place{indices[0]}, column(row);
      place.insert(place.end(), row.begin(), row.end());
      place.push_back(indices[2]);
      column.push_back(min(indices[1], last));
      return std::make_pair(AlgorithmBuilder::call(x, column), AlgorithmBuilder::call(dy, place));
    });
  std::vector<Func> sums = builder.accumulateProducts("dense", targets::Role::OuterProduct, shape, r, products);
  for (auto [op, sum] : llvm::zip_equal(ops, sums))
    builder.bind(op->getResult(0), sum);
}

/// The first of the gradients that are made of the same rows makes all of them.
static void buildWeightGradient(AlgorithmBuilder &builder, DenseWeightGradientOp op) {
  SmallVector<DenseWeightGradientOp> alike;
  for (auto other : op->getBlock()->getOps<DenseWeightGradientOp>())
    if (other.getX() == op.getX() && other.getResult().getType() == op.getResult().getType())
      alike.push_back(other);
  Extents rows = getExtents(nn::getType(op.getX()));
  rows.pop_back();
  bool inPanels = isa_and_nonnull<PanelAttr>(nn::getType(op.getResult()).getEncoding());
  if (inPanels && alike.front() != op)
    return;
  auto [r, row] = builder.domainOver("row", rows);
  if (inPanels)
    buildWeightGradients(builder, alike, rows, r, row);
  else
    buildWeightGradient(builder, op, r, row);
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
