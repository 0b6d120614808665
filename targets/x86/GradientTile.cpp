//===- GradientTile.cpp - The inner loops of derivatives ------------------===//
//
// Inner products, of a columns by b points: a + b loads of vectors and a * b
// multiply-adds a step; the vectors of partial sums are added up once a tile.
//
// Outer products, of one panel by a block of columns:
//   for block of rows                                 copied: the panel's part, the image with its border
//     for tap, tile of columns, share of the panel
//       for row in block: acc[columns][lanes] += x[row][columns] * dy[row][lanes]   in registers
//       sums[tap][columns][panel] += acc                                            on the stack
//
//===----------------------------------------------------------------------===//

#include "targets/x86/GradientTile.h"

#include "targets/x86/RegisterTile.h"

#include <algorithm>

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

/// Columns of a task: enough of them that copying what they are multiplied with
/// costs little beside.
static int64_t chooseColumns(int64_t columns, int64_t taps, int64_t width, int points) {
  int64_t best = points;
  for (int64_t block = points; block <= columns; block += points) {
    if (columns % block != 0 || block * taps * width * 4 > sumBytes)
      continue;
    best = block;
    if (block * taps >= 64)
      break;
  }
  return best;
}

/// The greatest number of points up to what a tile may have that divides the columns.
static RegisterTile chooseDividing(int64_t width, int64_t columns, const Isa &isa) {
  RegisterTile best = chooseTile(width, 1, isa);
  int most = 0;
  for (int64_t points = std::min<int64_t>(columns, 16); points >= 1; --points) {
    if (columns % points != 0)
      continue;
    RegisterTile tile = chooseTile(width, points, isa);
    int sums = tile.lanes / tile.vector * tile.points;
    if (columns % tile.points == 0 && sums > most)
      best = tile, most = sums;
  }
  return best;
}

bool scheduleOuterProducts(Group &group, const RowBlocks &blocks, const Isa &isa) {
  Stage *sums = nullptr, *packed = nullptr, *padded = nullptr;
  for (Stage &stage : group.stages)
    (stage.role == Role::OuterProduct ? sums : stage.window.empty() ? packed : padded) = &stage;
  const std::vector<Loop> &loops = group.out.loops;
  if (!sums || !packed || group.stages.size() > (padded ? 3 : 2) || loops.size() < 3 ||
      sums->loops.size() != loops.size() || loops.front().extent % 8 != 0)
    return false;

  int64_t width = loops.front().extent, columns = loops[1].extent, taps = 1;
  for (size_t i = 2; i + 1 < loops.size(); ++i)
    taps *= loops[i].extent;
  RegisterTile tile = chooseDividing(width, columns, isa);
  int64_t block = chooseColumns(columns, taps, width, tile.points);
  if (block * taps * width * 4 > maxStackBytes)
    return false;

  // A task: one panel, a block of columns, all taps.
  Func out = group.out.func;
  Var k = loops[1].var, columnBlock("columns"), task("task");
  std::vector<VarOrRVar> order{loops[0].var, k};
  for (size_t i = 2; i + 1 < loops.size(); ++i)
    order.push_back(loops[i].var);
  order.push_back(columnBlock);
  order.push_back(loops.back().var);
  out.split(k, columnBlock, k, static_cast<int>(block))
      .reorder(order)
      .vectorize(loops[0].var, tile.vector)
      .fuse(columnBlock, loops.back().var, task)
      .parallel(task);

  // The sums of a block of rows are made in registers.
  std::vector<VarOrRVar> inner, outer;
  std::vector<std::pair<RVar, Var>> kept;
  auto update = sums->func.update();
  for (size_t i = 0; i < sums->reductions.size(); ++i) {
    RVar row = sums->reductions[i].var;
    if (blocks[i] != 0 && blocks[i] == sums->reductions[i].extent) {
      inner.push_back(row);
      continue;
    }
    RVar within("within" + std::to_string(i));
    if (blocks[i] != 0) {
      update.split(row, row, within, static_cast<int>(blocks[i]), TailStrategy::GuardWithIf);
      inner.push_back(within);
    }
    outer.push_back(row);
    kept.emplace_back(row, Var("block" + std::to_string(i)));
  }
  Func registers = sums->func.update().rfactor(kept);
  Var lane = sums->loops[0].var, column = sums->loops[1].var, innerLane("innerLane"), innerColumn("innerColumn");
  std::vector<VarOrRVar> sumOrder{innerLane, innerColumn, lane, column};
  for (size_t i = 2; i < sums->loops.size(); ++i)
    sumOrder.push_back(sums->loops[i].var);
  sumOrder.insert(sumOrder.end(), outer.begin(), outer.end());
  sums->func.compute_at(out, task).store_in(onStack).vectorize(lane, tile.vector);
  sums->func.update()
      .split(lane, lane, innerLane, tile.lanes)
      .split(column, column, innerColumn, tile.points)
      .reorder(sumOrder)
      .vectorize(innerLane, tile.vector)
      .unroll(innerLane)
      .unroll(innerColumn);

  std::vector<VarOrRVar> registerOrder{lane, column};
  registerOrder.insert(registerOrder.end(), inner.begin(), inner.end());
  registers.compute_at(sums->func, lane)
      .store_in(MemoryType::Stack)
      .vectorize(lane, tile.vector)
      .unroll(lane)
      .unroll(column);
  registers.update().reorder(registerOrder).vectorize(lane, tile.vector).unroll(lane).unroll(column);

  packed->func.compute_at(Halide::LoopLevel(sums->func, outer.front()))
      .store_in(onStack)
      .vectorize(packed->loops[0].var, tile.vector, TailStrategy::RoundUp);
  if (!padded || hasFreeWindow(*padded))
    return true;
  padded->func.compute_at(Halide::LoopLevel(sums->func, outer.front())).store_in(onStack);
  if (block >= isa.vector)
    padded->func.vectorize(padded->loops[0].var, isa.vector, TailStrategy::GuardWithIf);
  return true;
}

} // namespace nnc::targets::x86
