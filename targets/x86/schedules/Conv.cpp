//===- Conv.cpp - Direct convolution on x86 -------------------------------===//
//
//   for panel of channels, example, block of rows   (parallel)
//     copy the block's rows with their border       on the stack, where there is padding
//     for row in block, tile of pixels
//       for tap, channel in: acc[pixels][panel] += x[pixel, tap][in] * k[panel][tap][in][lanes]
//       out[pixels][panel] = epilogue(acc)
//
//===----------------------------------------------------------------------===//

#include "targets/x86/RegisterTile.h"
#include "targets/x86/X86.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::TailStrategy;
using Halide::Var;

/// Most bytes of a padded copy on the stack.
static constexpr int64_t stackBytes = 128 << 10;

/// Rows of the image that this many rows of the result read.
static int64_t getImageRows(const WindowStep &step, int64_t rows) { return (rows - 1) * step.stride + step.span; }

/// Rows of the result in a block: as many as keep the copy of the image small.
static int64_t chooseRows(const Stage *padded, int64_t rows) {
  if (!padded)
    return std::min<int64_t>(rows, 8);
  int64_t rowBytes = padded->loops[0].extent * padded->loops[1].extent * 4;
  int64_t most = 1;
  while (most < rows && getImageRows(padded->window[1], most + 1) * rowBytes <= stackBytes)
    ++most;
  return most;
}

void scheduleConv(Group &group, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  Stage *padded = nullptr, *sums = nullptr;
  for (Stage &stage : group.stages)
    (stage.role == Role::Padded ? padded : sums) = &stage;
  bool inPanels = sums && sums->role == Role::Contraction && sums->loops.size() == loops.size() + 1;
  if (!inPanels || group.stages.size() > 2 || loops.size() < 3 || !loops[1].extent ||
      (padded && hasFreeWindow(*padded)))
    return scheduleDefault(group, isa);

  int64_t width = sums->loops[0].extent;
  RegisterTile tile = chooseTile(width, loops[1].extent, isa);
  Halide::Func out = group.out.func;
  Var x = loops[1].var, panel("panel"), lane("lane"), pixel("pixel"), task("task");
  out.split(loops[0].var, panel, lane, static_cast<int>(width), TailStrategy::GuardWithIf)
      .split(x, x, pixel, tile.points, TailStrategy::ShiftInwards);
  std::vector<Halide::VarOrRVar> order{lane, pixel, x};
  // Rows come in blocks; what is outside them, the batch last, is outer loops.
  std::vector<Var> outer;
  bool hasRows = loops.size() > 3 && loops[2].extent;
  if (hasRows) {
    Var y = loops[2].var, block("block");
    int64_t rows = chooseRows(padded, loops[2].extent);
    out.split(y, block, y, static_cast<int>(rows), TailStrategy::GuardWithIf);
    if (padded) // the last block copies as many, so that the copy has a fixed size
      padded->func.bound_extent(padded->loops[2].var, static_cast<int>(getImageRows(padded->window[1], rows)));
    order.push_back(y);
    outer.push_back(block);
  }
  for (size_t i = hasRows ? 3 : 2; i < loops.size(); ++i)
    outer.push_back(loops[i].var);
  outer.push_back(panel);
  order.insert(order.end(), outer.begin(), outer.end());
  out.reorder(order).vectorize(lane, tile.vector).unroll(pixel);
  Var fused = outer[0];
  for (size_t i = 1; i < outer.size(); ++i) {
    Var next(i + 1 == outer.size() ? "task" : "outer" + std::to_string(i));
    out.fuse(fused, outer[i], next);
    fused = next;
  }
  out.parallel(fused);
  scheduleSums(*sums, out, x, tile);
  if (!padded)
    return;
  Var channel = padded->loops[0].var;
  for (size_t i = 0; i < 2; ++i)
    padded->func.bound_extent(padded->loops[i].var, static_cast<int>(padded->loops[i].extent));
  padded->func.compute_at(out, fused).store_in(onStack);
  if (padded->loops[0].extent >= isa.vector)
    padded->func.vectorize(channel, isa.vector, TailStrategy::GuardWithIf);
}

} // namespace nnc::targets::x86
