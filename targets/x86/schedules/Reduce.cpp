//===- Reduce.cpp - Sums, softmax and norms of rows on x86 ----------------===//
//
// Along rows (softmax, layer norm):
//   for row                                         (parallel)
//     for vectors of the row: partial sums          one vector of them, then across
//     out[row][vectors] = …                         what is read twice waits on the stack
//
// Across rows (a sum over space): vectors of channels, the sums in registers; of few
// channels four sums each, added up at the end.
//
// Of all rows (a bias' gradient: [rows][columns] -> [columns]):
//   for part of the rows, a sixteenth               (parallel)
//     for block of columns, row                     up to four vectors of sums in registers
//   sum of the parts
//
// Of one long vector (the norm of all gradients): the same, by lanes.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/X86.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

/// Most parts of a long vector.
static constexpr int64_t maxParts = 1024;

/// Parts of the rows of a matrix with few columns, whose sums wait on the stack.
static constexpr int partsOfRows = 16;
static constexpr int64_t fewColumns = 1024;

/// Partial sums of each of a few channels.
static constexpr int fewLanes = 4;

/// Whether parts of a reduction can be combined; of the largest that keeps NaN Halide
/// does not see it.
static bool canSplit(const Halide::Func &func) {
  return Halide::Internal::prove_associativity(func.name(), func.update_args(), func.update_values().as_vector())
      .associative();
}

/// Takes a sum along k by so many partial sums, then one across them.
static void sumInLanes(Halide::Func sum, RVar k, int lanes, Halide::Func out, Var at) {
  RVar lane("lane");
  Var partial("partial");
  sum.update().split(k, k, lane, lanes, TailStrategy::GuardWithIf);
  Halide::Func sums = sum.update().rfactor(lane, partial);
  sums.compute_at(out, at).store_in(onStack).vectorize(partial, lanes);
  sums.update().vectorize(partial, lanes);
}

/// Sums a row by vectors: `vector` partial sums, then one across them.
static void scheduleRow(Stage &stage, Halide::Func out, Var row, int vector) {
  stage.func.compute_at(out, row).store_in(onStack);
  int64_t extent = stage.reductions[0].extent;
  if (extent >= 2 * vector && canSplit(stage.func))
    sumInLanes(stage.func, stage.reductions[0].var, vector, out, row);
}

/// Rows, from loop `first` on, in parallel. Of several free dimensions the outermost
/// alone: were they fused, Halide would not see that what waits on the stack is of one row.
static void parallelizeRows(const Stage &out, size_t first) {
  auto isFree = [](const Loop &loop) { return loop.extent == 0; };
  if (out.loops.size() <= first || std::count_if(out.loops.begin() + first, out.loops.end(), isFree) < 2)
    return parallelizeOuter(out, first);
  Halide::Func(out.func).parallel(out.loops.back().var);
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
  parallelizeRows(group.out, loops.size() > 2 ? 2 : 1);
}

/// A number from all elements of one long vector. Its parts are as long for any
/// number of threads, so that the sum has the same bits.
static void scheduleLong(Stage &sum) {
  constexpr int lanes = 16;
  int64_t extent = sum.reductions[0].extent / lanes;
  int64_t part = std::max<int64_t>(1024, divideCeil(extent, maxParts));
  RVar k = sum.reductions[0].var, vectors("vectors"), lane("lane"), parts("parts"), step("step");
  Var p("p"), l("l");
  // The vector is whole vectors, so that only the last part checks where it ends.
  sum.func.compute_root().store_in(onStack);
  sum.func.update()
      .split(k, vectors, lane, lanes)
      .split(vectors, parts, step, static_cast<int>(part), TailStrategy::GuardWithIf);
  Halide::Func partial = sum.func.update().rfactor(parts, p);
  partial.compute_root().store_in(onStack).parallel(p);
  partial.update().parallel(p);
  Halide::Func inLanes = partial.update().rfactor(lane, l);
  inLanes.compute_at(partial, p).store_in(onStack).vectorize(l, lanes);
  inLanes.update().reorder(l, step).vectorize(l, lanes);
}

/// A number for each point of the result, of elements that are neighbours.
static void scheduleAlong(Group &group, const Isa &isa) {
  Stage &sum = group.stages[0];
  const std::vector<Loop> &loops = group.out.loops;
  int64_t extent = sum.reductions[0].extent;
  if (loops.empty() && sum.reductions.size() == 1 && extent % 16 == 0 && extent > 0)
    return scheduleLong(sum);
  Halide::Func out = group.out.func;
  if (!loops.empty())
    parallelizeRows(group.out, loops.size() > 1 ? 1 : 0);
  scheduleRow(sum, out, loops.empty() ? Var::outermost() : loops[0].var, isa.vector);
}

/// A vector of the sums of the columns of a matrix whose rows are many: tasks sum
/// parts of the rows, as many for any number of threads.
static void scheduleColumns(Group &group, const Isa &isa) {
  Stage &sum = group.stages[0];
  int64_t columns = group.out.loops[0].extent;
  int lanes = isa.vector, vectors = 4;
  while (lanes > columns)
    lanes /= 2;
  while (lanes * vectors > columns)
    vectors /= 2;
  ReductionLoop rows = sum.reductions.back();
  RVar part("part"), row("row");
  Var p("p"), block("block"), c = sum.loops[0].var;
  sum.func.compute_root().store_in(onStack).vectorize(c, lanes, TailStrategy::GuardWithIf);
  Halide::Expr rowsOfPart = Halide::max((rows.size + (partsOfRows - 1)) / partsOfRows, 1);
  sum.func.update().split(rows.var, part, row, rowsOfPart, TailStrategy::GuardWithIf);
  Halide::Func partial = sum.func.update().rfactor(part, p);
  sum.func.update().vectorize(c, lanes, TailStrategy::GuardWithIf);
  // Where the parts' sums wait; those in the registers are of one block of columns.
  Halide::Func waiting = partial.in(sum.func);
  waiting.compute_root()
      .store_in(onStack)
      .bound_extent(p, partsOfRows)
      .split(c, block, c, lanes * vectors, TailStrategy::ShiftInwards)
      .vectorize(c, lanes)
      .parallel(p);
  partial.compute_at(waiting, block).store_in(onStack).vectorize(c, lanes).unroll(c);
  group.out.func.vectorize(group.out.loops[0].var, lanes, TailStrategy::GuardWithIf);
  if (columns < fewLanes && sum.reductions.size() > 1 && sum.reductions[0].extent >= fewLanes)
    return sumInLanes(partial, sum.reductions[0].var, fewLanes, waiting, block);
  std::vector<Halide::VarOrRVar> order{c};
  for (size_t i = 0; i + 1 < sum.reductions.size(); ++i)
    order.push_back(sum.reductions[i].var);
  order.push_back(row);
  partial.update().reorder(order).vectorize(c, lanes).unroll(c);
}

/// The same of a matrix whose columns are many: each task sums all rows of some.
static void scheduleManyColumns(Group &group, const Isa &isa) {
  Stage &sum = group.stages[0];
  Var c = group.out.loops[0].var, block("block");
  group.out.func.split(c, block, c, 4 * isa.vector, TailStrategy::GuardWithIf).vectorize(c, isa.vector).parallel(block);
  sum.func.compute_at(group.out.func, block).store_in(onStack).vectorize(sum.loops[0].var, isa.vector);
  std::vector<Halide::VarOrRVar> order{sum.loops[0].var};
  for (const ReductionLoop &loop : sum.reductions)
    order.push_back(loop.var);
  sum.func.update().reorder(order).vectorize(sum.loops[0].var, isa.vector);
}

/// The sums over space of a few channels, each by several that do not wait for each other and round less.
static void scheduleFewChannels(Group &group) {
  Stage &sums = group.stages[0];
  Var channel = group.out.loops[0].var;
  parallelizeRows(group.out, 1);
  sums.func.compute_at(group.out.func, channel).store_in(onStack);
  sumInLanes(sums.func, sums.reductions[0].var, fewLanes, group.out.func, channel);
}

void scheduleReduce(Group &group, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  if (group.stages.empty())
    return scheduleElementwise(group, isa);
  if (loops.size() >= 2 && isAlongRows(group))
    return scheduleAlongRows(group, isa);
  Stage &sums = group.stages[0];
  if (group.stages.size() > 1 || sums.role != Role::Reduction || sums.loops.size() != loops.size())
    return scheduleDefault(group, isa);
  if (sums.alongRow)
    return sums.reductions[0].extent ? scheduleAlong(group, isa) : scheduleDefault(group, isa);
  if (loops.size() == 1 && loops[0].extent && !sums.reductions.back().extent)
    return loops[0].extent <= fewColumns ? scheduleColumns(group, isa) : scheduleManyColumns(group, isa);
  if (loops.size() >= 2 && loops[0].extent && loops[0].extent < isa.vector && canSplit(sums.func) &&
      sums.reductions[0].extent >= fewLanes)
    return scheduleFewChannels(group);
  if (loops.size() < 2 || loops[0].extent < isa.vector)
    return scheduleDefault(group, isa);
  group.out.func.vectorize(loops[0].var, isa.vector, TailStrategy::GuardWithIf);
  parallelizeOuter(group.out, 1);
  sums.func.compute_at(group.out.func, loops[0].var)
      .vectorize(sums.loops[0].var, isa.vector, TailStrategy::GuardWithIf);
  sums.func.update().vectorize(sums.loops[0].var, isa.vector, TailStrategy::GuardWithIf);
}

} // namespace nnc::targets::x86
