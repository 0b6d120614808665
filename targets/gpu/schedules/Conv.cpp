//===- Conv.cpp - Convolution on a device ---------------------------------===//
//
//   for example, block of pixels, some panels       a block of threads
//     sums of a tile (ProductTile.h): rows are pixels, in whole rows of the image or parts
//       of one; what is copied of the image are the elements under the windows
//     out[pixels][channels] = epilogue(sums)
//
// The tile is the largest of which there are enough for all processors. Where even small
// ones are few and sums are long, they are cut:
//
//   for example, block of pixels, some panels, part: partial[part] = sums of a tile over a part
//   for block, thread: out[point] = epilogue(sum of the parts)
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

/// A tile at most so large.
struct TileSize {
  int64_t pixels, channels;
};

/// From the one that copies least for what it computes to the one that makes most blocks.
static constexpr TileSize tileSizes[] = {{112, 64}, {64, 64}, {32, 32}};

/// Blocks that keep a device busy.
static constexpr int64_t manyBlocks = 132;

static int64_t countTiles(int64_t extent, int64_t tile) { return (extent + tile - 1) / tile; }

/// The part of a row, or the rows, of which least is left over.
static PixelBlock choosePixels(int64_t width, int64_t height, int64_t most) {
  auto countComputed = [](int64_t extent, int64_t tile, int64_t pixels) {
    return countTiles(extent, tile) * countTiles(pixels, 8);
  };
  PixelBlock best{std::min(width, most), 1};
  if (width <= most) {
    for (int64_t rows = std::min(most / width, height); rows > 1; --rows)
      if (best.rows == 1 ||
          countComputed(height, rows, rows * width) < countComputed(height, best.rows, best.rows * width))
        best.rows = rows;
    return best;
  }
  for (int64_t columns = most; columns >= most / 2; columns -= 4)
    if (countComputed(width, columns, columns) < countComputed(width, best.columns, best.columns))
      best.columns = columns;
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

/// A kernel for parts of the sums, and one for the result.
static bool scheduleParts(Group &group, Stage &product, const ProductTile &tile, int64_t examples) {
  if (!launchParts(product, tile, examples, group))
    return false;
  Var thread = launchPoints(group.out.func, group.out.loops);
  if (group.values.defined())
    group.values.compute_at(group.out.func, thread);
  product.func.compute_at(group.out.func, thread);
  return true;
}

void scheduleConv(Group &group, int64_t minRows) {
  if (scheduleWinograd(group, minRows))
    return;
  const std::vector<Loop> &loops = group.out.loops;
  Stage *product = findProduct(group);
  // Dimensions of pixels that are one dimension of the sums.
  size_t flat = product ? loops.size() + 2 - product->loops.size() : 0;
  if (flat < 1 || loops.size() < 3 || !loops[1].extent)
    return scheduleDefault(group);
  bool hasRows = flat > 1 && loops.size() > 3 && loops[2].extent;
  int64_t width = loops[1].extent, height = hasRows ? loops[2].extent : 1;
  int64_t channels = product->loops[0].extent * product->loops.back().extent, examples = 1;
  for (size_t i = hasRows ? 3 : 2; i < loops.size(); ++i)
    examples *= loops[i].extent ? loops[i].extent : minRows;

  PixelBlock pixels;
  ProductTile tile;
  for (const TileSize &size : tileSizes) {
    pixels = choosePixels(width, height, size.pixels);
    tile = chooseProductTile(product->loops[0].extent, product->loops.back().extent, size.pixels, product->reductions,
                             size.channels);
    int64_t blocks = countTiles(width, pixels.columns) * countTiles(height, pixels.rows) *
                     countTiles(channels, tile.lanes * tile.panels) * examples;
    if (blocks >= manyBlocks)
      break;
    if (size.pixels == 64 && scheduleParts(group, *product, tile, examples))
      return;
  }
  tile.rows = static_cast<int>(countTiles(pixels.columns * pixels.rows, tile.threadRows)) * tile.threadRows;

  Func out = group.out.func;
  Var column = loops[1].var, pixel = column, row("row"), block("block");
  TileColumns columns = spreadColumns(out, loops[0], tile);
  out.split(column, block, column, static_cast<int>(pixels.columns), TailStrategy::ShiftInwards);
  std::vector<Var> outer{columns.panels, block};
  if (hasRows) {
    Var rows = loops[2].var, rowBlock("rowBlock"), both("both");
    out.split(rows, rowBlock, rows, static_cast<int>(pixels.rows), TailStrategy::ShiftInwards);
    outer.push_back(rowBlock);
    if (pixels.rows > 1) {
      out.fuse(column, rows, both);
      pixel = both;
    } else {
      outer.push_back(rows);
    }
  }
  for (size_t i = hasRows ? 3 : 2; i < loops.size(); ++i)
    outer.push_back(loops[i].var);
  Var blocks = fuseAll(out, outer, "blocks"); // of a second dimension a device has 65535 at most
  out.split(pixel, pixel, row, tile.threadRows, TailStrategy::GuardWithIf)
      .reorder(columns.lane, row, columns.x, pixel, blocks)
      .gpu_blocks(blocks)
      .gpu_threads(columns.x, pixel);
  spreadPixels(out, columns, row, tile, group);
  scheduleProductTile(*product, out, blocks, tile, group);
}

} // namespace nnc::targets::gpu
