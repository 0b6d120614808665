//===- ConvGradient.cpp - Derivatives of convolution on x86 ---------------===//
//
// The image's cotangent, with a kernel that is in no panels (else it is Conv.cpp's):
//   for block of channels, example, block of rows     (parallel)
//     copy dy's rows with their border                on the stack, where there is one
//     for row, pixel in a stride                      unrolled: each has taps of its own
//       for tile of channels, tile of pixels
//         for panel, tap, vector: acc[pixels][channels][lanes] += dy[pixels][lanes] * k[panel][tap][channels][lanes]
//         out[pixels][channels] = epilogue(sum of the lanes of acc)
//
// The kernel's cotangent: outer products (GradientTile.cpp).
//
//===----------------------------------------------------------------------===//

#include "targets/x86/GradientTile.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;
using Halide::VarOrRVar;

/// Most bytes of a padded copy on the stack.
static constexpr int64_t stackBytes = 128 << 10;

/// Bytes of the kernel that a task reads: half of L2.
static constexpr int64_t kernelBytes = 256 << 10;

/// Pixels whose outer products are added in registers.
static constexpr int64_t pixelsInBlock = 128;

/// Rows of pixels, one a stride, in a task.
static int64_t chooseRows(const Stage *padded, int64_t rows) {
  if (!padded)
    return std::min<int64_t>(rows, 8);
  int64_t rowBytes = padded->loops[0].extent * padded->loops[1].extent * 4, most = 1;
  while (most < rows && (most + padded->window[1].span) * rowBytes <= stackBytes)
    ++most;
  return most;
}

static bool scheduleInputGradient(Group &group, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  Stage *padded = nullptr, *sums = nullptr;
  int64_t reduction = 0;
  for (Stage &stage : group.stages) {
    (stage.role == Role::Padded ? padded : sums) = &stage;
    if (stage.role != Role::InnerProduct)
      continue;
    int64_t size = 1;
    for (const ReductionLoop &loop : stage.reductions)
      size *= loop.extent;
    reduction += size;
  }
  size_t rank = sums ? sums->window.size() : 0;
  if (rank == 0 || loops.size() <= rank)
    return false;
  for (size_t i = 1; i <= rank; ++i)
    if (loops[i].extent == 0)
      return false;

  InnerTile tile = chooseInnerTile(loops[0].extent, sums->loops[1].extent, isa);
  Func out = group.out.func;
  Var k = loops[0].var, x = loops[1].var, column("column"), point("point"), columns("columns");
  int columnTiles = static_cast<int>(std::max<int64_t>(1, kernelBytes / (reduction * 4 * tile.columns)));
  out.split(k, k, column, tile.columns, TailStrategy::ShiftInwards)
      .split(k, columns, k, columnTiles, TailStrategy::GuardWithIf);
  std::vector<VarOrRVar> order{column, point, x, k};
  for (size_t i = 0; i < rank; ++i)
    if (int64_t stride = sums->window[i].stride; stride != 1) {
      Var pixel = loops[i + 1].var, phase("phase" + std::to_string(i));
      out.split(pixel, pixel, phase, static_cast<int>(stride), TailStrategy::GuardWithIf).unroll(phase);
      order.push_back(phase);
    }
  out.split(x, x, point, tile.points, TailStrategy::ShiftInwards);
  std::vector<Var> outer;
  if (rank > 1) {
    Var y = loops[2].var, block("block");
    int64_t rows = chooseRows(padded, sums->loops[2].extent);
    out.split(y, block, y, static_cast<int>(rows), TailStrategy::GuardWithIf);
    if (padded)
      padded->func.bound_extent(padded->loops[2].var, static_cast<int>(rows - 1 + padded->window[1].span));
    order.push_back(y);
    outer.push_back(block);
  }
  for (size_t i = std::min<size_t>(rank, 2) + 1; i < loops.size(); ++i)
    outer.push_back(loops[i].var);
  outer.push_back(columns);
  order.insert(order.end(), outer.begin(), outer.end());
  out.reorder(order).vectorize(column).unroll(point);
  Var fused = fuseLoops(out, outer);
  out.parallel(fused);
  for (Stage &stage : group.stages)
    if (&stage != padded)
      scheduleInnerProducts(stage, out, x, tile, isa);
  if (!padded)
    return true;
  for (size_t i = 0; i < 2; ++i)
    padded->func.bound_extent(padded->loops[i].var, static_cast<int>(padded->loops[i].extent));
  padded->func.compute_at(out, fused).store_in(onStack);
  if (padded->loops[0].extent >= isa.vector)
    padded->func.vectorize(padded->loops[0].var, isa.vector, TailStrategy::GuardWithIf);
  return true;
}

void scheduleConvGradient(Group &group, const Isa &isa) {
  auto isSum = [](const Stage &stage) { return stage.role == Role::InnerProduct || stage.role == Role::Padded; };
  if (std::all_of(group.stages.begin(), group.stages.end(), isSum) && scheduleInputGradient(group, isa))
    return;
  auto sums = std::find_if(group.stages.begin(), group.stages.end(),
                           [](const Stage &stage) { return stage.role == Role::OuterProduct; });
  if (sums != group.stages.end()) {
    // Whole rows of pixels, and as many of them as make a block.
    const std::vector<ReductionLoop> &pixels = sums->reductions;
    RowBlocks blocks(pixels.size());
    blocks[0] = pixels[0].extent ? pixels[0].extent : pixelsInBlock;
    if (pixels.size() > 2 && pixels[0].extent && pixels[1].extent)
      blocks[1] = std::clamp<int64_t>(pixelsInBlock / pixels[0].extent, 1, pixels[1].extent);
    if (scheduleOuterProducts(group, blocks, isa))
      return;
  }
  scheduleDefault(group, isa);
}

} // namespace nnc::targets::x86
