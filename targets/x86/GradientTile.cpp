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
// The gradients of several weights that the same rows are multiplied with, the gates of a cell,
// are values of one sum: a tile has a share of a panel of each, and x is copied once for all.
//
// Few sums of whole images (LeNet-5's kernels) are made in parts, of a sixteenth of the
// examples each, which are tasks, too.
//
// The copies are read again and again from L1: rows of the originals, whose length is a power
// of two often, would be in each other's way there. Reached, of the multiply-add peak of one
// core (Zen 4, 118 GFLOP/s for both, ResNet's shapes): 3x3 AVX2 0.86 to 0.89, AVX-512 0.90 to
// 0.92; stride 2 0.82 and 0.81 to 0.87; 1x1 0.76 to 0.83 and 0.75 to 0.87; 512 channels on 7²
// pixels of one image 0.62 and 0.75, bound by writing the gradient; 2048 rows of a product of
// 256x256 0.85 and 0.86; eight tasks of any number of threads then. A Xeon of two multiply-adds a
// cycle (179 GFLOP/s, L2 2 MB, L3 17 GB/s), tasks for one thread: 3x3 0.79 to 0.89, stride 2 0.74 to
// 0.84, 1x1 0.57 to 0.84, where the copies come from memory; by eight tasks 0.77 to 0.86, 0.66 to 0.75
// and 0.44 to 0.81. Copies were not asked for ahead then (PrefetchCopies.cpp).
//
//===----------------------------------------------------------------------===//

#include "targets/x86/GradientTile.h"

#include "targets/x86/Prefetch.h"
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
    return static_cast<double>(extent) / static_cast<double>(divideCeil(extent, tile) * tile);
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

/// Sums of outer products: `values` of each lane of each panel, for each column and tap.
struct OuterShape {
  int64_t width, panels, columns, taps;
  int64_t terms; ///< of each sum, about
  int values;
  int64_t rows, imageRows; ///< of a block, whose lanes and whose columns are copied
};

/// What of them is a task.
struct TaskShape {
  int threads; ///< up to which it is meant for
  int64_t columns, panels, count;
};

/// Examples and steps of a call of which nothing is known.
static constexpr int64_t fewExamples = 32;

/// Most bytes that a task has on the stack, its sums and copies.
static constexpr int64_t maxTaskBytes = 900 << 10;

/// The shape of tasks of which each of so many threads has one, if there is work for them. Its sums and copies stay in
/// L2. It copies what it multiplies, rows of its columns and of its panels: the more of the one, the less often the
/// other is copied. A block of columns is whole tiles, and whole vectors where all columns are.
static TaskShape chooseTask(const OuterShape &shape, int points, int threads, const Isa &isa) {
  constexpr int64_t taskWork = 80 << 10, mostPanels = 16;
  constexpr double copy = 10; // multiply-adds in whose time an element is copied
  int64_t step = shape.columns % isa.vector == 0 ? std::lcm<int64_t>(points, isa.vector) : points;
  int64_t steps = divideCeil(shape.columns, step), lanes = shape.width * shape.values;
  int64_t work = lanes * shape.panels * shape.columns * shape.taps * shape.terms;
  int64_t enoughTasks = std::clamp<int64_t>(work / taskWork, 1, threads);

  TaskShape best{threads, std::min(step, shape.columns), 1, 0};
  double least = 0;
  for (int64_t blocks = 1; blocks <= steps; ++blocks)
    for (int64_t panels = 1; panels <= std::min(shape.panels, mostPanels); ++panels) {
      int64_t columns = blocks == 1 ? shape.columns : divideCeil(steps, blocks) * step;
      int64_t stored = divideCeil(columns, points) * points;
      int64_t bytes = 4 * (panels * lanes * (shape.taps * stored + shape.rows) + stored * shape.imageRows);
      if (bytes > maxTaskBytes && (blocks < steps || panels > 1))
        continue;
      int64_t parts = divideCeil(shape.panels, panels), count = std::min(blocks * parts, enoughTasks);
      double computed = double(stored * blocks * panels * parts) / double(shape.columns * shape.panels);
      double copied = 1.0 / double(panels * lanes) + 1.0 / double(columns);
      double cost = computed * (1 + copy * copied / double(shape.taps));
      if (count > best.count || (count == best.count && cost < least * 0.999)) {
        best = {threads, columns, panels, count};
        least = cost;
      }
    }
  best.count = divideCeil(shape.columns, best.columns) * divideCeil(shape.panels, best.panels);
  return best;
}

/// The shapes for up to so many threads, from the most threads down. What a task is does not change the order of sums:
/// few threads have larger tasks, which copy less.
static std::vector<TaskShape> chooseTasks(const OuterShape &shape, int points, const Isa &isa) {
  std::vector<TaskShape> shapes;
  for (int threads : {8, 2}) {
    TaskShape task = chooseTask(shape, points, threads, isa);
    if (shapes.empty() || task.columns != shapes.back().columns || task.panels != shapes.back().panels)
      shapes.push_back(task);
  }
  return shapes;
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
  Stage *sums = nullptr, *image = nullptr;
  std::vector<Stage *> packed;
  const std::vector<Loop> &loops = group.out.loops;
  for (Stage &stage : group.stages)
    if (stage.role == Role::OuterProduct) {
      if (sums)
        return false;
      sums = &stage;
    }
  if (!sums || loops.size() < 3 || sums->loops.size() != loops.size() || loops.front().extent % 8 != 0)
    return false;
  // Copies of the one side have the rows and a panel, that of the other the rows alone.
  for (Stage &stage : group.stages) {
    if (&stage == sums)
      continue;
    if (stage.loops.size() == sums->reductions.size() + 2)
      packed.push_back(&stage);
    else if (!image)
      image = &stage;
    else
      return false;
  }
  int values = sums->func.outputs();
  if (!image || packed.size() != static_cast<size_t>(values))
    return false;

  OuterShape shape{loops.front().extent, loops.back().extent, loops[1].extent, 1, 1, values, 1, 1};
  for (size_t i = 2; i + 1 < loops.size(); ++i)
    shape.taps *= loops[i].extent;
  for (size_t i = 0; i < blocks.size(); ++i) {
    int64_t extent = sums->reductions[i].extent, rows = std::max<int64_t>(blocks[i], 1);
    shape.terms *= extent ? extent : fewExamples;
    shape.rows *= rows;
    shape.imageRows *= i < image->window.size() ? image->window[i].countRead(rows) : rows;
  }
  RegisterTile tile = chooseTile(shape.width, shape.columns, isa, values);
  // A task: some panels, a block of columns, all taps.
  std::vector<TaskShape> tasks = chooseTasks(shape, tile.points, isa);
  int64_t sumBytes = shape.taps * shape.width * values * 4, mostColumns = tasks.back().columns;
  if (mostColumns * sumBytes > maxTaskBytes)
    return false;
  bool inParts = values == 1 && wantsParts(*sums, tasks.front().count, shape.panels * shape.columns * sumBytes);
  Placed placed = inParts ? makeParts(group, *sums) : Placed{group.out.func, loops, sums->func, sums->reductions};
  Func out = placed.out;
  Var k = placed.loops[1].var, panel = placed.loops.back().var;
  Var columnBlock("columns"), panelBlock("panels"), task("task");
  std::vector<VarOrRVar> order{placed.loops[0].var, k};
  for (size_t i = 2; i + 1 < loops.size(); ++i)
    order.push_back(placed.loops[i].var);
  order.insert(order.end(), {panel, columnBlock, panelBlock});
  auto makeTasks = [&](auto &&stage, const TaskShape &shape) {
    // The last block begins earlier where columns are left over, and computes some again: of one with fewer columns
    // Halide does not see that it needs no more of the stack than the others.
    stage.split(panel, panelBlock, panel, static_cast<int>(shape.panels), TailStrategy::GuardWithIf)
        .split(k, columnBlock, k, static_cast<int>(shape.columns), TailStrategy::ShiftInwards)
        .reorder(order)
        .vectorize(placed.loops[0].var, tile.vector)
        .fuse(columnBlock, panelBlock, task);
    if (placed.inParts)
      stage.fuse(task, placed.part, task);
    stage.parallel(task).partition(task, Halide::Partition::Never);
  };
  Halide::Expr threads = countThreads();
  if (!placed.inParts)
    for (size_t i = tasks.size(); i-- > 1;)
      makeTasks(out.specialize(threads <= tasks[i].threads), tasks[i]);
  makeTasks(out, tasks.front());

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
  int64_t most = isa.vector == 16 ? 28 : 12, vectors = tile.lanes / tile.vector * values, points = tile.points;
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
  if (points < vectors && values > 1)
    orderSums(group);
  for (const VarOrRVar &loop : outer)
    update.partition(loop, Halide::Partition::Never); // the last block is not another loop nest

  Halide::LoopLevel perBlock(placed.sums, outer.front());
  if (placed.inParts) // Halide does not see that a block is of one example
    image->func.bound_extent(image->loops.back().var, 1);
  for (Stage *copy : packed) {
    if (placed.inParts)
      copy->func.bound_extent(copy->loops[copy->loops.size() - 2].var, 1);
    copy->func.compute_at(perBlock).store_in(onStack).vectorize(copy->loops[0].var, tile.vector, TailStrategy::RoundUp);
  }
  if (hasFreeWindow(*image))
    return true;
  prefetchCopies(group);
  image->func.compute_at(perBlock).store_in(onStack);
  if (tasks.front().columns >= isa.vector) {
    // Rows whose length is a power of two lines would be in each other's way in L1.
    int64_t lines = divideCeil(mostColumns, isa.vector) | 1;
    image->func.align_storage(image->loops[0].var, static_cast<int>(lines * isa.vector))
        .vectorize(image->loops[0].var, isa.vector,
                   shape.columns % isa.vector == 0 ? TailStrategy::RoundUp : TailStrategy::GuardWithIf);
  }
  return true;
}

} // namespace nnc::targets::x86
