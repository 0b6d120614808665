//===- Dense.cpp - Matrix products on x86 ---------------------------------===//
//
//   for block of rows, panel of outputs             (parallel; the block's x stays in L2)
//     for slice of k                                the slice of the panel stays in L1
//       for tile of rows
//         for k in slice: acc[rows][lanes] += x[rows][k] * w[panel][k][lanes]   in registers
//         sums[rows][panel] = acc                   on the stack
//     out[block][panel] = epilogue(sums)
//
// Where all of k is one slice, tiles begin with zeros and read no sums: 128 to 512 outputs 0.97 of the peak for 0.95.
// The last tile has few rows that are not there (TrimTiles.cpp), so that what is right for many rows is for a few, too:
// two and more take tiles. Times as fast on a Zen 3 (AVX2, tiles of 3 rows) as whole tiles with single rows below 4,
// LSTMs of 128 and 512 units: 2 sequences 1.36 and 1.25, 3 1.40 and 1.48, 5 1.10 and 1.26, 10 1.07 and 1.12, 16 1.05
// and 1.04; 4 of 512 units, by tiles of 3 and 1 and not of 4, 0.96.
//
// A single row uses no weight twice: it has a panel at once. A sum waits for itself, so that
// gates of a cell are taken in one loop, as many as have room in registers, and of several panels
// as many as keep the multiply-adds busy. In blocks gates are contractions of one block, one after
// the other.
//
// Reached, of the multiply-add peak of one core (Zen 4, 118 GFLOP/s for both, L2 1 MB;
// `./dev bench dense_1008 dense_64 dense_8`, NNC_ISA): AVX-512 1008³ 0.93, 64×1024×1024 0.96,
// 8×512×512 0.95; AVX2 0.91, 0.93. Of 8 rows AVX2 has 0.90 (Zen 3, 104 GFLOP/s) by tiles of 3, 3
// and 2 rows and 32 lanes: two of 4 rows by 16 lanes had 0.83, as 8 sums are as many as there are
// multiply-adds under way, with none to spare. Panels of 48 lanes (528 columns) gave 0.93 with AVX-512.
// A Xeon of two multiply-adds a cycle (213 GFLOP/s; a tile in L1 alone reaches 170 to 187) has
// 0.67, 0.69, 0.67 with AVX-512; MKL has 0.80, 0.63, 0.78 there.
// One row is bound by reading the weights: a step of an LSTM at 0.94 of what L2 gives (docs/targets.md).
//
//===----------------------------------------------------------------------===//

#include "targets/x86/Prefetch.h"
#include "targets/x86/RegisterTile.h"
#include "targets/x86/X86.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::TailStrategy;
using Halide::Var;

/// Elements of the largest weight.
static int64_t countWeight(const Group &group) {
  int64_t most = 0;
  for (const Stage &stage : group.stages)
    most = std::max(most, stage.reductions[0].extent * group.out.loops[0].extent);
  return most;
}

/// Whether weights stay in L2 from one call to the next: of a recurrent layer, in all steps.
static bool staysInCache(const Group &group, const Isa &isa) {
  int64_t bytes = isa.vector == 16 ? 768 << 10 : 256 << 10; // processors with AVX-512 have at least 1 MB of L2
  return static_cast<int64_t>(group.stages.size()) * countWeight(group) * 4 <= bytes;
}

/// Rows of a block. Weights that stay in L2 are read again for every few rows: all that is read
/// and written beside them are rows as they lie in memory then, and threads keep rows of their own
/// from one step of a loop to the next. Of larger weights each slice should be read seldom, but x
/// stay in L2 while all panels pass, and the sums of one panel in L1.
static int64_t chooseRowsInBlock(const Group &group, const RegisterTile &tile, const Isa &isa) {
  constexpr int64_t fewRows = 16, manyRows = 64, sumBytes = 32 << 10;
  int64_t xBytes = isa.vector == 16 ? 512 << 10 : 256 << 10;
  const Stage &first = group.stages.front();
  auto stages = static_cast<int64_t>(group.stages.size());
  int64_t rows = fewRows;
  if (!staysInCache(group, isa))
    rows = std::max(
        manyRows, std::min(xBytes / (first.reductions[0].extent * 4), sumBytes / (first.loops[0].extent * stages * 4)) /
                      manyRows * manyRows);
  if (int64_t all = group.out.loops[1].extent)
    rows = std::min(rows, all);
  return divideCeil(rows, tile.points) * tile.points;
}

/// Sums that are in registers at once when several products of a row are taken together.
static int maxSums(const Isa &isa) { return isa.vector == 16 ? 24 : 12; }

/// Sums that keep the multiply-adds busy: two start in a cycle, and each takes four.
static constexpr int64_t busySums = 8;

/// Panels that are taken in one loop for single rows: as few as make enough sums, a divisor of all. Of weights that
/// come from further than L2 fewer streams are read faster: a GRU of 512 units takes 1.24 times as long by two panels
/// at once.
static int choosePanels(const Group &group, int64_t panels, int64_t sumsInPanel, const Isa &isa) {
  if (!staysInCache(group, isa))
    return 1;
  int64_t best = 1;
  for (int64_t count = 2; count <= panels && best * sumsInPanel < busySums; ++count)
    if (panels % count == 0 && count * sumsInPanel <= maxSums(isa))
      best = count;
  return static_cast<int>(best);
}

/// Takes products of single rows in one loop, as many as have room in registers: what is read
/// is several streams, and between panels fewer loops end.
static void fuseSums(std::vector<Stage> &stages, int sumsInStage, const Isa &isa) {
  int most = std::max(1, maxSums(isa) / sumsInStage), count = 0;
  Stage *first = nullptr;
  for (Stage &stage : stages) {
    bool isAlike = first && stage.reductions[0].var.name() == first->reductions[0].var.name();
    if (!isAlike || count == most) {
      first = &stage;
      count = 1;
      continue;
    }
    stage.func.update().compute_with(first->func.update(), first->reductions[0].var);
    ++count;
  }
}

static void scheduleRows(Group &group, const RegisterTile &tile, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  int width = static_cast<int>(group.stages.front().loops[0].extent), vectors = tile.lanes / tile.vector;
  auto stages = static_cast<int64_t>(group.stages.size());
  int panels = choosePanels(group, divideCeil(loops[0].extent, width), stages * vectors, isa);
  Halide::Func out = group.out.func;
  Var r = loops[1].var, panel("panel"), lane("lane"), each("each"), task("task");
  out.split(loops[0].var, panel, lane, width, TailStrategy::GuardWithIf)
      .split(panel, panel, each, panels, TailStrategy::GuardWithIf);
  std::vector<Halide::VarOrRVar> order{lane, each, r};
  for (size_t i = 2; i < loops.size(); ++i)
    order.push_back(loops[i].var);
  order.push_back(panel);
  out.reorder(order).vectorize(lane, tile.vector);
  if (loops.size() > 2)
    out.fuse(loops.back().var, panel, task);
  else
    task = panel;
  out.parallel(task).partition(task, Halide::Partition::Never);
  for (Stage &stage : group.stages)
    scheduleSums(stage, out, r, tile, panels);
  fuseSums(group.stages, vectors * panels, isa);
}

static void scheduleBlocks(Group &group, const RegisterTile &tile, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  int width = static_cast<int>(group.stages.front().loops[0].extent);
  int64_t rows = chooseRowsInBlock(group, tile, isa);
  Halide::Func out = group.out.func;
  Var r = loops[1].var, panel("panel"), lane("lane"), block("block"), task("task");
  out.split(loops[0].var, panel, lane, width, TailStrategy::GuardWithIf)
      .split(r, block, r, static_cast<int>(rows), TailStrategy::GuardWithIf);
  std::vector<Halide::VarOrRVar> order{lane, r, panel, block};
  for (size_t i = 2; i < loops.size(); ++i)
    order.push_back(loops[i].var);
  out.reorder(order)
      .vectorize(lane, tile.vector)
      .fuse(panel, block, task)
      .parallel(task)
      .partition(task, Halide::Partition::Never);
  for (Stage &stage : group.stages) {
    Halide::Func sums = scheduleSlices(stage, out, task, tile, TailStrategy::GuardWithIf);
    sums.bound_storage(sums.args()[1], static_cast<int>(rows)); // which Halide does not see of few rows
    if (!staysInCache(group, isa))
      prefetchWeights(group, stage);
  }
  prefetchOperands(group);
  trimTiles(group);
}

void scheduleDense(Group &group, const Isa &isa, int64_t minRows) {
  const std::vector<Loop> &loops = group.out.loops;
  bool inPanels = std::all_of(group.stages.begin(), group.stages.end(), [&](const Stage &stage) {
    return stage.role == Role::Contraction && stage.loops.size() == loops.size() + 1;
  });
  if (loops.size() < 2 || !inPanels || group.stages.empty())
    return scheduleDefault(group, isa);

  int64_t width = group.stages.front().loops[0].extent;
  // The rows of a tile are those of the innermost dimension that has rows.
  RegisterTile tile = loops[1].extent ? chooseTile(width, loops[1].extent, isa)
                                      : chooseTileFor(width, loops.size() == 2 ? minRows : 1, isa);
  if (tile.points > 1)
    scheduleBlocks(group, tile, isa);
  else
    scheduleRows(group, tile, isa);
}

} // namespace nnc::targets::x86
