//===- Panels.cpp - Sums in panels by blocks of threads -------------------===//
//
//   for panel of columns, some rows                 a block of threads: lane, row, part
//     partial[part][row][lane] += a[row][k] * b[k][lane]      in registers
//     sums[row][lane] = sum of the parts            from shared memory
//     out[row][lane] = epilogue(sums)
//
// For few rows, where reading the weight is what takes time: the parts of the reduction are
// many threads that read at once, neighbours in memory by neighbours among them.
//
//===----------------------------------------------------------------------===//

#include "targets/gpu/Gpu.h"

#include <algorithm>

namespace nnc::targets::gpu {

using Halide::Func;
using Halide::MemoryType;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

/// Threads of a block.
static constexpr int64_t blockThreads = 512;

/// Products that are worth a thread.
static constexpr int64_t termsOfThread = 8;

/// The sums of one block's rows and lanes.
static void computePanel(Stage &stage, Func out, const Var &block, int64_t rows) {
  const std::vector<Loop> &loops = stage.loops;
  bool hasRows = loops.size() > 2;
  Var lane = loops[0].var;
  int64_t parts = blockThreads / (loops[0].extent * rows);
  for (const ReductionLoop &loop : stage.reductions.size() == 1 ? stage.reductions : std::vector<ReductionLoop>{})
    parts = std::min(parts, loop.extent / termsOfThread);
  auto share = [&](Func func, bool inParts, const Var &part) {
    func.compute_at(out, block).store_in(MemoryType::GPUShared);
    if (inParts && hasRows)
      func.reorder(lane, loops[1].var, part).gpu_threads(lane, loops[1].var, part);
    else if (inParts)
      func.reorder(lane, part).gpu_threads(lane, part);
    else if (hasRows)
      func.gpu_threads(lane, loops[1].var);
    else
      func.gpu_threads(lane);
  };
  Func sums = stage.func;
  if (stage.reductions.size() == 1 && parts > 1 && stage.reductions[0].extent) {
    RVar part("part"), k("k");
    Var p("p");
    int64_t terms = (stage.reductions[0].extent + parts - 1) / parts;
    sums.update().split(stage.reductions[0].var, part, k, static_cast<int>(terms), TailStrategy::GuardWithIf);
    Func partial = sums.update().rfactor(part, p);
    Func shared = partial.in();
    share(shared, /*inParts=*/true, p);
    partial.compute_at(shared, lane)
        .update()
        .unroll(k, static_cast<int>(std::min<int64_t>(terms, 16)), TailStrategy::GuardWithIf);
  }
  Func stored = sums.in();
  share(stored, /*inParts=*/false, {});
  sums.compute_at(stored, lane);
}

bool schedulePanels(Group &group, int64_t minRows) {
  const std::vector<Loop> &loops = group.out.loops;
  auto inPanels = [&](const Stage &stage) { return stage.loops.size() == loops.size() + 1; };
  auto sums = std::find_if(group.stages.begin(), group.stages.end(), inPanels);
  if (sums == group.stages.end())
    return false;
  for (const Stage &stage : group.stages) // all others are computed where they are read
    if (stage.func.has_update_definition() && (!inPanels(stage) || stage.loops[0].extent != sums->loops[0].extent))
      return false;
  int64_t width = sums->loops[0].extent, rows = 1;
  if (loops.size() > 1) // the least rows are those of the outermost loop
    rows = std::min(loops[1].extent     ? loops[1].extent
                    : loops.size() == 2 ? minRows
                                        : 1,
                    std::max<int64_t>(1, blockThreads / width));
  Func out = group.out.func;
  Var panel("panel"), lane("lane"), row("row"), block("block"), others("others");
  out.split(loops[0].var, panel, lane, static_cast<int>(width), TailStrategy::GuardWithIf);
  if (loops.size() == 1) {
    out.gpu_blocks(panel).gpu_threads(lane);
  } else if (loops.size() == 2) {
    out.split(loops[1].var, block, row, static_cast<int>(rows), TailStrategy::ShiftInwards)
        .reorder(lane, row, panel, block)
        .gpu_blocks(panel, block)
        .gpu_threads(lane, row);
  } else {
    std::vector<Var> vars;
    for (size_t i = 2; i < loops.size(); ++i)
      vars.push_back(loops[i].var);
    Var rest = fuseAll(out, vars, "others");
    out.split(loops[1].var, block, row, static_cast<int>(rows), TailStrategy::ShiftInwards)
        .reorder(lane, row, panel, block, rest)
        .gpu_blocks(panel, block, rest)
        .gpu_threads(lane, row);
  }
  if (group.values.defined())
    group.values.compute_at(out, lane);
  for (Stage &stage : group.stages)
    if (stage.func.has_update_definition())
      computePanel(stage, out, panel, rows);
  return true;
}

} // namespace nnc::targets::gpu
