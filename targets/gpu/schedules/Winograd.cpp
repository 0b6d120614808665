//===- Winograd.cpp - Convolution by tiles on a device --------------------===//
//
// The image, as a value of its own:
//   for block, thread: a channel of a tile          36 pixels in registers, 36 points of the tile
//
// What it gives, in two kernels:
//   for point, block of tiles, some panels          a block of threads
//     products[point][tiles][channels] = sums of a tile (ProductTile.h), whose rows are tiles of all examples
//   for block, thread: a channel of a tile
//     out[4][4] = epilogue(A^T m A)                 36 sums in registers, each read once
//
// The two kernels that transform go through memory once: neighbours among threads are neighbours among
// channels. Where the sums' blocks are few, each is cut in parts, which the last kernel adds.
//
//===----------------------------------------------------------------------===//

#include "targets/gpu/Gpu.h"
#include "targets/gpu/ProductTile.h"

#include <algorithm>

namespace nnc::targets::gpu {

using Halide::Func;
using Halide::MemoryType;
using Halide::TailStrategy;
using Halide::Var;

/// Of a tile in each direction: pixels of the result, and of the image, which its transform has as many points as.
static constexpr int tileSize = 4, points = 6;

/// Threads of a block that transforms; blocks of fewer where these would not be enough for all processors.
static constexpr int64_t mostThreads = 256, warp = 32;

/// Blocks that multiply and keep a device busy: more than others, as they have two warps each.
static constexpr int64_t manyProducts = 3 * busyBlocks;

/// Tiles whose sums a block has, where blocks are many and where they are few.
static constexpr int64_t mostRows = 128, fewRows = 64;

/// Points of loops, for at least so many rows.
static int64_t countPoints(const std::vector<Loop> &loops, int64_t minRows) {
  int64_t points = 1;
  for (const Loop &loop : loops)
    points *= loop.extent ? loop.extent : minRows;
  return points;
}

/// A kernel that has a thread for each of these points, in which it goes over the loops of a tile; gives the loop in
/// which a thread computes its own.
static Var launchTransform(Func out, const Var &across, const Var &down, const std::vector<Loop> &points,
                           int64_t minRows) {
  std::vector<Halide::VarOrRVar> order{across, down};
  for (const Loop &loop : points)
    order.push_back(loop.var);
  out.reorder(order).unroll(across).unroll(down);
  int64_t warps = countPoints(points, minRows) / (busyBlocks * warp);
  return launchPoints(out, points, static_cast<int>(std::clamp(warps * warp, warp, mostThreads)));
}

/// What is between the two transforms of a thread, in its registers: loops 1 and 2 are of one tile.
static void keepTile(const Stage &stage, Func out, const Var &thread, int across, int down) {
  Func tile = stage.func;
  for (size_t i = 0; i < stage.loops.size(); ++i)
    tile.bound_extent(stage.loops[i].var, i == 1 ? across : i == 2 ? down : 1);
  tile.compute_at(out, thread).store_in(MemoryType::Register).unroll(stage.loops[1].var).unroll(stage.loops[2].var);
}

/// The weights, a thread for each pair of channels.
static void scheduleWeights(Group &group) {
  std::vector<Loop> pairs = group.out.loops; // lane, channel in, point, panel
  Func out = group.out.func;
  Var point = pairs[2].var;
  pairs.erase(pairs.begin() + 2);
  out.reorder(point, pairs[0].var, pairs[1].var, pairs[2].var).unroll(point);
  launchPoints(out, pairs);
}

/// The image as a value of its own.
static void scheduleImage(Group &group, int64_t minRows) {
  std::vector<Loop> tiles = group.out.loops; // channel, tile column, tile row, point x, point y, rows…
  Func out = group.out.func;
  Var pointX = tiles[3].var, pointY = tiles[4].var;
  tiles.erase(tiles.begin() + 3, tiles.begin() + 5);
  Var thread = launchTransform(out, pointX, pointY, tiles, minRows);
  for (const Stage &stage : group.stages) // the image with its border, the first of the transforms
    keepTile(stage, out, thread, points, points);
}

/// The tile of the sums of so many tiles of images: a small one where large ones would be few.
static ProductTile chooseTile(const Stage &sums, int64_t tiles) {
  int64_t lanes = sums.loops[0].extent, panels = sums.loops.back().extent, rows = 1;
  while (rows < std::min(tiles, fewRows))
    rows *= 2;
  ProductTile tile = chooseProductTile(lanes, panels, rows, sums.reductions);
  int64_t blocks = sums.loops[2].extent * divideCeil(panels, tile.panels) * divideCeil(tiles, mostRows);
  rows = std::min(tiles, blocks >= manyProducts / 2 ? mostRows : fewRows);
  tile.rows = static_cast<int>(divideCeil(rows, tile.threadRows)) * tile.threadRows;
  return tile;
}

static void scheduleProducts(Group &group, Stage &sums, const Stage &columns, int64_t minRows) {
  Func out = group.out.func;
  std::vector<Loop> loops = group.out.loops; // channel, x, y, rows…
  Var c = loops[0].var, x = loops[1].var, y = loops[2].var, lane("lane"), pixelX("pixel_x"), pixelY("pixel_y");
  int64_t width = sums.loops[0].extent;
  out.split(c, c, lane, static_cast<int>(width), TailStrategy::GuardWithIf) // as the sums lie
      .split(x, x, pixelX, tileSize, TailStrategy::GuardWithIf)
      .split(y, y, pixelY, tileSize, TailStrategy::GuardWithIf);
  for (size_t i : {0, 1, 2})
    loops[i].extent = divideCeil(loops[i].extent, i == 0 ? width : tileSize);
  int64_t tiles = countPoints({loops.begin() + 1, loops.end()}, minRows);
  loops.insert(loops.begin(), {lane, width, {}});
  Var thread = launchTransform(out, pixelX, pixelY, loops, minRows);
  if (group.values.defined())
    group.values.compute_at(out, pixelX);
  keepTile(columns, out, thread, tileSize, points);

  ProductTile tile = chooseTile(sums, tiles);
  if (!launchParts(sums, tile, tiles, group, manyProducts))
    return launchTiles(sums, tile, group);
  Var point = sums.loops[2].var;
  for (size_t i : {0, 1, 3})
    sums.func.bound_extent(sums.loops[i].var, 1);
  sums.func.bound_extent(point, points * points)
      .compute_at(out, thread)
      .store_in(MemoryType::Register)
      .unroll(point)
      .update()
      .unroll(point);
}

bool scheduleWinograd(Group &group, int64_t minRows) {
  if (group.stages.empty()) { // all other convolutions have sums
    scheduleWeights(group);
    return true;
  }
  Stage *sums = nullptr, *transform = nullptr;
  for (Stage &stage : group.stages)
    if (stage.role == Role::Contraction)
      sums = &stage;
    else if (stage.role == Role::Transform)
      transform = &stage;
  if (!transform)
    return false;
  if (sums)
    scheduleProducts(group, *sums, *transform, minRows);
  else
    scheduleImage(group, minRows);
  return true;
}

} // namespace nnc::targets::gpu
