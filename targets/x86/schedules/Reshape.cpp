//===- Reshape.cpp - Moved elements on x86 --------------------------------===//
//
// What is read from other places is an element-wise chain (Elementwise.cpp). What is
// added to places that the data gives (the gradient of an embedding's table):
//   zeros                                           (parallel)
//   for block of columns                            (parallel)
//     for row: out[class of the row][vectors] += dy[row][vectors]
//
// Each task goes through all rows, in order, for columns of its own: no two add to one
// element, and the sums are the same for any number of threads.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/X86.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::TailStrategy;
using Halide::Var;

/// Vectors of a row that one task adds to.
static constexpr int vectorsOfTask = 2;

static void scheduleScatter(Group &group, const Isa &isa) {
  Stage &out = group.out;
  Var c = out.loops[0].var, block("block");
  int vector = static_cast<int>(std::min<int64_t>(isa.vector, out.loops[0].extent));
  out.func.vectorize(c, vector, TailStrategy::GuardWithIf);
  parallelizeOuter(out, 1);
  auto update = out.func.update();
  update.split(c, block, c, vector * vectorsOfTask, TailStrategy::GuardWithIf);
  std::vector<Halide::VarOrRVar> order{c};
  for (const ReductionLoop &loop : out.reductions)
    order.push_back(loop.var);
  order.push_back(block);
  update.reorder(order).vectorize(c, vector).parallel(block);
}

void scheduleReshape(Group &group, const Isa &isa) {
  return group.out.reductions.empty() ? scheduleElementwise(group, isa) : scheduleScatter(group, isa);
}

} // namespace nnc::targets::x86
