//===- Winograd.cpp - Convolution by tiles on x86 -------------------------===//
//
//   for group of panels, example, block of tiles    (parallel)
//     for tile, vector of channels in:              36 transformed points, on the stack: they stay in L2
//       v[36][tile][in] = B^T d B
//     for panel of the group
//       for point, register tile of tiles
//         for channel in: acc[tiles][lanes] += v[point][tile][in] * u[panel][point][in][lanes]
//         m[point][tiles][panel] = acc              on the stack
//       for tile, vector of the panel: out[4][4] = epilogue(A^T m A)
//
// Weights are read once a block, from L3 or from memory, image and sums from L2. What a group
// of panels costs is one more transform of the image; where there are few blocks, groups give
// threads work.
//
// Where so few tiles fit L2 that reading weights for each few of them takes longer than the
// products, all tiles are transformed before, into the workspace:
//
//   for example, row of tiles                       (parallel)
//     for tile, vector of channels in: v[36][tile][in] = B^T d B
//
//   for example, panel, block of up to 56 tiles     (parallel; if examples have few, for panel, block of several)
//     products and epilogue as above
//
// Each block of v is read once a panel, which is less than its weights, and from L3, since an example's panels follow
// each other. VGG-16's layers of 512 channels take 9.5 ms of a Xeon's core on 28 by 28 pixels for 22, 4.5 on 14 by 14
// for 10.7. On a Zen 4 VGG-16 takes 789 ms for 8 images, 883 when all examples of a panel follow each other.
//
// Reached, of the multiply-add peak of one core that direct sums would need (Zen 4, 118
// GFLOP/s; `./dev bench conv3x3_56_64_64 conv3x3_28_128_128 conv3x3_14_256_256`, NNC_ISA), where
// 36 products for 144 allow 4, and 3.1 on 14 by 14 pixels: AVX-512 3.1, 3.0, 2.7; AVX2 2.5, 2.6,
// 2.1. Direct sums reach 0.92 to 0.95. Products at the peak would take 0.78 of the first one's
// time, transforms take the rest; the last one reads 9 MB of weights.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/Prefetch.h"
#include "targets/x86/RegisterTile.h"
#include "targets/x86/X86.h"

#include <algorithm>
#include <array>

namespace nnc::targets::x86 {

using Halide::TailStrategy;
using Halide::Var;

/// Most bytes of a block's transformed image: half of L2.
static constexpr int64_t imageBytes = 600 << 10;

/// Most bytes of the sums of a panel.
static constexpr int64_t sumBytes = 256 << 10;

/// Columns of a group: so many that a transform of the image is cheap beside their products.
static constexpr int64_t columnsInGroup = 128;

/// Tasks that keep threads busy.
static constexpr int64_t manyTasks = 16;

namespace {

/// The stages of a convolution by tiles.
struct Stages {
  Stage *padded = nullptr, *columns = nullptr, *image = nullptr, *products = nullptr, *sums = nullptr;
};

/// What a task computes.
struct Block {
  int64_t across = 1, down = 1; ///< tiles
  int64_t pointsAcross = 1, pointsDown = 1, lanes = 1;
  int64_t panels = 1;   ///< of a group
  int64_t examples = 1; ///< of whose tiles it is
};

} // namespace

static Stages findStages(Group &group) {
  Stages stages;
  for (Stage &stage : group.stages)
    if (stage.role == Role::Padded)
      stages.padded = &stage;
    else if (stage.role == Role::Contraction)
      stages.products = &stage;
    else
      (stages.products ? stages.sums : stages.columns ? stages.image : stages.columns) = &stage;
  return stages;
}

int64_t countTilesInCache(int64_t channels) { return std::max<int64_t>(4, imageBytes / (36 * channels * 4)); }

/// The block and its register tile that lose least: to tiles beyond the image's edge, to few
/// sums at once, and to weights that few tiles use.
static Block chooseBlock(const Stages &stages, const Isa &isa) {
  const std::vector<Loop> &loops = stages.products->loops;
  int64_t width = loops[0].extent, across = loops[1].extent, down = loops[2].extent, panels = loops.back().extent;
  // Tiles that are transformed wait in the workspace, the sums of a panel on the stack.
  int64_t most = stages.image ? std::min<int64_t>(countTilesInCache(stages.image->loops[0].extent), 32)
                              : sumBytes / (36 * width * 4);
  Block best;
  double least = 0;
  for (int64_t x = 1; x <= std::min(across, most); ++x)
    for (int64_t y = 1; y <= down && x * y <= most; ++y) {
      double computed = static_cast<double>(divideCeil(across, x) * x * divideCeil(down, y) * y);
      for (int64_t px = 1; px <= x; ++px)
        for (int64_t py = 1; py <= (px == x ? y : 1); ++py) {
          if (x % px != 0 || y % py != 0)
            continue;
          TileShare share = chooseShare(width, px * py, isa);
          if (share.lanes == 0)
            continue;
          double cost = computed / share.efficiency * (1 + 1.5 / static_cast<double>(x * y));
          if (least == 0 || cost < least * 0.999) {
            least = cost;
            best = {x, y, px, py, share.lanes, panels};
          }
        }
    }
  int64_t blocks = divideCeil(across, best.across) * divideCeil(down, best.down);
  if (stages.image) {
    int64_t groups = std::min(divideCeil(manyTasks, blocks), std::max<int64_t>(1, panels * width / columnsInGroup));
    best.panels = divideCeil(panels, groups);
    return best;
  }
  // Groups cost no transform. Images of few tiles use a weight together.
  best.panels = 1;
  if (blocks == 1 && loops.size() > 6)
    best.examples = std::max<int64_t>(1, most / (across * down));
  return best;
}

/// Splits and orders the loops of the result; gives those over tasks, panels and vectors.
static std::array<Var, 3> orderLoops(Group &group, const Stages &stages, const Block &block, int vector) {
  const std::vector<Loop> &loops = group.out.loops;
  Halide::Func out = group.out.func;
  int width = static_cast<int>(stages.products->loops[0].extent);
  Var x = loops[1].var, y = loops[2].var, lane("lane"), part("part"), panel("panel"), set("set"), pixelX("pixel_x"),
      pixelY("pixel_y"), blockX("block_x"), blockY("block_y");
  out.split(loops[0].var, panel, lane, width, TailStrategy::GuardWithIf)
      .split(panel, set, panel, static_cast<int>(block.panels), TailStrategy::GuardWithIf)
      .split(lane, part, lane, vector)
      .split(x, x, pixelX, 4, TailStrategy::GuardWithIf)
      .split(y, y, pixelY, 4, TailStrategy::GuardWithIf)
      .split(x, blockX, x, static_cast<int>(block.across), TailStrategy::GuardWithIf)
      .split(y, blockY, y, static_cast<int>(block.down), TailStrategy::GuardWithIf);
  std::vector<Halide::VarOrRVar> order{lane, pixelX, pixelY, part, x, y};
  if (block.examples > 1) {
    Var example("example");
    out.split(loops[3].var, loops[3].var, example, static_cast<int>(block.examples), TailStrategy::GuardWithIf);
    order.push_back(example);
  }
  order.push_back(panel);
  // An image that was transformed before is read by all panels while it is near, several that use a weight together
  // by one panel after the other.
  bool isSetOutside = stages.image || block.examples > 1;
  std::vector<Var> outer{blockX, blockY};
  if (!isSetOutside)
    outer.push_back(set);
  for (size_t i = 3; i < loops.size(); ++i)
    outer.push_back(loops[i].var);
  if (isSetOutside)
    outer.push_back(set);
  order.insert(order.end(), outer.begin(), outer.end());
  out.reorder(order).vectorize(lane).unroll(pixelX).unroll(pixelY);
  Var task = fuseLoops(out, outer);
  out.parallel(task);
  for (const Var &var : {task, panel, x, y})
    out.partition(var, Halide::Partition::Never);
  return {task, panel, part};
}

/// What is between the two transforms of a vector of a tile.
static void placeColumns(const Stages &stages, Halide::Func image, Var channels, int vector) {
  for (Stage *stage : {stages.columns, stages.padded})
    if (stage)
      stage->func.compute_at(image, channels)
          .store_in(onStack)
          .vectorize(stage->loops[0].var, vector)
          .unroll(stage->loops[1].var)
          .unroll(stage->loops[2].var);
}

/// The image of a task, tile by tile and vector by vector: what is between the two transforms
/// of a tile needs no memory to speak of.
static void placeImage(const Stages &stages, const Block &block, Halide::Func out, Var task, int vector) {
  Stage &image = *stages.image;
  Var channels("channels"), channel("channel");
  Var c = image.loops[0].var, x = image.loops[1].var, y = image.loops[2].var, pointX = image.loops[3].var,
      pointY = image.loops[4].var;
  image.func.bound_extent(x, static_cast<int>(block.across))
      .bound_extent(y, static_cast<int>(block.down))
      .compute_at(out, task)
      .store_in(onStack)
      .split(c, channels, channel, vector, TailStrategy::ShiftInwards)
      .reorder({channel, pointX, pointY, channels, x, y})
      .vectorize(channel)
      .unroll(pointX)
      .unroll(pointY);
  for (const Var &var : {channels, x, y}) // what is inside of the border costs nothing beside the rest
    image.func.partition(var, Halide::Partition::Never);
  placeColumns(stages, image.func, channels, vector);
}

/// The image as a value of its own.
static void scheduleImage(Group &group, const Stages &stages, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops; // channel, tile column, tile row, point x, point y, rows…
  Halide::Func out = group.out.func;
  Var channels("channels"), channel("channel"), c = loops[0].var;
  int vector = std::min<int>(static_cast<int>(loops[0].extent), isa.vector);
  std::vector<Halide::VarOrRVar> order{channel, loops[3].var, loops[4].var, channels, loops[1].var};
  std::vector<Var> outer{loops[2].var};
  for (size_t i = 5; i < loops.size(); ++i)
    outer.push_back(loops[i].var);
  order.insert(order.end(), outer.begin(), outer.end());
  out.split(c, channels, channel, vector, TailStrategy::ShiftInwards)
      .reorder(order)
      .vectorize(channel)
      .unroll(loops[3].var)
      .unroll(loops[4].var);
  placeColumns(stages, out, channels, vector);
  for (const Var &var : {channels, loops[1].var, loops[2].var})
    out.partition(var, Halide::Partition::Never);
  out.parallel(fuseLoops(out, outer));
}

/// The products of a panel.
static void placeProducts(Stage &products, const Block &block, Halide::Func out, Var at, int vector) {
  const std::vector<Loop> &loops = products.loops;
  Var lane = loops[0].var, x = loops[1].var, y = loops[2].var, share("share"), part("part"), pointX("tile_x"),
      pointY("tile_y");
  products.func.bound_extent(lane, static_cast<int>(loops[0].extent))
      .bound_extent(x, static_cast<int>(block.across))
      .bound_extent(y, static_cast<int>(block.down))
      .bound_extent(loops.back().var, 1)
      .compute_at(out, at)
      .store_in(onStack)
      .vectorize(lane, vector);
  std::vector<Halide::VarOrRVar> order{lane};
  if (block.pointsAcross * block.pointsDown < block.lanes / vector)
    order.insert(order.end(), {pointX, pointY, part});
  else
    order.insert(order.end(), {part, pointX, pointY});
  order.insert(order.end(), {products.reductions[0].var, share, x, y});
  if (block.examples > 1) {
    products.func.bound_storage(loops[5].var, static_cast<int>(block.examples));
    order.push_back(loops[5].var);
  }
  order.insert(order.end(), {loops[3].var, loops[4].var});
  products.func.update()
      .split(lane, share, lane, static_cast<int>(block.lanes))
      .split(lane, part, lane, vector)
      .split(x, x, pointX, static_cast<int>(block.pointsAcross))
      .split(y, y, pointY, static_cast<int>(block.pointsDown))
      .reorder(order)
      .vectorize(lane)
      .unroll(part)
      .unroll(pointX)
      .unroll(pointY);
}

/// What is between the two transforms of a tile's sums.
static void placeSums(Stage &sums, Halide::Func out, Var part, int vector) {
  const std::vector<Loop> &loops = sums.loops;
  // One tile and one panel: the edge of the result needs no more.
  for (Var var : {loops[3].var, loops[4].var, loops.back().var})
    sums.func.bound_extent(var, 1);
  sums.func.bound_extent(loops[1].var, 4)
      .compute_at(out, part)
      .store_in(onStack)
      .vectorize(loops[0].var, vector)
      .unroll(loops[1].var)
      .unroll(loops[2].var);
}

/// The weights, a vector of outputs in all points at a time.
static void scheduleWeights(Group &group, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops; // lane, channel in, point, panel
  Halide::Func out = group.out.func;
  Var lane = loops[0].var, part("part"), task("task");
  int vector = std::min<int>(static_cast<int>(loops[0].extent), isa.vector);
  out.split(lane, part, lane, vector)
      .reorder({lane, loops[2].var, part, loops[1].var, loops[3].var})
      .vectorize(lane)
      .unroll(loops[2].var)
      .fuse(loops[1].var, loops[3].var, task)
      .parallel(task)
      .partition(task, Halide::Partition::Never);
}

bool scheduleWinograd(Group &group, const Isa &isa) {
  if (group.stages.empty()) { // all other convolutions have sums
    scheduleWeights(group, isa);
    return true;
  }
  if (std::none_of(group.stages.begin(), group.stages.end(),
                   [](const Stage &stage) { return stage.role == Role::Transform; }))
    return false;
  Stages stages = findStages(group);
  if (!stages.products) {
    scheduleImage(group, stages, isa);
    return true;
  }
  Block block = chooseBlock(stages, isa);
  int vector = std::min<int>(static_cast<int>(stages.products->loops[0].extent), isa.vector);
  auto [task, panel, part] = orderLoops(group, stages, block, vector);
  if (stages.image)
    placeImage(stages, block, group.out.func, task, isa.vector);
  placeProducts(*stages.products, block, group.out.func, panel, vector);
  prefetchWeights(group, *stages.products);
  prefetchOperands(group);
  placeSums(*stages.sums, group.out.func, part, vector);
  return true;
}

} // namespace nnc::targets::x86
