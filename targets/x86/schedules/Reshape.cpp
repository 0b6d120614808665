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
// What is copied to lie along another dimension (a weight, for gradients of inputs):
//   for panel                                       (parallel)
//     for 8 rows, 8 lanes of the panel
//       8 vectors are loaded, turned by shuffles and stored
//
// Bound by shuffles in L2: 128x186 floats take 2.2 us of a core by AVX-512 and 3.5 us by AVX2
// (Zen 4), 5.8 us where each is loaded by itself; 16x16 takes twice the time of 8x8.
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

/// Rows and columns that are turned at once.
static constexpr int turnedSize = 8;

/// What is loaded and what is stored are the stages; their last two dimensions are lanes and
/// rows of the result, which lie the other way round in what is loaded.
static bool scheduleTurn(Group &group) {
  const std::vector<Loop> &loops = group.out.loops;
  if (group.stages.size() != 2 || loops.size() < 3 || loops[0].extent % turnedSize != 0)
    return false;
  Stage &rows = group.stages[0], &turned = group.stages[1];
  // Where what is loaded ends in whole blocks, it is read to its end; else the last block
  // begins earlier.
  bool isWhole = rows.loops[0].extent % turnedSize == 0;
  if (!isWhole && loops[1].extent < turnedSize)
    return false;
  Halide::Func out = group.out.func;
  Var lane("lane"), row("row"), l = loops[0].var, r = loops[1].var;
  out.split(l, l, lane, turnedSize)
      .split(r, r, row, turnedSize, isWhole ? TailStrategy::GuardWithIf : TailStrategy::ShiftInwards)
      .reorder(lane, row, l, r)
      .vectorize(lane)
      .unroll(row);
  parallelizeOuter(group.out, 2);
  // Stored as the lanes come, loaded as the rows come: the vector of all 64 is shuffled.
  for (Stage *stage : {&rows, &turned})
    stage->func.compute_at(out, l)
        .store_in(onStack)
        .bound_extent(stage->loops[0].var, turnedSize)
        .bound_extent(stage->loops[1].var, turnedSize)
        .vectorize(stage->loops[0].var);
  rows.func.unroll(rows.loops[1].var);
  turned.func.vectorize(turned.loops[1].var);
  return true;
}

void scheduleReshape(Group &group, const Isa &isa) {
  if (!group.out.reductions.empty())
    return scheduleScatter(group, isa);
  if (scheduleTurn(group))
    return;
  group.stages.clear(); // computed where they are read
  scheduleElementwise(group, isa);
}

} // namespace nnc::targets::x86
