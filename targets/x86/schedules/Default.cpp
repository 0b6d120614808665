//===- Default.cpp - Right for any group ----------------------------------===//
//
// Every stage is computed for one row of the result, or for one element where a
// row's length is not known or great, on the stack. The innermost loop of the
// result and of every stage is vectorized where it is at least a vector long. The
// outermost loop is parallel.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/X86.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::TailStrategy;

bool hasFreeWindow(const Stage &padded) {
  for (size_t i = 1; i <= padded.window.size(); ++i)
    if (i >= padded.loops.size() || padded.loops[i].extent == 0)
      return true;
  return false;
}

/// Whether the lengths of a stage are lengths of the result, too: a row of the
/// result needs a part of the stage whose size is known.
static bool isOfResult(const Stage &stage, const Stage &out) {
  auto isFree = [](const Loop &loop) { return loop.extent == 0; };
  return std::count_if(stage.loops.begin(), stage.loops.end(), isFree) <=
         std::count_if(out.loops.begin(), out.loops.end(), isFree);
}

void scheduleDefault(Group &group, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  auto vectorizes = [&](const Stage &stage) { return !stage.loops.empty() && stage.loops[0].extent >= isa.vector; };
  if (vectorizes(group.out))
    group.out.func.vectorize(loops[0].var, isa.vector, TailStrategy::GuardWithIf);
  // What lies on the stack has a fixed size: a row, or an element.
  bool inRows = loops.size() > 1 && loops[0].extent > 0 && loops[0].extent * 4 <= maxStackBytes;
  // The outermost loop alone: of fused ones Halide does not see what a stage spans.
  if (loops.size() > 1)
    group.out.func.parallel(loops.back().var);
  for (Stage &stage : group.stages) {
    // What spans a length that is not known is computed where it is read.
    if (stage.role == Role::Padded && (hasFreeWindow(stage) || !isOfResult(stage, group.out)))
      continue;
    if (loops.empty())
      stage.func.compute_at(group.out.func, Halide::Var::outermost());
    else
      stage.func.compute_at(group.out.func, inRows ? loops[1].var : loops[0].var);
    stage.func.store_in(onStack);
    if (!vectorizes(stage))
      continue;
    stage.func.vectorize(stage.loops[0].var, isa.vector, TailStrategy::GuardWithIf);
    if (stage.func.has_update_definition())
      stage.func.update().vectorize(stage.loops[0].var, isa.vector, TailStrategy::GuardWithIf);
  }
}

} // namespace nnc::targets::x86
