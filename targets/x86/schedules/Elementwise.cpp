//===- Elementwise.cpp - Element-wise chains on x86 -----------------------===//
//
//   for outer dimensions as one                     (parallel)
//     out[…][vectors] = chain                       all values in registers
//
// Bound by memory beyond the caches, by the longest function of the chain within.
// Moves of elements (reshapes, slices, transposes, gathers) are such chains too.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/X86.h"

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

void scheduleElementwise(Group &group, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  if (loops.empty() || !group.stages.empty())
    return scheduleDefault(group, isa);
  int64_t extent = loops[0].extent;
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
