//===- Dense.cpp - Matrix products on a device ----------------------------===//
//
// Of many rows:
//   for some panels of columns, 64 rows             a block of threads
//     sums of a tile (ProductTile.h)
//     out[rows][columns] = epilogue(sums)
//
// Of few rows: Panels.cpp.
//
//===----------------------------------------------------------------------===//

#include "targets/gpu/Gpu.h"
#include "targets/gpu/ProductTile.h"

#include <algorithm>

namespace nnc::targets::gpu {

using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;

/// Rows that are worth tiles.
static constexpr int64_t manyRows = 256;

static void scheduleTiles(Group &group, const ProductTile &tile) {
  const std::vector<Loop> &loops = group.out.loops;
  Func out = group.out.func;
  Var r = loops[1].var, row("row"), block("block");
  TileColumns columns = spreadColumns(out, loops[0], tile);
  out.split(r, block, r, tile.rows, TailStrategy::ShiftInwards)
      .split(r, r, row, tile.threadRows)
      .reorder(columns.lane, row, columns.x, r, columns.panels, block)
      .gpu_blocks(columns.panels, block)
      .gpu_threads(columns.x, r);
  spreadPixels(out, columns, row, tile, group);
  for (Stage &stage : group.stages)
    scheduleProductTile(stage, out, columns.panels, tile, group);
}

void scheduleDense(Group &group, int64_t minRows) {
  const std::vector<Loop> &loops = group.out.loops;
  bool inPanels =
      !group.stages.empty() && std::all_of(group.stages.begin(), group.stages.end(), [&](const Stage &stage) {
        return stage.role == Role::Contraction && stage.loops.size() == loops.size() + 1 &&
               stage.loops[0].extent == group.stages[0].loops[0].extent && isProductInPanels(stage);
      });
  int64_t rows = loops.size() == 2 ? (loops[1].extent ? loops[1].extent : minRows) : 0;
  if (inPanels && rows >= manyRows) {
    const Stage &first = group.stages[0];
    const Stage &shortest =
        *std::min_element(group.stages.begin(), group.stages.end(), [](const Stage &a, const Stage &b) {
          return a.reductions[0].extent < b.reductions[0].extent;
        });
    ProductTile tile = chooseProductTile(first.loops[0].extent, first.loops.back().extent, rows, shortest.reductions);
    if (group.stages.size() > 1) // a thread has sums of each
      tile.threadLanes = std::min(tile.threadLanes, 4);
    return scheduleTiles(group, tile);
  }
  if (!schedulePanels(group, minRows))
    scheduleDefault(group);
}

} // namespace nnc::targets::gpu
