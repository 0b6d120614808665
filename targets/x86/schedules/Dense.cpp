//===- Dense.cpp - Matrix products on x86 ---------------------------------===//
//
//   for panel of outputs, block of row tiles        (parallel)
//     for tile of rows                              the panel stays in L2
//       for k: acc[rows][panel] += x[rows][k] * w[panel][k][lanes]
//       out[rows][panel] = epilogue(acc)
//
// Gates of a cell are contractions of one tile, one after the other; their sums
// wait on the stack for the epilogue. Reached, of the multiply-add peak of one
// core (Zen 5, 269 GFLOP/s with AVX-512, 135 with AVX2): 1008³ 99 %, 64×1024×1024
// 97 %, 8×512×512 94 %; one row is bound by reading the weights.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/RegisterTile.h"
#include "targets/x86/X86.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::TailStrategy;
using Halide::Var;

/// Tiles of rows that one task computes with one panel.
static constexpr int tilesInTask = 8;

void scheduleDense(Group &group, const Isa &isa, int64_t minRows) {
  const std::vector<Loop> &loops = group.out.loops;
  bool inPanels = std::all_of(group.stages.begin(), group.stages.end(), [&](const Stage &stage) {
    return stage.role == Role::Contraction && stage.loops.size() == loops.size() + 1;
  });
  if (loops.size() < 2 || !inPanels || group.stages.empty())
    return scheduleDefault(group, isa);

  int64_t width = group.stages.front().loops[0].extent;
  // The rows of a tile are those of the innermost dimension that has rows.
  RegisterTile tile = loops[1].extent ? chooseTile(width, loops[1].extent, isa)
                                      : chooseTileFor(width, loops.size() == 2 ? minRows : 1, isa);
  Halide::Func out = group.out.func;
  Var r = loops[1].var, panel("panel"), lane("lane"), row("row"), task("task");
  out.split(loops[0].var, panel, lane, static_cast<int>(width), TailStrategy::GuardWithIf)
      .split(r, r, row, tile.points, tile.points == 1 ? TailStrategy::Auto : TailStrategy::ShiftInwards);
  std::vector<Halide::VarOrRVar> order{lane, row, r};
  if (loops.size() == 2) {
    Var block("block");
    out.split(r, block, r, tilesInTask, TailStrategy::GuardWithIf);
    order.push_back(block);
  }
  for (size_t i = 2; i < loops.size(); ++i)
    order.push_back(loops[i].var);
  order.push_back(panel);
  out.reorder(order).vectorize(lane, tile.vector).unroll(row);
  // One loop over all tasks: the outermost two.
  out.fuse(order[order.size() - 2].var, panel, task).parallel(task);
  for (Stage &stage : group.stages)
    scheduleSums(stage, out, r, tile);
}

} // namespace nnc::targets::x86
