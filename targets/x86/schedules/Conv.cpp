//===- Conv.cpp - Direct convolution on x86 -------------------------------===//
//
//   for example, block of rows, panel of channels   (parallel)
//     copy the block's rows with their border       on the stack, where there is padding
//     for slice of taps and channels in             the slice of the panel stays in L1
//       for tile of pixels                          over the ends of rows
//         for tap, channel in slice: acc[pixels][lanes] += x[pixel, tap][in] * k[panel][tap][in][lanes]
//         sums[pixels][panel] = acc                 on the stack
//     out[block][panel] = epilogue(sums)
//
// Where a panel is one slice, each tile has its epilogue at once and needs no sums. The
// cotangent of an image is the same: dy is convolved with the transposed kernel, and with a
// stride the pixels of each phase of it, which the same taps reach, have sums of their own.
//
// Reached, of the multiply-add peak of one core (Zen 4, 118 GFLOP/s for both; `./dev bench
// conv3x3_56_64_64 …`, NNC_ISA): AVX2 3x3 0.92 to 0.94, 1x1 0.92, 3x3 on 7² pixels with 512
// channels 0.85 (9 MB of weights come from L3); AVX-512 0.94 to 0.95, 1x1 from 64 to 256
// channels 0.88 (bound by storing). Cotangents of images: AVX2 0.81 to 0.92, with stride 2
// 0.84 to 0.90; AVX-512 0.86 to 0.95.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/RegisterTile.h"
#include "targets/x86/X86.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::TailStrategy;
using Halide::Var;

/// Most bytes of a padded copy on the stack.
static constexpr int64_t stackBytes = 192 << 10;

/// Pixels of a block: enough of them to read each slice of a panel seldom.
static constexpr int64_t pixelsInBlock = 256;

/// Rows of the image that this many rows of the result read.
static int64_t getImageRows(const WindowStep &step, int64_t rows) { return (rows - 1) * step.stride + step.span; }

/// Rows of the result in a block: as many as keep the sums and the copy of the image
/// small, in blocks of about the same size.
static int64_t chooseRows(const Stage *padded, int64_t columns, int64_t rows) {
  int64_t most = std::clamp<int64_t>(pixelsInBlock / columns, 1, rows);
  if (padded) {
    int64_t rowBytes = padded->loops[0].extent * padded->loops[1].extent * 4;
    while (most > 1 && getImageRows(padded->window[1], most) * rowBytes > stackBytes)
      --most;
  }
  int64_t blocks = (rows + most - 1) / most;
  return (rows + blocks - 1) / blocks;
}

/// The loops of the result, from loop 1 on, that are one loop of the sums. Those of a
/// strided convolution's cotangent are for every stride-th pixel.
struct Pixels {
  size_t loops = 0; ///< 0 where the sums are none of a panel by pixels
  std::vector<int64_t> strides;
  int64_t getSize(const Stage &out, size_t i) const { return (out.loops[i + 1].extent + strides[i] - 1) / strides[i]; }
};

static Pixels findPixels(const Stage &sums, const Stage &out) {
  Pixels pixels;
  if (sums.role != Role::Contraction || sums.loops.size() > out.loops.size() + 1)
    return pixels;
  size_t count = out.loops.size() + 2 - sums.loops.size();
  for (size_t i = 0; i < count; ++i)
    pixels.strides.push_back(i < sums.window.size() ? sums.window[i].stride : 1);
  int64_t product = 1;
  for (size_t i = 0; i < count && i + 1 < out.loops.size(); ++i)
    product *= pixels.getSize(out, i);
  for (size_t i = count; i < sums.window.size(); ++i)
    product *= sums.window[i].stride == 1; // no phases over time
  if (product != 0 && product == sums.loops[1].extent)
    pixels.loops = count;
  return pixels;
}

void scheduleConv(Group &group, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  Stage *padded = nullptr;
  std::vector<Stage *> sums;
  for (Stage &stage : group.stages)
    if (stage.role == Role::Padded)
      padded = &stage;
    else
      sums.push_back(&stage);
  Pixels pixels = sums.empty() ? Pixels() : findPixels(*sums.front(), group.out);
  bool isPlain = pixels.loops != 0 && loops.size() >= 3 && group.stages.size() == sums.size() + (padded ? 1 : 0) &&
                 !(padded && hasFreeWindow(*padded)) && std::all_of(sums.begin(), sums.end(), [&](Stage *stage) {
                   return findPixels(*stage, group.out).loops == pixels.loops;
                 });
  if (!isPlain)
    return scheduleDefault(group, isa);

  int64_t width = sums.front()->loops[0].extent, columns = pixels.getSize(group.out, 0), inBlock = columns;
  bool sliced = sums.size() > 1 || needsSlices(*sums.front());
  Halide::Func out = group.out.func;
  Var x = loops[1].var, panel("panel"), lane("lane"), pixel("pixel"), task("task");
  out.split(loops[0].var, panel, lane, static_cast<int>(width), TailStrategy::GuardWithIf);
  std::vector<Halide::VarOrRVar> order{lane};
  if (!sliced)
    order.push_back(pixel);
  // The pixels of a stride have sums of their own.
  std::vector<Var> phases;
  for (size_t i = 0; i < pixels.loops; ++i)
    if (pixels.strides[i] != 1) {
      phases.emplace_back("phase" + std::to_string(i));
      out.split(loops[i + 1].var, loops[i + 1].var, phases.back(), static_cast<int>(pixels.strides[i]),
                TailStrategy::GuardWithIf);
      order.push_back(phases.back());
    }
  order.push_back(x);
  // Rows come in blocks; what is outside them, the batch last, is outer loops.
  std::vector<Var> outer{panel};
  if (pixels.loops > 1) {
    Var y = loops[2].var, block("block");
    int64_t rows = chooseRows(padded, columns * static_cast<int64_t>(sums.size()), pixels.getSize(group.out, 1));
    inBlock *= rows;
    out.split(y, block, y, static_cast<int>(rows), TailStrategy::GuardWithIf);
    order.push_back(y);
    outer.push_back(block);
  }
  for (size_t i = pixels.loops > 1 ? 3 : 2; i < loops.size(); ++i)
    outer.push_back(loops[i].var);
  order.insert(order.end(), outer.begin(), outer.end());
  RegisterTile tile = chooseTile(width, sliced ? inBlock : columns, isa);
  // The last block copies as many rows, so that the copy has a fixed size; the last tile of
  // a block may begin another row.
  if (padded && pixels.loops > 1) {
    int64_t rows = inBlock / columns + (sliced && inBlock % tile.points != 0 ? 1 : 0);
    padded->func.bound_extent(padded->loops[2].var, static_cast<int>(getImageRows(padded->window[1], rows)));
  }
  if (!sliced)
    out.split(x, x, pixel, tile.points, TailStrategy::ShiftInwards);
  out.reorder(order).vectorize(lane, tile.vector);
  for (Var phase : phases)
    out.unroll(phase);
  Var fused = outer[0];
  for (size_t i = 1; i < outer.size(); ++i) {
    Var next(i + 1 == outer.size() ? "task" : "outer" + std::to_string(i));
    out.fuse(fused, outer[i], next);
    fused = next;
  }
  out.parallel(fused).partition(fused, Halide::Partition::Never);
  for (Stage *stage : sums)
    if (sliced)
      scheduleSlices(*stage, out, fused, tile);
    else
      scheduleSums(*stage, out, x, tile);
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
