//===- Dense.cpp - Matrix products on a device ----------------------------===//
//
//   for panel of columns, 64 rows                   a block of 128 threads
//     sums of a tile (ProductTile.h)
//     out[rows][columns] = epilogue(sums)
//
//===----------------------------------------------------------------------===//

#include "targets/gpu/Gpu.h"
#include "targets/gpu/ProductTile.h"

#include <algorithm>

namespace nnc::targets::gpu {

using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;

static void scheduleTiles(Group &group, int rows) {
  const std::vector<Loop> &loops = group.out.loops;
  Func out = group.out.func;
  int width = static_cast<int>(group.stages.front().loops[0].extent);
  ProductTile tile{width, {rows}, 4, 8, 32};
  Var c = loops[0].var, r = loops[1].var, panel("panel"), tx("tx"), ci("ci"), ty("ty"), ri("ri"), block("block");
  out.split(c, panel, tx, width, TailStrategy::GuardWithIf)
      .split(tx, tx, ci, tile.threadColumns)
      .split(r, block, ty, rows, TailStrategy::ShiftInwards)
      .split(ty, ty, ri, tile.threadRows)
      .reorder(ci, ri, tx, ty, panel, block)
      .gpu_blocks(panel, block)
      .gpu_threads(tx, ty)
      .unroll(ri);
  if (group.values.defined())
    group.values.compute_at(out, ci);
  for (Stage &stage : group.stages)
    scheduleProductTile(stage, out, panel, tile);
}

void scheduleDense(Group &group, int64_t minRows) {
  const std::vector<Loop> &loops = group.out.loops;
  bool inPanels = !group.stages.empty() && std::all_of(group.stages.begin(), group.stages.end(), [&](const Stage &stage) {
    return stage.role == Role::Contraction && stage.loops.size() == loops.size() + 1;
  });
  if (inPanels && loops.size() == 2 && minRows >= 64 && group.stages.front().loops[0].extent >= 32)
    return scheduleTiles(group, 64);
  if (!schedulePanels(group, minRows))
    scheduleDefault(group);
}

} // namespace nnc::targets::gpu
