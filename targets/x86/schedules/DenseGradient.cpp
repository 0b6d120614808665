//===- DenseGradient.cpp - Derivatives of matrix products on x86 ----------===//
//
// The vectors' cotangent, with the weight in panels of what is summed:
//   for block of columns, block of rows               (parallel)
//     for tile of columns, tile of rows               the columns' weights stay in L1
//       for panel, vector of it: acc[rows][columns][lanes] += dy[rows][lanes] * w[panel][columns][lanes]
//       out[rows][columns] = epilogue(sum of the lanes of acc)
//
// The weight's cotangent: outer products (GradientTile.cpp).
//
//===----------------------------------------------------------------------===//

#include "targets/x86/GradientTile.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;
using Halide::VarOrRVar;

/// Tiles of rows that one task computes.
static constexpr int tilesInTask = 8;

/// Bytes of the weight that a task reads: half of L2.
static constexpr int64_t weightBytes = 256 << 10;

/// Rows whose outer products are added in registers.
static constexpr int64_t rowsInBlock = 128;

static void scheduleInputGradient(Group &group, const Isa &isa, int64_t minRows) {
  const std::vector<Loop> &loops = group.out.loops;
  InnerTile tile = chooseInnerTile(loops[0].extent,
                                   loops[1].extent     ? loops[1].extent
                                   : loops.size() == 2 ? minRows
                                                       : 1,
                                   isa);
  int64_t reduction = 1;
  for (const ReductionLoop &loop : group.stages.front().reductions)
    reduction *= loop.extent;
  int columnTiles = static_cast<int>(std::max<int64_t>(1, weightBytes / (reduction * 4 * tile.columns)));
  Func out = group.out.func;
  Var k = loops[0].var, r = loops[1].var, column("column"), row("row"), columns("columns"), task("task");
  out.split(k, k, column, tile.columns, TailStrategy::ShiftInwards)
      .split(k, columns, k, columnTiles, TailStrategy::GuardWithIf)
      .split(r, r, row, tile.points, tile.points == 1 ? TailStrategy::Auto : TailStrategy::ShiftInwards);
  std::vector<VarOrRVar> order{column, row, r, k};
  if (loops.size() == 2) {
    Var block("block");
    out.split(r, block, r, tilesInTask, TailStrategy::GuardWithIf);
    order.push_back(block);
  }
  for (size_t i = 2; i < loops.size(); ++i)
    order.push_back(loops[i].var);
  order.push_back(columns);
  out.reorder(order).vectorize(column).unroll(row);
  out.fuse(order[order.size() - 2].var, columns, task).parallel(task);
  for (Stage &stage : group.stages)
    scheduleInnerProducts(stage, out, r, tile, isa);
}

void scheduleDenseGradient(Group &group, const Isa &isa, int64_t minRows) {
  auto isInner = [](const Stage &stage) { return stage.role == Role::InnerProduct; };
  if (std::all_of(group.stages.begin(), group.stages.end(), isInner) && group.out.loops.size() >= 2)
    return scheduleInputGradient(group, isa, minRows);
  auto sums = std::find_if(group.stages.begin(), group.stages.end(),
                           [](const Stage &stage) { return stage.role == Role::OuterProduct; });
  if (sums != group.stages.end()) {
    RowBlocks blocks(sums->reductions.size());
    blocks.front() =
        sums->reductions.front().extent ? std::min(sums->reductions.front().extent, rowsInBlock) : rowsInBlock;
    if (sums->reductions.front().extent && blocks.size() == 1)
      blocks.front() = 0;
    if (scheduleOuterProducts(group, blocks, isa))
      return;
  }
  scheduleDefault(group, isa);
}

} // namespace nnc::targets::x86
