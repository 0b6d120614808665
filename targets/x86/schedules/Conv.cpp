//===- Conv.cpp - Direct convolution on x86 -------------------------------===//
//
//   for example, block of rows, some panels         (parallel)
//     copy the block's rows with their border       on the stack, where there is padding
//     for panel of channels
//       for slice of taps and channels in           the slice of the panel stays in L1
//         for tile of pixels                        over the ends of rows
//           for tap, channel in slice: acc[pixels][lanes] += x[pixel, tap][in] * k[panel][tap][in][lanes]
//           sums[pixels][panel] = acc               on the stack
//       out[block][panel] = epilogue(sums)
//
// Where a panel is one slice, each tile has its epilogue at once and needs no sums. The
// cotangent of an image is the same: dy is convolved with the transposed kernel, and with a
// stride the pixels of each phase of it, which the same taps reach, have sums of their own.
//
// Reached, of the multiply-add peak of one core (Zen 4, 118 GFLOP/s for both; `./dev bench
// conv3x3_56_64_64 …`, NNC_ISA): AVX2 0.92 to 0.95, and 0.86 for 3x3 on 7² pixels with 512
// channels, whose 9 MB of weights come from L3; AVX-512 0.94 to 0.95, and 0.88 for 1x1 from
// 64 to 256 channels, which stores much. Cotangents of images: AVX2 0.94, with stride 2 0.84
// to 0.88, on 7² pixels 0.83; AVX-512 0.92 to 0.97, with stride 2 0.87 to 0.92.
//
// A Xeon of two multiply-adds a cycle (179 GFLOP/s), batch 8, with all panels of a task on one copy:
// 3x3 0.78 (224² pixels, 64 channels) to 0.90 (7², 512), with a copy for each panel 0.63 to 0.88.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/Prefetch.h"
#include "targets/x86/RegisterTile.h"
#include "targets/x86/X86.h"

#include <algorithm>
#include <optional>

namespace nnc::targets::x86 {

using Halide::TailStrategy;
using Halide::Var;

/// Most bytes of a padded copy, which all panels of a task read from L2.
static int64_t maxCopyBytes(const Isa &isa) { return isa.vector == 16 ? 400 << 10 : 192 << 10; }

/// Pixels of a block: enough of them to read each slice of a panel seldom.
static constexpr int64_t pixelsInBlock = 512;

/// Rows of the result in a block: as many as keep the sums and the copy of the image
/// small, in blocks of about the same size.
static int64_t chooseRows(const Stage *padded, int64_t columns, int64_t rows, const Isa &isa) {
  int64_t most = std::clamp<int64_t>(pixelsInBlock / columns, 1, rows);
  if (padded) {
    int64_t rowBytes = padded->loops[0].extent * padded->loops[1].extent * 4;
    while (most > 1 && padded->window[1].countRead(most) * rowBytes > maxCopyBytes(isa))
      --most;
  }
  return divideCeil(rows, divideCeil(rows, most));
}

namespace {

/// What the loops of a convolution are.
struct Plan {
  Stage *padded = nullptr;
  std::vector<Stage *> sums;     ///< one, or for the cotangent of an image one for each phase
  std::vector<int64_t> strides;  ///< of the result's loops that are one loop of the sums, from loop 1 on
  int64_t columns = 0, rows = 0; ///< pixels of a row, rows in a block; 0 rows where they are no blocks
  int64_t panels = 0;            ///< of channels
  bool inSlices = false;
  RegisterTile tile{};
};

} // namespace

/// The strides of the result's loops that are one loop of the sums; none where they are no
/// sums of a panel by pixels.
static std::vector<int64_t> findStrides(const Stage &sums, const Stage &out) {
  if (sums.role != Role::Contraction || sums.loops.size() > out.loops.size() + 1)
    return {};
  std::vector<int64_t> strides(out.loops.size() + 2 - sums.loops.size(), 1);
  int64_t pixels = 1;
  for (size_t i = 0; i < std::max(strides.size(), sums.window.size()) && i + 1 < out.loops.size(); ++i) {
    int64_t stride = i < sums.window.size() ? sums.window[i].stride : 1;
    if (i >= strides.size() && stride != 1)
      return {}; // no phases over time
    if (i >= strides.size())
      continue;
    strides[i] = stride;
    pixels *= divideCeil(out.loops[i + 1].extent, stride);
  }
  return pixels != 0 && pixels == sums.loops[1].extent ? strides : std::vector<int64_t>();
}

/// None for groups that are no convolution with a kernel in panels.
static std::optional<Plan> makePlan(Group &group, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  Plan plan;
  for (Stage &stage : group.stages)
    if (stage.role == Role::Padded)
      plan.padded = &stage;
    else
      plan.sums.push_back(&stage);
  if (plan.sums.empty() || group.stages.size() != plan.sums.size() + (plan.padded ? 1 : 0) || loops.size() < 3 ||
      (plan.padded && hasFreeWindow(*plan.padded)))
    return std::nullopt;
  plan.strides = findStrides(*plan.sums.front(), group.out);
  for (Stage *stage : plan.sums)
    if (plan.strides.empty() || findStrides(*stage, group.out) != plan.strides)
      return std::nullopt;

  auto count = static_cast<int64_t>(plan.sums.size());
  int64_t width = plan.sums.front()->loops[0].extent;
  plan.panels = divideCeil(loops[0].extent, width);
  plan.columns = divideCeil(loops[1].extent, plan.strides[0]);
  bool isFlat = plan.strides.size() > 1, hasRows = loops.size() > 3 && loops[2].extent != 0;
  if (hasRows) {
    int64_t stride = isFlat ? plan.strides[1] : 1;
    plan.rows = chooseRows(plan.padded, plan.columns * count, divideCeil(loops[2].extent, stride), isa);
  }
  plan.inSlices = (isFlat || !hasRows) && (count > 1 || needsSlices(*plan.sums.front()));
  int64_t pixels = plan.inSlices ? plan.columns * std::max<int64_t>(plan.rows, 1) : plan.columns;
  plan.tile = chooseTile(width, pixels, isa);
  return plan;
}

/// Panels of a task, for which it copies the image once: as many as leave an image tasks enough.
static int choosePanels(const Plan &plan, int64_t blocks) {
  constexpr int64_t tasksOfImage = 8;
  if (!plan.padded)
    return 1;
  int64_t parts = std::clamp<int64_t>(divideCeil(tasksOfImage, blocks), 1, plan.panels);
  return static_cast<int>(divideCeil(plan.panels, parts));
}

/// The loops of the result in which its stages are computed.
struct Places {
  Var task;  ///< over all tasks
  Var panel; ///< over the panels of a task
};

/// Splits and orders the loops of the result.
static Places orderLoops(Group &group, const Plan &plan) {
  const std::vector<Loop> &loops = group.out.loops;
  Halide::Func out = group.out.func;
  Var x = loops[1].var, panels("panels"), panel("panel"), lane("lane"), pixel("pixel"), block("block");
  out.split(loops[0].var, panel, lane, static_cast<int>(plan.sums.front()->loops[0].extent), TailStrategy::GuardWithIf);
  std::vector<Halide::VarOrRVar> order{lane};
  std::vector<Var> unrolled;
  if (!plan.inSlices) {
    out.split(x, x, pixel, plan.tile.points, TailStrategy::ShiftInwards);
    unrolled.push_back(pixel);
  }
  // The pixels of a stride have sums of their own.
  for (size_t i = 0; i < plan.strides.size(); ++i)
    if (int64_t stride = plan.strides[i]; stride != 1) {
      unrolled.emplace_back("phase" + std::to_string(i));
      out.split(loops[i + 1].var, loops[i + 1].var, unrolled.back(), static_cast<int>(stride),
                TailStrategy::GuardWithIf);
    }
  order.insert(order.end(), unrolled.begin(), unrolled.end());
  order.push_back(x);
  // Rows come in blocks; what is outside them, the batch last, is outer loops.
  std::vector<Var> outer{panels};
  int64_t blocks = 1;
  if (plan.rows != 0) {
    Var y = loops[2].var;
    out.split(y, block, y, static_cast<int>(plan.rows), TailStrategy::GuardWithIf);
    order.push_back(y);
    outer.push_back(block);
    blocks = divideCeil(loops[2].extent, plan.rows);
  }
  out.split(panel, panels, panel, choosePanels(plan, blocks), TailStrategy::GuardWithIf);
  order.push_back(panel);
  for (size_t i = plan.rows != 0 ? 3 : 2; i < loops.size(); ++i)
    outer.push_back(loops[i].var);
  order.insert(order.end(), outer.begin(), outer.end());
  out.reorder(order).vectorize(lane, plan.tile.vector);
  for (Var var : unrolled)
    out.unroll(var);
  Var task = fuseLoops(out, outer);
  out.parallel(task).partition(task, Halide::Partition::Never).partition(panel, Halide::Partition::Never);
  return {task, panel};
}

/// Copies the image of a task at its start.
static void placeImage(Group &group, const Plan &plan, Var task, const Isa &isa) {
  Stage &padded = *plan.padded;
  for (size_t i = 0; i < 2; ++i)
    padded.func.bound_extent(padded.loops[i].var, static_cast<int>(padded.loops[i].extent));
  // The last block copies as many rows, so that the copy has a fixed size; the last tile of
  // a block may begin another row.
  if (plan.rows != 0) {
    bool goesOn = plan.inSlices && plan.rows * plan.columns % plan.tile.points != 0;
    padded.func.bound_extent(padded.loops[2].var,
                             static_cast<int>(padded.window[1].countRead(plan.rows + (goesOn ? 1 : 0))));
  }
  padded.func.compute_at(group.out.func, task).store_in(onStack);
  if (padded.loops[0].extent >= isa.vector)
    padded.func.vectorize(padded.loops[0].var, isa.vector, TailStrategy::GuardWithIf);
}

void scheduleConv(Group &group, const Isa &isa) {
  if (scheduleWinograd(group, isa))
    return;
  std::optional<Plan> plan = makePlan(group, isa);
  if (!plan)
    return scheduleDefault(group, isa);
  Places places = orderLoops(group, *plan);
  for (Stage *stage : plan->sums) {
    if (plan->inSlices)
      scheduleSlices(*stage, group.out.func, places.panel, plan->tile);
    else
      scheduleSums(*stage, group.out.func, group.out.loops[1].var, plan->tile);
    prefetchWeights(group, *stage);
  }
  prefetchOperands(group);
  if (plan->padded)
    placeImage(group, *plan, places.task, isa);
}

} // namespace nnc::targets::x86
