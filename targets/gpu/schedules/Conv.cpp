//===- Conv.cpp - Convolution on a device ---------------------------------===//
//
//   for example, block of pixels, some panels       a block of threads
//     sums of a tile (ProductTile.h): rows are pixels, in whole rows of the image or parts
//       of one; what is copied of the image are the elements under the windows
//     out[pixels][channels] = epilogue(sums)
//
//===----------------------------------------------------------------------===//

#include "targets/gpu/Gpu.h"
#include "targets/gpu/ProductTile.h"

#include <algorithm>

namespace nnc::targets::gpu {

using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;

/// Pixels of a block: some of one row of the result, or whole rows.
struct PixelBlock {
  int64_t columns, rows = 1;
};

static constexpr int64_t mostPixels = 64;

/// Tiles of an example that keep a device busy.
static constexpr int64_t manyTiles = 24;

static PixelBlock choosePixels(int64_t width, int64_t height, int64_t most) {
  if (width <= most)
    return {width, std::max<int64_t>(1, std::min(most / width, height))};
  // The part of a row that leaves least over.
  PixelBlock best{most};
  int64_t least = width;
  for (int64_t columns = most; columns >= most / 2; columns -= 4)
    if (int64_t waste = (width + columns - 1) / columns * columns - width; waste < least) {
      best.columns = columns;
      least = waste;
    }
  return best;
}

/// The one sum of products in panels of a group; null when there are several, or sums of
/// another kind.
static Stage *findProduct(Group &group) {
  Stage *product = nullptr;
  for (Stage &stage : group.stages) {
    if (!stage.func.has_update_definition())
      continue;
    bool strides =
        std::any_of(stage.window.begin(), stage.window.end(), [](const WindowStep &step) { return step.stride != 1; });
    if (product || !isProductInPanels(stage) || stage.role != Role::Contraction || strides)
      return nullptr;
    product = &stage;
  }
  return product;
}

void scheduleConv(Group &group) {
  const std::vector<Loop> &loops = group.out.loops;
  Stage *product = findProduct(group);
  // Dimensions of pixels that are one dimension of the sums.
  size_t flat = product ? loops.size() + 2 - product->loops.size() : 0;
  if (flat < 1 || loops.size() < 3 || !loops[1].extent)
    return scheduleDefault(group);
  bool hasRows = flat > 1 && loops.size() > 3 && loops[2].extent;
  int64_t columns = product->loops[0].extent * product->loops.back().extent;
  // Few tiles would leave the device idle: then smaller ones.
  int64_t pixelCount = loops[1].extent * (hasRows ? loops[2].extent : 1);
  bool isSmall = columns * pixelCount < manyTiles * mostPixels * mostPixels;
  PixelBlock pixels =
      choosePixels(loops[1].extent, hasRows ? loops[2].extent : 1, isSmall ? mostPixels / 2 : mostPixels);
  ProductTile tile = chooseProductTile(product->loops[0].extent, product->loops.back().extent,
                                       isSmall ? mostPixels / 2 : mostPixels, product->reductions, isSmall ? 32 : 64);
  tile.rows =
      static_cast<int>((pixels.columns * pixels.rows + tile.threadRows - 1) / tile.threadRows) * tile.threadRows;

  Func out = group.out.func;
  Var column = loops[1].var, pixel = column, row("row"), block("block");
  auto [panels, x, lane] = spreadColumns(out, loops[0].var, tile);
  out.split(column, block, column, static_cast<int>(pixels.columns), TailStrategy::ShiftInwards);
  std::vector<Var> outer{block};
  if (hasRows) {
    Var rows = loops[2].var, rowBlock("rowBlock"), both("both");
    out.split(rows, rowBlock, rows, static_cast<int>(pixels.rows), TailStrategy::ShiftInwards).fuse(column, rows, both);
    outer.push_back(rowBlock);
    pixel = both;
  }
  for (size_t i = hasRows ? 3 : 2; i < loops.size(); ++i)
    outer.push_back(loops[i].var);
  Var others = fuseAll(out, outer, "others");
  out.split(pixel, pixel, row, tile.threadRows, TailStrategy::GuardWithIf)
      .reorder(lane, row, x, pixel, panels, others)
      .gpu_blocks(panels, others)
      .gpu_threads(x, pixel)
      .unroll(row);
  if (group.values.defined())
    group.values.compute_at(out, lane);
  scheduleProductTile(*product, out, panels, tile);
}

} // namespace nnc::targets::gpu
