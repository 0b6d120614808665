//===- Elementwise.cpp - Element-wise chains on x86 -----------------------===//
//
//   for outer dimensions as one                     (parallel)
//     out[…][vectors] = chain                       all values in registers
//
//   for chunk of the rows of a matrix               (parallel)
//     for row: out[row][vectors] = chain
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

void parallelizeOuter(const Stage &out, size_t first) {
  if (out.loops.size() <= first)
    return;
  Halide::Func func = out.func;
  Var fused = out.loops[first].var;
  for (size_t i = first + 1; i < out.loops.size(); ++i) {
    Var next("outer" + std::to_string(i));
    func.fuse(fused, out.loops[i].var, next);
    fused = next;
  }
  func.parallel(fused);
}

/// Elements that one task computes of a long vector.
static constexpr int64_t elementsOfTask = 16 << 10;

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
  if (loops.size() != 2 || loops[1].extent != 0)
    return parallelizeOuter(group.out, 1);
  Var row = loops[1].var, task("task");
  int64_t rows = std::max<int64_t>(1, elementsOfTask / std::max<int64_t>(extent, 1));
  out.split(row, task, row, static_cast<int>(rows), TailStrategy::GuardWithIf).parallel(task);
}

} // namespace nnc::targets::x86
