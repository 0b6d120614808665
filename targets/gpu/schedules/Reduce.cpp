//===- Reduce.cpp - Sums, softmax and norms of rows on a device -----------===//
//
// Along short rows (softmax of a few classes):
//   for block, thread: a row                        its sums in registers
//     out[row][column] = …
//
// Along long rows, and of all elements to one number, which is a row:
//   for row                                         a block of threads
//     partial[lane] = sum of every 256th element    in registers
//     sixteen[lane] = sum of 16 of them             in shared memory
//     sum = sum of those                            by one thread
//     out[row][columns] = …
//
// Others: Default.cpp.
//
//===----------------------------------------------------------------------===//

#include "targets/gpu/Gpu.h"

#include <algorithm>

namespace nnc::targets::gpu {

using Halide::Func;
using Halide::MemoryType;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

/// Rows up to this length are one thread's.
static constexpr int64_t shortRow = 32;

/// Threads of a row, and of its second sums.
static constexpr int lanes = 256, groups = 16;

/// Every reduction is over the last dimension of a row, of which the result has one
/// more dimension; everything else is computed where it is read.
static bool isAlongRows(const Group &group) {
  const std::vector<Loop> &loops = group.out.loops;
  if (loops.size() < 2 || !loops[0].extent)
    return false;
  bool hasSums = false;
  for (const Stage &stage : group.stages) {
    if (!stage.func.has_update_definition())
      continue;
    hasSums = true;
    if (stage.role != Role::Reduction || stage.loops.size() + 1 != loops.size() || stage.reductions.size() != 1 ||
        stage.reductions[0].extent != loops[0].extent)
      return false;
  }
  return hasSums;
}

static std::vector<Var> getRows(const Group &group) {
  std::vector<Var> rows;
  for (size_t i = 1; i < group.out.loops.size(); ++i)
    rows.push_back(group.out.loops[i].var);
  return rows;
}

static void scheduleShortRows(Group &group) {
  Func out = group.out.func;
  Var row = fuseAll(out, getRows(group), "rows"), block("block"), thread("thread");
  out.split(row, block, thread, 64, TailStrategy::GuardWithIf)
      .reorder(group.out.loops[0].var, thread, block)
      .gpu_blocks(block)
      .gpu_threads(thread);
  if (group.values.defined())
    group.values.compute_at(out, group.out.loops[0].var);
  for (Stage &stage : group.stages)
    if (stage.func.has_update_definition())
      stage.func.compute_at(out, thread);
}

/// The sum of a row, by all threads of its block.
static void sumRow(Stage &stage, Func out, const Var &block) {
  RVar step("step"), lane("lane"), group("group"), member("member");
  Var u("u"), w("w");
  Func sum = stage.func;
  Halide::Stage update = sum.update();
  std::vector<RVar> terms;
  for (const ReductionLoop &loop : stage.reductions)
    terms.push_back(loop.var);
  update.split(fuseAll(update, terms, "terms"), step, lane, lanes, TailStrategy::GuardWithIf);
  Func partial = sum.update().rfactor(lane, u);
  sum.update().split(lane, member, group, groups);
  Func sixteen = sum.update().rfactor(group, w);
  Func shared = partial.in(), summed = sixteen.in();
  shared.compute_at(out, block).store_in(MemoryType::GPUShared).gpu_threads(u);
  partial.compute_at(shared, u);
  summed.compute_at(out, block).store_in(MemoryType::GPUShared).gpu_threads(w);
  sixteen.compute_at(summed, w);
  Func stored = sum.in();
  stored.compute_at(out, block).store_in(MemoryType::GPUShared);
  sum.compute_at(stored, Var::outermost());
}

static void scheduleLongRows(Group &group) {
  Func out = group.out.func;
  Var row = fuseAll(out, getRows(group), "rows"), part("part"), thread("thread");
  out.split(group.out.loops[0].var, part, thread, lanes, TailStrategy::GuardWithIf)
      .reorder(part, thread, row)
      .gpu_blocks(row)
      .gpu_threads(thread);
  if (group.values.defined())
    group.values.compute_at(out, thread);
  for (Stage &stage : group.stages)
    if (stage.func.has_update_definition())
      sumRow(stage, out, row);
}

/// Sums of all elements there are.
static bool isOneNumber(const Group &group) {
  return group.out.loops.empty() && std::all_of(group.stages.begin(), group.stages.end(), [](const Stage &stage) {
           return !stage.func.has_update_definition() || (stage.role == Role::Reduction && stage.loops.empty());
         });
}

static void scheduleNumber(Group &group) {
  Func out = group.out.func;
  Var block("block"), thread("thread");
  out.split(Var::outermost(), Var::outermost(), thread, 1)
      .split(Var::outermost(), Var::outermost(), block, 1)
      .gpu(block, thread);
  if (group.values.defined())
    group.values.compute_at(out, thread);
  for (Stage &stage : group.stages)
    if (stage.func.has_update_definition())
      sumRow(stage, out, block);
}

void scheduleReduce(Group &group) {
  if (isOneNumber(group))
    return scheduleNumber(group);
  if (!isAlongRows(group))
    return scheduleDefault(group);
  return group.out.loops[0].extent <= shortRow ? scheduleShortRows(group) : scheduleLongRows(group);
}

} // namespace nnc::targets::gpu
