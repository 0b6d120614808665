//===- InPlace.cpp - Results in the memory of operands --------------------===//
//
//   for … vector
//     values = of all results                       in registers: all that they need is read here
//     out.0[vector] = values.0, out.1[vector] = …
//
// Code is made as if no two buffers of a kernel overlapped. It is right all the same: no other
// vector reads these elements, and what is stored over an element follows from it. Loops that
// compute elements at the edge twice would read what they have written, and leave these out
// instead.
//
//===----------------------------------------------------------------------===//

#include "targets/InPlace.h"

#include <algorithm>

namespace nnc::targets {

namespace internal = Halide::Internal;
using Halide::TailStrategy;

/// Lets every loop of a Func compute each element once.
static void computeOnce(internal::StageSchedule &schedule) {
  for (internal::Split &split : schedule.splits()) {
    bool isOnce = split.tail == TailStrategy::GuardWithIf || split.tail == TailStrategy::RoundUp ||
                  split.tail == TailStrategy::Predicate;
    if (split.split_type == internal::Split::SplitVar && !split.exact && !isOnce)
      split.tail = TailStrategy::GuardWithIf;
  }
}

/// The iterations of a loop that a split with a fixed factor has made, or of one that there was; 0 where that is not
/// known.
static int64_t getExtent(const Group &group, const internal::StageSchedule &schedule, const std::string &loop) {
  for (const internal::Split &split : schedule.splits())
    if (split.inner == loop && split.split_type == internal::Split::SplitVar)
      return internal::as_const_int(split.factor).value_or(0);
  return loop == group.out.loops.front().var.name() ? group.out.loops.front().extent : 0;
}

void computeInPlace(Group &group) {
  internal::StageSchedule &schedule = group.out.func.function().definition().schedule();
  computeOnce(schedule);
  if (!group.values.defined()) // of one result all is read before it is stored
    return;
  const std::vector<internal::Dim> &loops = schedule.dims();
  auto place = std::find_if(loops.begin(), loops.end(),
                            [](const internal::Dim &loop) { return loop.for_type != internal::ForType::Vectorized; });
  int64_t lanes = place == loops.begin() ? 1 : getExtent(group, schedule, loops.front().var);
  if (lanes == 0 || place - loops.begin() > 1)
    throw Halide::CompileError("the results of " + group.name + " cannot be computed a vector at a time");
  group.values.compute_at(group.out.func, Halide::Var(place->var)).store_in(Halide::MemoryType::Register);
  if (lanes > 1)
    group.values.vectorize(group.values.args().front(), static_cast<int>(lanes), TailStrategy::GuardWithIf);
}

} // namespace nnc::targets
