//===- RegisterTile.cpp - The inner loops of contractions -----------------===//
//
// A tile of a vectors by b points takes a * b accumulators, a + b loads and a * b
// multiply-adds a step. Two multiply-adds of latency 4 start in a cycle, so at
// least 8 accumulators; two loads start in a cycle, so tiles that are neither
// narrow nor flat.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/RegisterTile.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::TailStrategy;
using Halide::Var;

/// Most points that a tile of this many vectors has.
static int maxPoints(int vectors, const Isa &isa) {
  static constexpr int wide[] = {0, 16, 14, 8, 6};  // 32 registers
  static constexpr int narrow[] = {0, 10, 6, 4, 2}; // 16 registers
  return isa.vector == 16 ? wide[vectors] : narrow[vectors];
}

/// The shares of a panel that may be in registers at once, in vectors.
static std::vector<int> shares(int64_t panelWidth, int vector, const Isa &isa) {
  std::vector<int> result;
  int vectors = static_cast<int>(panelWidth) / vector;
  for (int share = std::min(vectors, isa.vector == 16 ? 4 : 3); share >= 1; --share)
    if (vectors % share == 0)
      result.push_back(share);
  return result;
}

/// Of the multiply-adds that a tile could start, the share that counts.
static double efficiency(int vectors, int points, int64_t extent) {
  double useful = static_cast<double>(extent) / static_cast<double>((extent + points - 1) / points * points);
  double started = std::min(1.0, vectors * points / 8.0);
  double loaded = std::min(1.0, static_cast<double>(vectors * points) / (vectors + points));
  // A larger tile reads less of the panel for each sum.
  return useful * started * loaded * (1 - 0.05 / points);
}

RegisterTile chooseTile(int64_t panelWidth, int64_t extent, const Isa &isa) {
  int vector = std::min<int>(static_cast<int>(panelWidth), isa.vector);
  RegisterTile best{vector, vector, 1};
  double most = 0;
  for (int share : shares(panelWidth, vector, isa))
    for (int points = static_cast<int>(std::min<int64_t>(extent, maxPoints(share, isa))); points >= 1; --points)
      if (double value = efficiency(share, points, extent); value > most * 1.0001) {
        most = value;
        best = {vector, share * vector, points};
      }
  return best;
}

RegisterTile chooseTileFor(int64_t panelWidth, int64_t minimum, const Isa &isa) {
  int vector = std::min<int>(static_cast<int>(panelWidth), isa.vector);
  int share = shares(panelWidth, vector, isa).front();
  int most = share == 2 && isa.vector == 16 ? 12 : maxPoints(share, isa);
  return {vector, share * vector, static_cast<int>(std::min<int64_t>(minimum, most))};
}

void scheduleSums(Stage &contraction, Halide::Func out, Var at, const RegisterTile &tile) {
  Var lane = contraction.loops[0].var, point = contraction.loops[1].var, inner("inner");
  // The edge of the result needs fewer; the whole tile is summed all the same.
  contraction.func.bound_extent(lane, static_cast<int>(contraction.loops[0].extent))
      .bound_extent(contraction.loops.back().var, 1)
      .compute_at(out, at)
      .store_in(Halide::MemoryType::Stack)
      .vectorize(lane, tile.vector, TailStrategy::RoundUp)
      .unroll(point);

  std::vector<Halide::VarOrRVar> order{inner, point};
  for (const ReductionLoop &loop : contraction.reductions)
    order.push_back(loop.var);
  order.push_back(lane);
  contraction.func.update()
      .split(lane, lane, inner, tile.lanes)
      .reorder(order)
      .vectorize(inner, tile.vector)
      .unroll(inner)
      .unroll(point);
}

} // namespace nnc::targets::x86
