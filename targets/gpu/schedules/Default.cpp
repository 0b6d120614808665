//===- Default.cpp - Right for any group ----------------------------------===//
//
//   for block, thread: out[point] = …               a thread for each element
//
// Sums that belong to the point are in the thread's registers. Sums that several points
// share are kernels before it; where they are long and few, in parts:
//
//   for block, thread: partial[part][point] = sum over a part
//   for block, thread: sums[point] = sum of the parts
//
//===----------------------------------------------------------------------===//

#include "targets/gpu/Gpu.h"
#include "targets/gpu/ProductTile.h"

#include <algorithm>

namespace nnc::targets::gpu {

using Halide::Func;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

/// Threads of a block.
static constexpr int blockThreads = 256;

/// Threads that keep a device busy.
static constexpr int64_t manyThreads = 16384;

/// Terms of a sum that are worth a thread.
static constexpr int64_t termsOfThread = 32;

/// Parts whose sums one thread adds.
static constexpr int64_t mostParts = 256;

/// Parts that take less time in a kernel of their own than the threads of the result would.
static constexpr int64_t partsWorthKernel = 8;

//===----------------------------------------------------------------------===//
// Points
//===----------------------------------------------------------------------===//

/// The number of points of loops whose extents are known; of others the least.
static int64_t countPoints(const std::vector<Loop> &loops) {
  int64_t points = 1;
  for (const Loop &loop : loops)
    points *= std::max<int64_t>(1, loop.extent);
  return points;
}

static bool isStatic(const std::vector<Loop> &loops) {
  return std::all_of(loops.begin(), loops.end(), [](const Loop &loop) { return loop.extent > 0; });
}

/// Threads of a block for so many points: whole warps.
static int chooseThreads(const std::vector<Loop> &loops) {
  int64_t points = isStatic(loops) ? (countPoints(loops) + 31) / 32 * 32 : blockThreads;
  return static_cast<int>(std::min<int64_t>(points, blockThreads));
}

template <typename Definition>
static Var launch(Definition &definition, const std::vector<Loop> &loops, int threads = 0) {
  Var block("block"), thread("thread");
  if (loops.empty()) { // one number: one thread
    definition.split(Var::outermost(), Var::outermost(), thread, 1)
        .split(Var::outermost(), Var::outermost(), block, 1)
        .gpu(block, thread);
    return thread;
  }
  std::vector<Var> vars;
  for (const Loop &loop : loops)
    vars.push_back(loop.var);
  definition.gpu_tile(fuseAll(definition, vars), block, thread, threads ? threads : chooseThreads(loops),
                      TailStrategy::GuardWithIf);
  return thread;
}

Var launchPoints(Func func, const std::vector<Loop> &loops, int threads) { return launch(func, loops, threads); }

void launchUpdate(Halide::Stage update, const std::vector<Loop> &loops) { launch(update, loops); }

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// The terms of one sum; of a domain whose size is not known, enough to be cut.
static int64_t countTerms(const Stage &stage) {
  int64_t terms = 1;
  for (const ReductionLoop &loop : stage.reductions)
    terms *= loop.extent ? loop.extent : manyThreads;
  return terms;
}

/// How many parts to cut a sum in.
static int64_t chooseParts(const Stage &stage) {
  int64_t points = countPoints(stage.loops), terms = countTerms(stage);
  int64_t parts = std::min(manyThreads / points, terms / termsOfThread);
  // What is not known may be many, of points, or few, of terms.
  bool hasTerms = std::all_of(stage.reductions.begin(), stage.reductions.end(),
                              [](const ReductionLoop &loop) { return loop.extent > 0; });
  if (!isStatic(stage.loops))
    parts = std::min<int64_t>(parts, 32);
  return hasTerms ? parts : std::min(parts, mostParts);
}

void launchAlone(Func sums, const std::vector<Loop> &loops) {
  Func stored = sums.in();
  stored.compute_root();
  Var thread = launchPoints(stored, loops);
  sums.compute_at(stored, thread);
}

Halide::Expr countTermsOfPart(const ReductionLoop &loop, int64_t parts) {
  auto count = static_cast<int>(parts);
  return Halide::max((loop.size + (count - 1)) / count, 1);
}

/// Kernels for so many parts of a sum; what is left of the stage are the sums of the parts, or of sums of these.
static void cutInParts(Stage &stage, int64_t parts) {
  RVar part("part"), term("term");
  Var p("p");
  if (stage.alongRow) {
    // Neighbours in memory go to neighbours among threads.
    stage.func.update().split(stage.reductions.front().var, term, part, static_cast<int>(parts),
                              TailStrategy::GuardWithIf);
  } else {
    ReductionLoop loop = stage.reductions.back();
    if (loop.extent)
      parts = std::min(parts, loop.extent);
    stage.func.update().split(loop.var, part, term, countTermsOfPart(loop, parts), TailStrategy::GuardWithIf);
  }
  Func partial = stage.func.update().rfactor(part, p);
  std::vector<Loop> loops = stage.loops;
  if (stage.alongRow)
    loops.insert(loops.begin(), {p, parts, {}});
  else
    loops.push_back({p, 0, {}});
  launchAlone(partial, loops);
  if (parts > mostParts) {
    RVar group("group"), member("member");
    Var g("g");
    stage.func.update().split(part, group, member, 64, TailStrategy::GuardWithIf);
    Func middle = stage.func.update().rfactor(group, g);
    std::vector<Loop> groups = stage.loops;
    groups.push_back({g, 0, {}});
    launchAlone(middle, groups);
  }
}

void launchSums(Stage &stage, Group &group) {
  if (isProductInPanels(stage))
    return launchProduct(stage, group);
  if (int64_t parts = chooseParts(stage); parts > 1)
    cutInParts(stage, parts);
  launchAlone(stage.func, stage.loops);
}

/// Sums that a thread of the result needs at its point alone: it takes them, where few threads with long sums would
/// leave the device idle those of parts.
static void sumAtPoint(Stage &stage, Group &group, const Var &thread) {
  if (isProductInPanels(stage)) {
    if (!cutProduct(stage, group))
      return;
  } else if (int64_t parts = isStatic(stage.loops) ? chooseParts(stage) : 1; parts > partsWorthKernel) {
    cutInParts(stage, parts);
  }
  stage.func.compute_at(group.out.func, thread);
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

bool isOfPoint(const Stage &stage, const Group &group) {
  const std::vector<Loop> &loops = group.out.loops;
  if (stage.loops.size() != loops.size())
    return false;
  for (size_t i = 0; i < loops.size(); ++i)
    if (!Halide::Internal::equal(Halide::Internal::simplify(stage.loops[i].size - loops[i].size), 0))
      return false;
  // What other sums read is read at other points, too.
  for (const Stage &other : group.stages) {
    if (other.func.name() == stage.func.name() || !other.func.has_update_definition())
      continue;
    if (Halide::Internal::find_transitive_calls(other.func.function()).count(stage.func.name()))
      return false;
  }
  return true;
}

void scheduleDefault(Group &group) {
  Func out = group.out.func;
  Var thread = launchPoints(out, group.out.loops);
  if (group.values.defined())
    group.values.compute_at(out, thread);
  for (Stage &stage : group.stages) {
    if (!stage.func.has_update_definition())
      continue; // computed where it is read
    if (isOfPoint(stage, group))
      sumAtPoint(stage, group, thread);
    else
      launchSums(stage, group);
  }
}

} // namespace nnc::targets::gpu
