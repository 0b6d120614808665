//===- Pool.cpp - Pooling on x86 ------------------------------------------===//
//
//   for example, row                                (parallel)
//     for pixel                                     4 at a time
//       out[pixel][channels] = combine over the window, unrolled
//
// Channels are the vectors, masked where they are few and the machine can mask.
// Bound by reading the image: each element is read once from where the producer
// left it.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/X86.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::TailStrategy;
using Halide::Var;

/// Windows of more elements than this stay loops.
static constexpr int64_t maxUnrolled = 16;

void schedulePool(Group &group, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  auto sums = std::find_if(group.stages.begin(), group.stages.end(),
                           [](const Stage &stage) { return stage.role == Role::Reduction; });
  if (loops.size() < 3 || sums == group.stages.end())
    return scheduleDefault(group, isa);

  bool masks = isa.vector == 16;
  int64_t channels = loops[0].extent;
  int vector = static_cast<int>(std::min<int64_t>(isa.vector, channels));
  if (masks && channels < isa.vector)
    vector = channels <= 4 ? 4 : channels <= 8 ? 8 : 16;
  TailStrategy tail = channels % vector == 0 ? TailStrategy::Auto
                      : channels < vector    ? TailStrategy::GuardWithIf
                                             : TailStrategy::ShiftInwards;
  Halide::Func out = group.out.func;
  out.vectorize(loops[0].var, vector, tail);
  int64_t pixels = loops[1].extent;
  for (int points : {4, 2})
    if (pixels >= points) {
      out.unroll(loops[1].var, points, pixels % points ? TailStrategy::ShiftInwards : TailStrategy::Auto);
      break;
    }
  parallelizeOuter(group.out, 2);

  // One vector of one pixel at a time; the border, where there is one, is a choice
  // at each element.
  sums->func.compute_at(out, loops[0].var).vectorize(sums->loops[0].var, vector, TailStrategy::GuardWithIf);
  auto update = sums->func.update();
  update.vectorize(sums->loops[0].var, vector, TailStrategy::GuardWithIf);
  int64_t window = 1;
  for (const ReductionLoop &loop : sums->reductions)
    window *= loop.extent;
  if (window <= maxUnrolled)
    for (const ReductionLoop &loop : sums->reductions)
      update.unroll(loop.var);
}

} // namespace nnc::targets::x86
