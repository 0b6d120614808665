//===- Winograd.cpp - Algorithms of convolution by tiles ------------------===//
//
// Winograd's F(4x4, 3x3): a tile of 4 by 4 results is A^T [(G k G^T) . (B^T d B)] A of the 6
// by 6 pixels d that it reads, where the dot multiplies element by element, and sums over the
// channels stand between the two transforms: 36 matrix products, with a quarter of the
// multiplications.
//
// The matrices interpolate polynomials at the points 0, ±1/√2, ±√2 and infinity. With the
// usual 0, ±1, ±2 the result is 4 times farther from the exact one (7e-6 of the largest
// element instead of 1.7e-6, at 256 channels; a direct sum has 3e-7): what a point contributes
// has weights of about one size in all of its powers, since the points are each other's inverse.
//
//===----------------------------------------------------------------------===//

#include "compiler/halide/Window.h"

#include <cmath>

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;

namespace nnc {

static constexpr int tile = 4, taps = 3, points = tile + taps - 1;
static constexpr double outer = 1.41421356237309504880, inner = outer / 2; // the points, besides 0

using Get = llvm::function_ref<Expr(int)>;

/// Element `index` of G k: one dimension of a kernel.
static Expr transformKernel(const Expr &index, Get k) {
  auto number = [type = k(0).type()](double value) { return Halide::Internal::make_const(type, value); };
  // Lagrange's denominators at ±1/√2, ±√2: p^2 (p^2 - q^2) 2 / ... of the other pair q.
  auto pair = [&](double p, double q) {
    double scale = 1 / (2 * p * p * (p * p - q * q));
    Expr even = (k(0) + k(2) * number(p * p)) * number(scale), odd = k(1) * number(p * scale);
    return std::make_pair(even + odd, even - odd);
  };
  auto [innerPlus, innerMinus] = pair(inner, outer);
  auto [outerPlus, outerMinus] = pair(outer, inner);
  return Halide::mux(index, {k(0), innerPlus, innerMinus, outerPlus, outerMinus, k(2)});
}

/// Element `index` of B^T d: one dimension of a tile of the image.
static Expr transformImage(const Expr &index, Get d) {
  auto pair = [&](double p, double q) {
    Expr even = d(4) - static_cast<float>(q * q) * d(2);
    Expr odd = static_cast<float>(p) * d(3) - static_cast<float>(p * q * q) * d(1);
    return std::make_pair(even + odd, even - odd);
  };
  auto [innerPlus, innerMinus] = pair(inner, outer);
  auto [outerPlus, outerMinus] = pair(outer, inner);
  return Halide::mux(
      index, {d(0) - 2.5f * d(2) + d(4), innerPlus, innerMinus, outerPlus, outerMinus, d(1) - 2.5f * d(3) + d(5)});
}

/// Element `index` of A^T m: one dimension of a tile of the result.
static Expr transformSums(const Expr &index, Get m) {
  Expr innerEven = m(1) + m(2), innerOdd = m(1) - m(2), outerEven = m(3) + m(4), outerOdd = m(3) - m(4);
  auto power = [](double p, int n) { return static_cast<float>(std::pow(p, n)); };
  return Halide::mux(index, {m(0) + innerEven + outerEven, power(inner, 1) * innerOdd + power(outer, 1) * outerOdd,
                             power(inner, 2) * innerEven + power(outer, 2) * outerEven,
                             power(inner, 3) * innerOdd + power(outer, 3) * outerOdd + m(5)});
}

/// weights(6 i + j, ci, co) = G k G^T, rounded once. On a device, which may have no float64, all of it is in float32:
/// what sums of 64 to 512 channels are off by stays the same, 1.5e-6 to 2.9e-6 of the largest element.
static void buildWeights(AlgorithmBuilder &builder, WinogradWeightsOp op) {
  RankedTensorType type = nn::getType(op.getResult());
  Halide::Type computed = Halide::Float(builder.isOnDevice() ? 32 : 64);
  auto element = [&](const Expr &number, const Expr &in, const Expr &out) {
    Expr weight = transformKernel(number / points, [&](int y) {
      return transformKernel(number % points, [&](int x) {
        auto tap = [&](int i) { return Expr(op.getFlip() ? taps - 1 - i : i); };
        bool turned = op.getTranspose();
        return Halide::cast(computed,
                            builder.at(op.getKernel(), {tap(y), tap(x), turned ? out : in, turned ? in : out}));
      });
    });
    return Halide::cast<float>(weight);
  };
  auto panel = dyn_cast_or_null<PanelAttr>(type.getEncoding());
  if (!panel) {
    builder.define(op.getResult(), [&](const Indices &indices) { return element(indices[0], indices[1], indices[2]); });
    return;
  }
  // [panel][number][ci][lane]
  auto width = static_cast<int32_t>(panel.getWidth()), outputs = static_cast<int32_t>(type.getShape().back());
  std::vector<Halide::Var> vars; // innermost first
  for (int i = 0; i < 4; ++i)
    vars.emplace_back(builder.unique("i"));
  Expr out = vars[3] * width + vars[0];
  Func packed(builder.unique("weights"));
  packed(vars) = outputs % width == 0
                     ? element(vars[2], vars[1], out)
                     : Halide::select(out < outputs, element(vars[2], vars[1], clamp(out, 0, outputs - 1)), 0.0f);
  builder.bind(op.getResult(), packed);
}

/// Tiles along a dimension of the result.
static int64_t countTiles(const Extent &extent) { return llvm::divideCeil(extent.size, tile); }

/// The last `count` indices in exchange for others.
static Indices replaceLast(const Indices &indices, unsigned count, std::initializer_list<Expr> by) {
  Indices result(indices.begin(), indices.end() - count);
  result.insert(result.end(), by);
  return result;
}

/// What an image is to the products: an element of [rows…, point y, point x, tile row, tile column, channel]. `shape`
/// is the result's, [rows…, height, width, …].
static Element makeTransformed(AlgorithmBuilder &builder, Value x, ArrayRef<int64_t> padding, ArrayRef<Extent> shape) {
  unsigned rows = shape.size() - 3; // dimensions before the image's
  SmallVector<int64_t> overhang;
  Extents extents(shape.begin(), shape.begin() + rows);
  for (const Extent &extent : shape.slice(rows, 2)) {
    extents.push_back(countTiles(extent));
    overhang.push_back(extents.back().size * tile - extent.size);
  }
  extents.append({int64_t(points), int64_t(points), nn::getType(x).getShape().back()});
  static constexpr int64_t sizes[] = {taps, taps}, strides[] = {1, 1};
  Window window{sizes, strides, {}, padding, overhang};
  WindowedImage image = padImage(builder, x, window, 0.0f);
  // One dimension of the image's tiles, then the other.
  Func half = builder.stage(
      "columns", targets::Role::Transform, extents,
      [&](const Indices &indices) { // tile row, tile column, row in the tile, point, channel
        const Expr *last = &indices[rows];
        return transformImage(last[3], [&](int column) {
          return image.element(replaceLast(indices, 5, {last[0] * tile + last[2], last[1] * tile + column, last[4]}));
        });
      });
  return [half, rows](const Indices &indices) {
    const Expr *last = &indices[rows];
    return transformImage(last[0], [&](int row) {
      return AlgorithmBuilder::call(half, replaceLast(indices, 5, {last[2], last[3], row, last[1], last[4]}));
    });
  };
}

namespace {

/// All tiles of all examples as one dimension, of which a block of threads takes as many as it wants, whatever an
/// example has. Beyond the last one it is repeated.
class FlatTiles {
public:
  /// `extents` are [rows…, tile rows, tile columns].
  FlatTiles(AlgorithmBuilder &builder, Extents extents) : extents(std::move(extents)) {
    for (const Extent &extent : this->extents)
      sizes.push_back(builder.size(extent));
  }

  Extent count() const {
    SmallVector<Length> product;
    int64_t fixed = 1;
    for (const Extent &extent : extents)
      if (extent.isDynamic())
        product.append(parseProduct(extent.name));
      else
        fixed *= extent.size;
    if (product.empty())
      return fixed;
    product.push_back({std::to_string(fixed)});
    return StringAttr::get(extents.front().name.getContext(), printProduct(product));
  }

  Expr flatten(const Indices &place) const {
    Expr tile = place[0];
    for (size_t i = 1; i < sizes.size(); ++i)
      tile = tile * sizes[i] + place[i];
    return tile;
  }

  Indices restore(const Expr &tile) const {
    Expr count = sizes[0];
    for (size_t i = 1; i < sizes.size(); ++i)
      count *= sizes[i];
    Indices place(sizes.size());
    place[0] = min(tile, count - 1);
    for (size_t i = sizes.size(); i-- > 1; place[0] = place[0] / sizes[i])
      place[i] = place[0] % sizes[i];
    return place;
  }

private:
  Extents extents;
  std::vector<Expr> sizes;
};

} // namespace

/// The sums over the channels `r`, elements of [panel, rows…, point y, point x, tile row, tile column, lane]. `factors`
/// gives what is multiplied for each. On a device they are 36 products of matrices, whose rows are all tiles.
static Element makeSums(AlgorithmBuilder &builder, const Extents &extents, const Halide::RDom &r,
                        const AlgorithmBuilder::Factors &factors) {
  auto accumulate = [&](ArrayRef<Extent> extents, const AlgorithmBuilder::Factors &factors) {
    return builder.accumulateProducts("products", targets::Role::Contraction, extents, r, factors);
  };
  if (!builder.isOnDevice()) {
    Func sums = accumulate(extents, factors);
    return [sums](const Indices &indices) { return AlgorithmBuilder::call(sums, indices); };
  }
  auto takeTile = [rows = extents.size() - 6](const auto &all) {
    std::decay_t<decltype(all)> place(all.begin() + 1, all.begin() + 1 + rows);
    place.insert(place.end(), all.end() - 3, all.end() - 1);
    return place;
  };
  FlatTiles tiles(builder, takeTile(extents));
  Extents matrices{extents.front(), int64_t(points * points), tiles.count(), extents.back()};
  Func sums = accumulate(matrices, [&](const Indices &indices) { // panel, point, tile, lane
    Indices tile = tiles.restore(indices[2]), all{indices[0]};
    all.insert(all.end(), tile.begin(), tile.end() - 2);
    all.insert(all.end(), {indices[1] / points, indices[1] % points, tile.end()[-2], tile.end()[-1], indices[3]});
    return factors(all);
  });
  return [sums, tiles, takeTile](const Indices &indices) {
    const Expr *last = &indices.back();
    return AlgorithmBuilder::call(
        sums, {indices.front(), last[-4] * points + last[-3], tiles.flatten(takeTile(indices)), indices.back()});
  };
}

/// Makes `result` the convolution of an image that is transformed.
static void buildProducts(AlgorithmBuilder &builder, Value result, Value weights, const Element &transformed) {
  RankedTensorType weightsType = nn::getType(weights);
  Extents shape = getExtents(nn::getType(result));
  unsigned y = shape.size() - 3, x = y + 1, rows = y; // rows: dimensions before the image's
  int64_t tilesDown = countTiles(shape[y]), tilesAcross = countTiles(shape[x]);
  int64_t inputs = weightsType.getDimSize(1), outputs = weightsType.getDimSize(2);
  auto panel = dyn_cast_or_null<PanelAttr>(weightsType.getEncoding());
  auto width = static_cast<int32_t>(panel ? panel.getWidth() : outputs);

  // All stages have the panel and [rows…] outermost, and these innermost:
  auto makeExtents = [&](ArrayRef<int64_t> innermost) {
    Extents extents{int64_t(llvm::divideCeil(outputs, width))};
    extents.append(shape.begin(), shape.begin() + rows);
    extents.append(innermost.begin(), innermost.end());
    return extents;
  };
  using targets::Role;
  Halide::RDom r = builder.domain("k", {Expr(static_cast<int32_t>(inputs))});
  Extents ofSums = makeExtents({points, points, tilesDown, tilesAcross, width});
  Element sums = makeSums(builder, ofSums, r, [&](const Indices &indices) {
    Indices left(indices.begin() + 1, indices.end());
    left.back() = r.x;
    Expr number = indices[rows + 1] * points + indices[rows + 2];
    Indices weight{number, r.x, indices.back()};
    if (panel)
      weight.insert(weight.begin(), indices.front());
    return std::make_pair(transformed(left),
                          panel ? AlgorithmBuilder::call(builder.func(weights), weight) : builder.at(weights, weight));
  });
  Func columns = builder.stage("sums", Role::Transform, makeExtents({tilesDown, tilesAcross, points, tile, width}),
                               [&](const Indices &indices) { // tile row, tile column, point y, pixel x, lane
                                 const Expr *last = &indices[rows + 1];
                                 return transformSums(last[3], [&](int point) {
                                   return sums(replaceLast(indices, 5, {last[2], point, last[0], last[1], last[4]}));
                                 });
                               });
  builder.define(result, [&](const Indices &indices) {
    return transformSums(indices[y] % tile, [&](int point) {
      Indices place{indices.back() / width};
      place.insert(place.end(), indices.begin(), indices.begin() + rows);
      place.insert(place.end(), {indices[y] / tile, indices[x] / tile, point, indices[x] % tile,
                                 getLane(builder, indices.back(), width)});
      return AlgorithmBuilder::call(columns, place);
    });
  });
}

/// The image is transformed block by block, as the schedule places that stage.
static void buildConv(AlgorithmBuilder &builder, WinogradConvOp op) {
  Extents shape = getExtents(nn::getType(op.getResult()));
  Element transformed = makeTransformed(builder, op.getX(), op.getPadding(), shape);
  Extents extents(shape.begin(), shape.end() - 3);
  extents.append({int64_t(points), int64_t(points), countTiles(shape.end()[-3]), countTiles(shape.end()[-2]),
                  nn::getType(op.getWeights()).getDimSize(1)});
  Func image = builder.stage("image", targets::Role::Transform, extents, transformed);
  buildProducts(builder, op.getResult(), op.getWeights(),
                [image](const Indices &indices) { return AlgorithmBuilder::call(image, indices); });
}

static void buildImage(AlgorithmBuilder &builder, WinogradImageOp op) {
  // The shape of the result that these tiles could give, edges and all.
  Extents shape = getExtents(nn::getType(op.getX()));
  ArrayRef<int64_t> padding = op.getPadding();
  for (unsigned i = 0; i < 2; ++i) {
    Extent &extent = shape.end()[-3 + static_cast<int>(i)];
    extent = extent.size + padding[2 * i] + padding[2 * i + 1] - (taps - 1);
  }
  builder.define(op.getResult(), makeTransformed(builder, op.getX(), padding, shape));
}

bool buildWinograd(AlgorithmBuilder &builder, Operation &op) {
  if (auto weights = dyn_cast<WinogradWeightsOp>(op))
    return buildWeights(builder, weights), true;
  if (auto conv = dyn_cast<WinogradConvOp>(op))
    return buildConv(builder, conv), true;
  if (auto image = dyn_cast<WinogradImageOp>(op))
    return buildImage(builder, image), true;
  if (auto products = dyn_cast<WinogradProductsOp>(op)) {
    Value image = products.getImage();
    buildProducts(builder, products.getResult(), products.getWeights(),
                  [&](const Indices &indices) { return builder.at(image, indices); });
    return true;
  }
  return false;
}

} // namespace nnc
