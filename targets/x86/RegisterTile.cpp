//===- RegisterTile.cpp - The inner loops of contractions -----------------===//
//
// A tile of a vectors by b points takes a * b accumulators, a + b loads and a * b
// multiply-adds a step. Two multiply-adds of latency 4 start in a cycle, so at
// least 8 accumulators, better 12; two loads start in a cycle, so tiles that are
// neither narrow nor flat.
//
// What limits a tile is where the panel comes from: L1 gives two vectors a cycle, L2 half
// of one at best. So many tiles pass over one slice of the panel:
//
//   for slice of the reduction                      24 KB of the panel, which stay in L1
//     for tile of points, share of the panel
//       for step in slice: acc[points][lanes] += x[points][step] * w[step][lanes]   in registers
//       sums[points][lanes] = acc                   on the stack
//
// Reached by tiles alone, on a panel in L1 (Zen 4, peak 118 GFLOP/s for both): AVX2 0.95
// with 12 sums, 0.93 with 10, 0.89 with 8; AVX-512 0.96.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/RegisterTile.h"

#include "targets/x86/X86.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::TailStrategy;
using Halide::Var;

/// Most vectors of a tile.
static constexpr int maxVectors = 6;

/// Most points that a tile of this many vectors has.
static int maxPoints(int vectors, const Isa &isa) {
  static constexpr int wide[] = {0, 16, 8, 8, 6, 4, 4};   // 32 registers
  static constexpr int narrow[] = {0, 10, 6, 4, 3, 2, 2}; // 16 registers
  return isa.vector == 16 ? wide[vectors] : narrow[vectors];
}

/// The shares of a panel that may be in registers at once, in vectors.
static std::vector<int> shares(int64_t panelWidth, int vector) {
  std::vector<int> result;
  int vectors = static_cast<int>(panelWidth) / vector;
  for (int share = std::min(vectors, maxVectors); share >= 1; --share)
    if (vectors % share == 0)
      result.push_back(share);
  return result;
}

/// Of the multiply-adds that a tile could start, the share that counts.
static double efficiency(int vectors, int points, int64_t extent) {
  double useful = static_cast<double>(extent) / static_cast<double>(divideCeil(extent, points) * points);
  double sums = vectors * points, loads = vectors + points;
  // Few sums leave no room for a multiply-add that starts late.
  double started = std::min(1.0, sums / 8) * (1 - 0.5 / sums);
  return useful * started * std::min(1.0, sums / loads) * (1 - 0.1 * loads / sums);
}

RegisterTile chooseTile(int64_t panelWidth, int64_t extent, const Isa &isa, int panels) {
  int vector = std::min<int>(static_cast<int>(panelWidth), isa.vector);
  RegisterTile best{vector, vector, 1};
  double most = 0;
  for (int share : shares(panelWidth, vector)) {
    int vectors = share * panels;
    if (vectors > maxVectors)
      continue;
    for (int points = static_cast<int>(std::min<int64_t>(extent, maxPoints(vectors, isa))); points >= 1; --points)
      if (double value = efficiency(vectors, points, extent); value > most * 1.0001) {
        most = value;
        best = {vector, share * vector, points};
      }
  }
  return best;
}

TileShare chooseShare(int64_t panelWidth, int64_t points, const Isa &isa) {
  int vector = std::min<int>(static_cast<int>(panelWidth), isa.vector);
  TileShare best;
  for (int share : shares(panelWidth, vector))
    if (points <= maxPoints(share, isa))
      if (double value = efficiency(share, static_cast<int>(points), points); value > best.efficiency)
        best = {share * vector, value};
  return best;
}

RegisterTile chooseTileFor(int64_t panelWidth, int64_t minimum, const Isa &isa) {
  constexpr int64_t manyRows = 64;
  int vector = std::min<int>(static_cast<int>(panelWidth), isa.vector);
  if (minimum == 1) // what is read once is read as it lies
    return {vector, shares(panelWidth, vector).front() * vector, 1};
  return chooseTile(panelWidth, manyRows, isa);
}

/// The loops of a tile, innermost first. Vectors of the panel or points, whichever are
/// fewer, come inside the others: they stay in registers, each of the others is loaded once.
static std::vector<Halide::VarOrRVar> orderTile(Var lane, Var vector, Var point, const RegisterTile &tile) {
  if (tile.points < tile.lanes / tile.vector)
    return {lane, point, vector};
  return {lane, vector, point};
}

/// Tiles whose rows are guarded are in one loop, the last one too: TrimTiles.cpp takes care of it.
static Halide::Partition choosePartition(TailStrategy tail) {
  return tail == TailStrategy::GuardWithIf ? Halide::Partition::Never : Halide::Partition::Auto;
}

void scheduleSums(Stage &contraction, Halide::Func out, Var at, const RegisterTile &tile, int panels,
                  TailStrategy tail) {
  Var lane = contraction.loops[0].var, point = contraction.loops[1].var, panel = contraction.loops.back().var;
  Var share("share"), vector("vector"), whole("whole");
  // The edge of the result needs fewer lanes; the whole tile is summed all the same.
  contraction.func.bound_extent(lane, static_cast<int>(contraction.loops[0].extent))
      .bound_extent(panel, panels)
      .compute_at(out, at)
      .store_in(Halide::MemoryType::Stack)
      .vectorize(lane, tile.vector, TailStrategy::RoundUp);
  std::vector<Halide::VarOrRVar> order = orderTile(lane, vector, point, tile);
  if (panels > 1)
    order.push_back(panel);
  for (const ReductionLoop &loop : contraction.reductions)
    order.push_back(loop.var);
  order.push_back(share);

  auto update = contraction.func.update();
  if (tail == TailStrategy::GuardWithIf) {
    contraction.func.bound_storage(point, tile.points).split(point, whole, point, tile.points, TailStrategy::RoundUp);
    update.split(point, whole, point, tile.points, tail).partition(whole, choosePartition(tail));
    order.push_back(whole);
  }
  contraction.func.unroll(point);
  update.split(lane, share, lane, tile.lanes)
      .split(lane, vector, lane, tile.vector)
      .reorder(order)
      .vectorize(lane)
      .unroll(vector)
      .unroll(point);
  if (panels > 1) {
    contraction.func.unroll(panel);
    update.unroll(panel);
  }
}

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

/// Bytes of a slice of a panel: most of L1, so that a tile's loop goes on for long.
static constexpr int64_t sliceBytes = 24 << 10;

bool needsSlices(const Stage &contraction) {
  int64_t bytes = contraction.loops[0].extent * 4;
  for (const ReductionLoop &loop : contraction.reductions)
    bytes *= loop.extent;
  return bytes > sliceBytes;
}

/// The part of a loop that is in a slice of `most` steps: a divisor of the extent that is at
/// least half of that, else equal parts of which the last may be shorter.
static int64_t choosePart(int64_t extent, int64_t most) {
  for (int64_t part = most; part >= most / 2 && part > 0; --part)
    if (extent % part == 0)
      return part;
  return divideCeil(extent, divideCeil(extent, most));
}

/// One slice: each tile has all of its sums in registers.
static Halide::Func scheduleTiles(Stage &contraction, Halide::Func out, Var at, const RegisterTile &tile,
                                  TailStrategy tail) {
  Halide::Func sums = contraction.func.in();
  std::vector<Var> args = sums.args();
  Var lane = args[0], point("point"), block("tile");
  sums.bound_extent(lane, static_cast<int>(contraction.loops[0].extent))
      .bound_extent(args.back(), 1)
      .compute_at(out, at)
      .store_in(onStack)
      .split(args[1], block, point, tile.points, tail)
      .reorder(lane, point, block)
      .vectorize(lane, tile.vector)
      .unroll(point)
      .partition(block, choosePartition(tail));
  scheduleSums(contraction, sums, block, tile, 1, tail);
  return sums;
}

Halide::Func scheduleSlices(Stage &contraction, Halide::Func out, Var at, const RegisterTile &tile, TailStrategy tail) {
  if (!needsSlices(contraction))
    return scheduleTiles(contraction, out, at, tile, tail);
  Var lane = contraction.loops[0].var, point = contraction.loops[1].var;
  Var share("share"), vector("vector"), block("tile");
  contraction.func.bound_extent(lane, static_cast<int>(contraction.loops[0].extent))
      .bound_extent(contraction.loops.back().var, 1)
      .compute_at(out, at)
      .store_in(onStack)
      .vectorize(lane, tile.vector, TailStrategy::RoundUp);

  // Loops of the reduction, from the innermost, as long as what they read is a slice.
  auto update = contraction.func.update();
  std::vector<Halide::VarOrRVar> inside, outside;
  int64_t most = sliceBytes / (contraction.loops[0].extent * 4);
  for (const ReductionLoop &loop : contraction.reductions) {
    if (!outside.empty() || most < 2) {
      outside.push_back(loop.var);
    } else if (loop.extent <= most * 3 / 2) {
      inside.push_back(loop.var);
      most /= loop.extent;
    } else if (inside.empty()) {
      Halide::RVar slice("slice"), step("step");
      update.split(loop.var, slice, step, static_cast<int>(choosePart(loop.extent, most)));
      inside.push_back(step);
      outside.push_back(slice);
    } else {
      outside.push_back(loop.var);
    }
  }

  std::vector<Halide::VarOrRVar> order = orderTile(lane, vector, point, tile);
  order.insert(order.end(), inside.begin(), inside.end());
  order.push_back(share);
  order.push_back(block);
  order.insert(order.end(), outside.begin(), outside.end());
  update.split(lane, share, lane, tile.lanes)
      .split(lane, vector, lane, tile.vector)
      .split(point, block, point, tile.points, tail)
      .reorder(order)
      .vectorize(lane)
      .unroll(vector)
      .unroll(point)
      .partition(block, choosePartition(tail));
  return contraction.func;
}

} // namespace nnc::targets::x86
