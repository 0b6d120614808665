//===- ProductTile.cpp - Sums of products by blocks of threads ------------===//

#include "targets/gpu/ProductTile.h"

#include <algorithm>

namespace nnc::targets::gpu {

using Halide::Func;
using Halide::MemoryType;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;
using Halide::VarOrRVar;

/// Copies a factor's tile to shared memory. All threads of the block copy, neighbours in
/// memory by neighbours among threads.
static void stageFactor(const Factor &factor, Func sums, const RVar &outer, int threadsX, int threadsY) {
  Func func = factor.func;
  std::vector<Var> vars = func.args();
  func.compute_at(sums, outer).store_in(MemoryType::GPUShared);
  Var all = vars[0], x("x"), y("y"), step("step");
  for (size_t i = 1; i < vars.size(); ++i) {
    Var next("copied" + std::to_string(i));
    func.fuse(all, vars[i], next);
    all = next;
  }
  func.split(all, step, y, threadsX * threadsY, TailStrategy::GuardWithIf)
      .split(y, y, x, threadsX)
      .reorder(step, x, y)
      .gpu_threads(x, y);
}

/// Fuses the loops between the first and the last of a definition.
template <typename Definition>
static Var fuseRows(Definition &definition, const std::vector<Loop> &loops, const std::string &name) {
  Var rows = loops[1].var;
  for (size_t i = 2; i + 1 < loops.size(); ++i) {
    Var next(name + std::to_string(i));
    definition.fuse(rows, loops[i].var, next);
    rows = next;
  }
  return rows;
}

void scheduleProductTile(Stage &stage, Func consumer, Var block, const ProductTile &tile) {
  Func sums = stage.func;
  Var c = stage.loops[0].var, ci("ci"), ri("ri"), tx("tx"), ty("ty");
  int threadsX = tile.columns / tile.threadColumns;
  int threadsY = static_cast<int>((tile.rows() + tile.threadRows - 1) / tile.threadRows);
  auto tail = tile.rows() % tile.threadRows == 0 ? TailStrategy::RoundUp : TailStrategy::GuardWithIf;

  // The reduction in chunks: of its innermost loop, or the whole of that and some of the
  // next ones.
  RVar k("k"), outer("outer");
  Halide::Stage update = sums.update();
  const std::vector<ReductionLoop> &reductions = stage.reductions;
  update.split(reductions[0].var, outer, k, tile.chunk, TailStrategy::GuardWithIf);
  std::vector<std::pair<RVar, Var>> kept{{outer, Var("chunk")}};
  for (size_t i = 1; i < reductions.size(); ++i)
    kept.emplace_back(reductions[i].var, Var("outer" + std::to_string(i)));
  Func part = update.rfactor(kept);

  sums.compute_at(consumer, block).store_in(MemoryType::GPUShared);
  for (size_t i = 0; i < tile.extents.size(); ++i)
    sums.bound_extent(stage.loops[i + 1].var, static_cast<int>(tile.extents[i]));
  Var rows = fuseRows(sums, stage.loops, "rows");
  sums.split(c, tx, ci, tile.threadColumns)
      .split(rows, ty, ri, tile.threadRows, tail)
      .reorder(ci, ri, tx, ty)
      .gpu_threads(tx, ty)
      .vectorize(ci)
      .unroll(ri);
  Halide::Stage add = sums.update();
  Var addRows = fuseRows(add, stage.loops, "rows");
  std::vector<VarOrRVar> order{ci, ri, tx, ty};
  for (auto &[loop, var] : kept)
    order.push_back(loop);
  add.split(c, tx, ci, tile.threadColumns)
      .split(addRows, ty, ri, tile.threadRows, tail)
      .reorder(order)
      .gpu_threads(tx, ty)
      .vectorize(ci)
      .unroll(ri);

  // A thread's part: the same tile as of the sums, one after the other.
  part.compute_at(sums, tx).vectorize(c).update().reorder({c}).vectorize(c);
  std::vector<VarOrRVar> inner{c};
  for (size_t i = 1; i + 1 < stage.loops.size(); ++i) {
    part.unroll(stage.loops[i].var);
    part.update().unroll(stage.loops[i].var);
    inner.push_back(stage.loops[i].var);
  }
  inner.push_back(k);
  part.update().reorder(inner).unroll(k);

  for (const Factor &factor : stage.factors)
    stageFactor(factor, sums, kept.front().first, threadsX, threadsY);
  stage.factors[1].func.in(part).compute_at(part, k).vectorize(stage.factors[1].func.args()[0]);
}

} // namespace nnc::targets::gpu
