//===- Reduce.cpp - Sums, softmax and norms of rows on x86 ----------------===//
//
// Along rows (softmax, layer norm):
//   for row                                         (parallel)
//     for vectors of the row: partial sums          one vector of them, then across
//     out[row][vectors] = …                         what is read twice waits on the stack
//
// Across rows (a sum over space): vectors of channels, the sums in registers.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/X86.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

/// Sums a row by vectors: `vector` partial sums, then one across them.
static void scheduleRow(Stage &stage, Halide::Func out, Var row, int vector) {
  stage.func.compute_at(out, row).store_in(onStack);
  int64_t extent = stage.reductions[0].extent;
  if (extent < 2 * vector)
    return;
  RVar k = stage.reductions[0].var, lane("lane");
  Var partial("partial");
  stage.func.update().split(k, k, lane, vector, TailStrategy::GuardWithIf);
  Halide::Func sums = stage.func.update().rfactor(lane, partial);
  sums.compute_at(out, row).store_in(onStack).vectorize(partial, vector);
  sums.update().vectorize(partial, vector);
}

/// Every reduction is over the last dimension of a row, of which the result has
/// one more dimension.
static bool isAlongRows(const Group &group) {
  return std::all_of(group.stages.begin(), group.stages.end(), [&](const Stage &stage) {
    return stage.role != Role::Reduction || (stage.loops.size() + 1 == group.out.loops.size() &&
                                             stage.reductions.size() == 1 && stage.reductions[0].extent > 0);
  });
}

static void scheduleAlongRows(Group &group, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  Halide::Func out = group.out.func;
  Var row = loops[1].var;
  if (loops[0].extent >= isa.vector)
    out.vectorize(loops[0].var, isa.vector, TailStrategy::GuardWithIf);
  for (Stage &stage : group.stages) {
    if (stage.role == Role::Reduction) {
      scheduleRow(stage, out, row, isa.vector);
      continue;
    }
    bool isRow = stage.loops.size() == loops.size();
    if (isRow && stage.loops[0].extent * 4 > maxStackBytes)
      continue; // computed again where it is read
    stage.func.compute_at(out, row).store_in(onStack);
    if (stage.loops[0].extent >= isa.vector)
      stage.func.vectorize(stage.loops[0].var, isa.vector, TailStrategy::GuardWithIf);
  }
  if (loops.size() > 2)
    parallelizeOuter(group.out, 2);
  else
    out.parallel(row);
}

void scheduleReduce(Group &group, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  if (group.stages.empty())
    return scheduleElementwise(group, isa);
  if (loops.size() >= 2 && isAlongRows(group))
    return scheduleAlongRows(group, isa);
  bool isAcross = group.stages.size() == 1 && group.stages[0].role == Role::Reduction && loops.size() >= 2 &&
                  group.stages[0].loops.size() == loops.size() && loops[0].extent >= isa.vector;
  if (!isAcross)
    return scheduleDefault(group, isa);
  Stage &sums = group.stages[0];
  group.out.func.vectorize(loops[0].var, isa.vector, TailStrategy::GuardWithIf);
  parallelizeOuter(group.out, 1);
  sums.func.compute_at(group.out.func, loops[0].var)
      .vectorize(sums.loops[0].var, isa.vector, TailStrategy::GuardWithIf);
  sums.func.update().vectorize(sums.loops[0].var, isa.vector, TailStrategy::GuardWithIf);
}

} // namespace nnc::targets::x86
