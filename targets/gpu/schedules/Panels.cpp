//===- Panels.cpp - Sums in panels by blocks of threads -------------------===//
//
//   for panel of columns, some rows                 a block of threads: lane, row, part
//     partial[part][row][lane] += a[row][k] * b[k][lane]      in registers, of all sums
//     eighth[part / 8][row][lane] = sum of 8 parts            from shared memory, of all sums
//     out[row][lane] = epilogue(sums of those)                in registers
//
// For few rows, where it is the way to memory that takes time: the parts of the reduction are many threads that read at
// once, neighbours in memory by neighbours among them, and what a thread reads for all sums of the group (the gates of
// an LSTM) is on its way at once. By cuobjdump for sm_90, a step of an LSTM waits for memory twice, for its factors and
// for what the epilogue reads, and at two barriers, however many gates there are.
//
//===----------------------------------------------------------------------===//

#include "targets/gpu/Gpu.h"

#include <algorithm>
#include <map>

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

/// Parts of a sum that one thread adds.
static constexpr int partsOfThread = 8;

/// Terms of a sum that a thread reads before it adds any.
static constexpr int termsAhead = 16;

/// What the threads of a block compute and keep in shared memory, of a group's sums.
class SharedParts {
public:
  SharedParts(Func out, Var block) : out(std::move(out)), block(std::move(block)) {}

  /// Computes so many parts of a stage, a thread for each, together with those of other stages; its sums where `count`
  /// is 0. Gives the loop of one thread.
  Var add(Func func, const Stage &stage, const Var &part, int64_t count) {
    std::vector<Halide::VarOrRVar> threads{stage.loops[0].var};
    if (stage.loops.size() > 2)
      threads.push_back(stage.loops[1].var);
    if (count > 0)
      threads.push_back(part);
    func.compute_at(out, block).store_in(MemoryType::GPUShared).reorder(threads);
    for (const Halide::VarOrRVar &thread : threads)
      func.gpu_threads(thread);
    if (auto [same, isFirst] = firsts.try_emplace(count, func); !isFirst)
      func.compute_with(same->second, stage.loops[0].var);
    return stage.loops[0].var;
  }

private:
  Func out;
  Var block;
  std::map<int64_t, Func> firsts; ///< the first Func of so many parts
};

/// What the blocks of a group share.
struct SharedSums {
  SharedParts partials, eighths, totals;
  int64_t parts;      ///< of a sum, at most
  bool inWholePanels; ///< a thread's sums are those of its lane
};

/// The sums of a block's rows and lanes, in the registers of the threads that need them: of parts, which other threads
/// take, and sums of some of these.
static void computePanel(Stage &stage, Func out, const Var &lane, SharedSums &shared) {
  Func sums = stage.func;
  int64_t parts = shared.parts;
  if (shared.inWholePanels) {
    sums.compute_at(out, lane);
  } else { // of the last panel Halide does not see which lane a thread needs
    Func stored = sums.in();
    sums.compute_at(stored, shared.totals.add(stored, stage, {}, 0));
  }
  if (stage.reductions.size() != 1 || !stage.reductions[0].extent || parts <= 1)
    return;
  const ReductionLoop &loop = stage.reductions[0];
  int64_t terms = divideCeil(loop.extent, parts);
  parts = divideCeil(loop.extent, terms);
  RVar part("part"), k("k"), eighth("eighth"), member("member");
  Var p("p"), e("e");
  sums.update().split(loop.var, part, k, static_cast<int>(terms), TailStrategy::GuardWithIf);
  Func partial = sums.update().rfactor(part, p), taken = partial.in();
  partial.compute_at(taken, shared.partials.add(taken, stage, p, parts))
      .update()
      .unroll(k, static_cast<int>(std::min<int64_t>(terms, termsAhead)), TailStrategy::GuardWithIf);
  if (parts > partsOfThread) {
    sums.update().split(part, eighth, member, partsOfThread, TailStrategy::GuardWithIf);
    Func some = sums.update().rfactor(eighth, e), stored = some.in();
    some.compute_at(stored, shared.eighths.add(stored, stage, e, divideCeil(parts, partsOfThread)))
        .update()
        .unroll(member);
    part = eighth;
  }
  sums.update().unroll(part);
}

/// In how many parts to cut the sums of a group, for blocks of so many points.
static int64_t chooseParts(const Group &group, int64_t points) {
  int64_t terms = 0;
  for (const Stage &stage : group.stages)
    for (const ReductionLoop &loop : stage.reductions)
      terms += loop.extent;
  return std::min(blockThreads / points, terms / termsOfThread);
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
  SharedParts empty(out, panel);
  SharedSums shared{empty, empty, empty, chooseParts(group, width * rows),
                    loops[0].extent > 0 && loops[0].extent % width == 0};
  for (Stage &stage : group.stages)
    if (stage.func.has_update_definition())
      computePanel(stage, out, lane, shared);
  return true;
}

} // namespace nnc::targets::gpu
