//===- Elementwise.cpp - Element-wise chains on x86 -----------------------===//
//
//   for chunk of the rows of all outer dimensions   (parallel)
//     for row: out[row][vectors] = chain            all values in registers
//
//   for chunk of a long vector                      (parallel)
//     out[vectors] = chain                          in place: an optimizer's update
//
// Bound by memory beyond the caches, by the longest function of the chain within.
// Moves of elements (reshapes, slices, transposes, gathers) are such chains too.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/X86.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::TailStrategy;
using Halide::Var;

/// Elements that one task computes of a long vector, or of many short rows.
static constexpr int64_t elementsOfTask = 16 << 10;

/// How long a row is taken to be whose length is not known.
static constexpr int64_t freeExtent = 256;

Var fuseLoops(Halide::Func func, const std::vector<Var> &loops) {
  Var fused = loops[0];
  for (size_t i = 1; i < loops.size(); ++i) {
    Var next(i + 1 == loops.size() ? "task" : "outer" + std::to_string(i));
    func.fuse(fused, loops[i], next);
    fused = next;
  }
  return fused;
}

void parallelizeOuter(const Stage &out, size_t first) {
  if (out.loops.size() <= first)
    return;
  Halide::Func func = out.func;
  int64_t elements = 1;
  for (size_t i = 0; i < first; ++i)
    elements *= out.loops[i].extent ? out.loops[i].extent : freeExtent;
  Var fused = out.loops[first].var;
  for (size_t i = first + 1; i < out.loops.size(); ++i) {
    Var next("outer" + std::to_string(i));
    func.fuse(fused, out.loops[i].var, next);
    fused = next;
  }
  Var task("task");
  if (int64_t rows = elementsOfTask / elements; rows > 1)
    func.split(fused, task, fused, static_cast<int>(rows), TailStrategy::GuardWithIf)
        .parallel(task)
        .partition(task, Halide::Partition::Never);
  else
    func.parallel(fused);
}

/// A long vector of whole vectors, such as all weights of a network. Results may lie
/// where operands do: no element is computed twice, and all results of a vector are
/// computed before one is stored.
static void scheduleLongVector(Group &group, const Isa &isa) {
  Var x = group.out.loops[0].var, lane("lane"), task("task");
  group.out.func.split(x, x, lane, isa.vector).vectorize(lane);
  if (group.values.defined())
    group.values.compute_at(group.out.func, x).store_in(onStack).vectorize(group.values.args()[0], isa.vector);
  if (group.out.loops[0].extent > elementsOfTask)
    group.out.func.split(x, task, x, static_cast<int>(elementsOfTask / isa.vector), TailStrategy::GuardWithIf)
        .parallel(task);
}

void scheduleElementwise(Group &group, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  if (loops.empty() || !group.stages.empty())
    return scheduleDefault(group, isa);
  int64_t extent = loops[0].extent;
  if (loops.size() == 1 && extent > 0 && extent % isa.vector == 0)
    return scheduleLongVector(group, isa);
  Halide::Func out = group.out.func;
  if (extent >= isa.vector)
    out.vectorize(loops[0].var, isa.vector, extent % isa.vector ? TailStrategy::ShiftInwards : TailStrategy::Auto);
  else if (extent == 0 && loops.size() == 1)
    out.vectorize(loops[0].var, isa.vector, TailStrategy::GuardWithIf);
  else if (extent > 1 && isa.vector == 16)
    out.vectorize(loops[0].var, extent <= 4 ? 4 : extent <= 8 ? 8 : 16, TailStrategy::GuardWithIf);
  parallelizeOuter(group.out, 1);
}

} // namespace nnc::targets::x86
