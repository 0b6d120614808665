//===- GradientTile.cpp - The inner loops of derivatives ------------------===//
//
// Inner products, of a columns by b points: a + b loads of vectors and a * b
// multiply-adds a step; the vectors of partial sums are added up once a tile.
//
// Outer products, of some panels by a block of columns:
//   for block of rows                                 copied: the panels' part of dy, the columns of x
//     for panel, tap, tile of columns, share of the panel
//       for row in block: acc[columns][lanes] += x[row][columns] * dy[row][lanes]   in registers
//       sums[panel][tap][columns] = acc                                             on the stack
//
// Few sums of whole images (LeNet-5's kernels) are made in parts, of a sixteenth of the
// examples each, which are tasks, too.
//
// The copies are read again and again from L1: rows of the originals, whose length is a power
// of two often, would be in each other's way there. Reached, of the multiply-add peak of one
// core (Zen 4, 118 GFLOP/s for both, ResNet's shapes): 3x3 AVX2 0.86 to 0.89, AVX-512 0.90 to
// 0.92; stride 2 0.82 and 0.81 to 0.87; 1x1 0.76 to 0.83 and 0.75 to 0.87; 512 channels on 7²
// pixels of one image 0.62 and 0.75, bound by writing the gradient; 2048 rows of a product of
// 256x256 0.85 and 0.86.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/GradientTile.h"

#include "targets/x86/RegisterTile.h"

#include <algorithm>
#include <numeric>

namespace nnc::targets::x86 {

using Halide::Func;
using Halide::MemoryType;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;
using Halide::VarOrRVar;

//===----------------------------------------------------------------------===//
// Inner products
//===----------------------------------------------------------------------===//

InnerTile chooseInnerTile(int64_t columns, int64_t points, const Isa &isa) {
  int most = isa.vector == 16 ? 24 : 12;
  InnerTile best{1, 1};
  double highest = 0;
  auto useful = [](int64_t extent, int tile) {
    return static_cast<double>(extent) / static_cast<double>((extent + tile - 1) / tile * tile);
  };
  for (int c = 1; c <= std::min<int64_t>(columns, 8); ++c)
    for (int p = 1; p <= std::min<int64_t>(points, most / c); ++p) {
      double sums = c * p;
      double value = useful(columns, c) * useful(points, p) * std::min(1.0, sums / 8) * std::min(1.0, sums / (c + p)) *
                     (1 - 0.2 / sums);
      if (c % 4 != 0 && c != columns) // what is stored is no vector
        value *= 0.95;
      if (value > highest * 1.0001) {
        highest = value;
        best = {c, p};
      }
    }
  return best;
}

void scheduleInnerProducts(Stage &products, Func out, Var at, const InnerTile &tile, const Isa &isa) {
  Var column = products.loops[0].var, point = products.loops[1].var, partial("partial");
  int vector = isa.vector;
  while (products.reductions[0].extent % vector != 0)
    vector /= 2;
  RVar k = products.reductions[0].var, lane("lane");
  std::vector<VarOrRVar> reductions;
  for (const ReductionLoop &loop : products.reductions)
    reductions.push_back(loop.var);
  if (vector > 1) {
    products.func.update().split(k, k, lane, vector);
    Func partials = products.func.update().rfactor(lane, partial);
    std::vector<Var> storage{partial};
    for (const Loop &loop : products.loops)
      storage.push_back(loop.var);
    std::vector<VarOrRVar> order{partial, column, point};
    order.insert(order.end(), reductions.begin(), reductions.end());
    partials.compute_at(out, at)
        .store_in(MemoryType::Stack)
        .reorder_storage(storage)
        .vectorize(partial)
        .unroll(column)
        .unroll(point);
    partials.update().reorder(order).vectorize(partial).unroll(column).unroll(point);
    reductions = {lane};
  }
  products.func.compute_at(out, at)
      .store_in(MemoryType::Stack)
      .bound_extent(column, tile.columns)
      .bound_extent(point, tile.points)
      .vectorize(column)
      .unroll(point);
  auto update = products.func.update();
  std::vector<VarOrRVar> order{column, point};
  order.insert(vector > 1 ? order.begin() : order.end(), reductions.begin(), reductions.end());
  update.reorder(order);
  if (vector > 1)
    update.atomic().vectorize(lane);
  update.vectorize(column).unroll(point);
}

//===----------------------------------------------------------------------===//
// Outer products
//===----------------------------------------------------------------------===//

/// Most bytes of sums, and of a copy, on the stack of a task.
static constexpr int64_t sumBytes = 96 << 10;

/// Columns of a task, in whole tiles, and in whole vectors where all are: enough of them
/// that copying what they are multiplied with costs little beside, in blocks of about the
/// same size.
static int64_t chooseColumns(int64_t columns, int64_t taps, int64_t width, int points, const Isa &isa) {
  constexpr int64_t enoughColumns = 128;
  int64_t step = columns % isa.vector == 0 ? std::lcm<int64_t>(points, isa.vector) : points;
  int64_t steps = (columns + step - 1) / step, most = 1;
  while (most < steps && most * step * taps < enoughColumns && (most + 1) * step * taps * width * 4 <= sumBytes)
    ++most;
  int64_t blocks = (steps + most - 1) / most;
  return (steps + blocks - 1) / blocks * step;
}

/// Panels of a task, which share what they are multiplied with: few enough for tasks to be
/// many and their sums small.
static int64_t choosePanels(int64_t panels, int64_t columnBlocks, int64_t bytes) {
  constexpr int64_t most = 2, enoughTasks = 8;
  bool isMany = (panels + most - 1) / most * columnBlocks >= enoughTasks;
  return isMany && most * bytes <= sumBytes ? most : 1;
}

/// Parts of the examples where sums are few.
static constexpr int partsOfRows = 16;

/// Whether too few tasks write the sums, which are so few and have so many terms of each
/// example that to add up those of parts is nothing beside.
static bool wantsParts(const Stage &sums, int64_t tasks, int64_t bytes) {
  constexpr int64_t fewTasks = 4, fewBytes = 16 << 10, manyTerms = 64;
  int64_t terms = 1, examples = sums.reductions.back().extent;
  for (size_t i = 0; i + 1 < sums.reductions.size(); ++i)
    terms *= sums.reductions[i].extent;
  return tasks < fewTasks && bytes <= fewBytes && terms >= manyTerms && (examples == 0 || examples >= partsOfRows);
}

namespace {

/// Outer products on their way to memory: `sums` are made of `reductions` on the stack of a
/// task, `out` stores them.
struct Placed {
  Func out;
  std::vector<Loop> loops; ///< of `out`
  Func sums;
  std::vector<ReductionLoop> reductions;
  bool inParts = false; ///< `out` has a further, outermost loop over the parts, `part`
  Var part = Var("p");
};

} // namespace

/// Parts of the examples, as many for any number of threads, get sums of their own, which
/// are added up in the end.
static Placed makeParts(Group &group, Stage &sums) {
  Placed placed{{}, sums.loops, {}, sums.reductions, /*inParts=*/true};
  ReductionLoop &rows = placed.reductions.back();
  RVar part("part"), row("row");
  Halide::Expr size = Halide::max((rows.size + (partsOfRows - 1)) / partsOfRows, 1);
  Var lane = sums.loops[0].var;
  int vector = static_cast<int>(std::min<int64_t>(sums.loops[0].extent, 8));
  sums.func.compute_root().store_in(onStack).vectorize(lane, vector);
  sums.func.update().split(rows.var, part, row, size, TailStrategy::GuardWithIf);
  placed.sums = sums.func.update().rfactor(part, placed.part);
  placed.out = placed.sums.in(sums.func);
  placed.out.compute_root().store_in(onStack).bound_extent(placed.part, partsOfRows);
  std::vector<VarOrRVar> order;
  for (const Loop &loop : sums.loops)
    order.push_back(loop.var);
  order.push_back(part);
  sums.func.update().reorder(order).vectorize(lane, vector);
  group.out.func.vectorize(group.out.loops[0].var, vector);
  rows = {row, 0, size};
  return placed;
}

bool scheduleOuterProducts(Group &group, const RowBlocks &blocks, const Isa &isa) {
  Stage *sums = nullptr, *packed = nullptr, *image = nullptr;
  const std::vector<Loop> &loops = group.out.loops;
  for (Stage &stage : group.stages)
    if (stage.role == Role::OuterProduct)
      sums = &stage;
  if (!sums || group.stages.size() != 3 || loops.size() < 3 || sums->loops.size() != loops.size() ||
      loops.front().extent % 8 != 0)
    return false;
  // One copy has the rows and a panel, the other the rows alone.
  for (Stage &stage : group.stages)
    if (&stage != sums)
      (stage.loops.size() == sums->reductions.size() + 2 ? packed : image) = &stage;
  if (!packed || !image)
    return false;

  int64_t width = loops.front().extent, columns = loops[1].extent, taps = 1;
  for (size_t i = 2; i + 1 < loops.size(); ++i)
    taps *= loops[i].extent;
  RegisterTile tile = chooseTile(width, columns, isa);
  int64_t block = chooseColumns(columns, taps, width, tile.points, isa);
  if (block * taps * width * 4 > maxStackBytes)
    return false;

  // A task: some panels, a block of columns, all taps.
  int64_t panels = choosePanels(loops.back().extent, (columns + block - 1) / block, block * taps * width * 4);
  int64_t tasks = (loops.back().extent + panels - 1) / panels * ((columns + block - 1) / block);
  bool inParts = wantsParts(*sums, tasks, loops.back().extent * columns * taps * width * 4);
  Placed placed = inParts ? makeParts(group, *sums) : Placed{group.out.func, loops, sums->func, sums->reductions};
  Func out = placed.out;
  Var k = placed.loops[1].var, panel = placed.loops.back().var;
  Var columnBlock("columns"), panelBlock("panels"), task("task");
  std::vector<VarOrRVar> order{placed.loops[0].var, k};
  for (size_t i = 2; i + 1 < loops.size(); ++i)
    order.push_back(placed.loops[i].var);
  order.insert(order.end(), {panel, columnBlock, panelBlock});
  // The last block begins earlier where columns are left over, and computes some again: of one with fewer columns
  // Halide does not see that it needs no more of the stack than the others.
  TailStrategy tail = columns >= block ? TailStrategy::ShiftInwards : TailStrategy::GuardWithIf;
  out.split(panel, panelBlock, panel, static_cast<int>(panels), TailStrategy::GuardWithIf)
      .split(k, columnBlock, k, static_cast<int>(block), tail)
      .reorder(order)
      .vectorize(placed.loops[0].var, tile.vector)
      .fuse(columnBlock, panelBlock, task);
  if (placed.inParts)
    out.fuse(task, placed.part, task);
  out.parallel(task).partition(task, Halide::Partition::Never);

  // The sums of a block of rows are made in registers and added to those on the stack.
  std::vector<VarOrRVar> inner, outer;
  auto update = placed.sums.update();
  for (size_t i = 0; i < placed.reductions.size(); ++i) {
    RVar row = placed.reductions[i].var;
    if (blocks[i] != 0 && blocks[i] == placed.reductions[i].extent) {
      inner.push_back(row);
      continue;
    }
    RVar within("within" + std::to_string(i));
    if (blocks[i] != 0) {
      update.split(row, row, within, static_cast<int>(blocks[i]), TailStrategy::GuardWithIf);
      inner.push_back(within);
    }
    outer.push_back(row);
  }
  Var lane = sums->loops[0].var, column = sums->loops[1].var, share("share"), vector("vector"), tiles("tile");
  // Few columns leave registers for the sums of several taps.
  size_t outerTap = 2;
  int64_t most = isa.vector == 16 ? 28 : 12, vectors = tile.lanes / tile.vector, points = tile.points;
  std::vector<VarOrRVar> sumOrder{column};
  for (; outerTap + 1 < loops.size() && vectors * points * loops[outerTap].extent <= most; ++outerTap) {
    points *= loops[outerTap].extent;
    sumOrder.push_back(sums->loops[outerTap].var);
    update.unroll(sums->loops[outerTap].var);
  }
  sumOrder.insert(points < vectors ? sumOrder.end() : sumOrder.begin(), vector);
  sumOrder.insert(sumOrder.begin(), lane);
  sumOrder.insert(sumOrder.end(), inner.begin(), inner.end());
  sumOrder.push_back(share);
  sumOrder.push_back(tiles);
  for (size_t i = outerTap; i < sums->loops.size(); ++i)
    sumOrder.push_back(sums->loops[i].var);
  sumOrder.insert(sumOrder.end(), outer.begin(), outer.end());
  placed.sums.compute_at(out, task).store_in(onStack).vectorize(lane, tile.vector);
  update.split(lane, share, lane, tile.lanes)
      .split(lane, vector, lane, tile.vector)
      .split(column, tiles, column, tile.points, TailStrategy::RoundUp)
      .reorder(sumOrder)
      .vectorize(lane)
      .unroll(vector)
      .unroll(column);

  Halide::LoopLevel perBlock(placed.sums, outer.front());
  if (placed.inParts) { // Halide does not see that a block is of one example
    packed->func.bound_extent(packed->loops[packed->loops.size() - 2].var, 1);
    image->func.bound_extent(image->loops.back().var, 1);
  }
  packed->func.compute_at(perBlock).store_in(onStack).vectorize(packed->loops[0].var, tile.vector,
                                                                TailStrategy::RoundUp);
  if (hasFreeWindow(*image))
    return true;
  image->func.compute_at(perBlock).store_in(onStack);
  if (block >= isa.vector)
    image->func.vectorize(image->loops[0].var, isa.vector,
                          columns % isa.vector == 0 ? TailStrategy::RoundUp : TailStrategy::GuardWithIf);
  return true;
}

} // namespace nnc::targets::x86
