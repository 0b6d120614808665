//===- ProductTile.cpp - Sums of products by blocks of threads ------------===//

#include "targets/gpu/ProductTile.h"

#include "targets/gpu/Gpu.h"

#include <algorithm>

namespace nnc::targets::gpu {

using Halide::Func;
using Halide::MemoryType;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;
using Halide::VarOrRVar;

bool isProductInPanels(const Stage &stage) {
  if (stage.factors.size() != 2 || stage.loops.size() < 3)
    return false;
  int panel = static_cast<int>(stage.loops.size()) - 1;
  const std::vector<int> &rows = stage.factors[0].loops;
  return stage.factors[1].loops == std::vector<int>{0, panel} && std::count(rows.begin(), rows.end(), 1) &&
         !std::count(rows.begin(), rows.end(), panel) && stage.loops[0].extent % 4 == 0 && stage.loops[0].extent > 0 &&
         stage.loops[0].extent <= 64;
}

/// Terms of several loops in one chunk.
static constexpr int64_t mostFused = 40;

ProductTile chooseProductTile(int64_t lanes, int64_t panels, int64_t rows, const std::vector<ReductionLoop> &reductions,
                              int64_t columns) {
  ProductTile tile{static_cast<int>(lanes), 1, 8, 4, 8, 32, 0};
  while (tile.lanes * tile.panels < columns && tile.panels * 2 <= panels)
    tile.panels *= 2;
  while (tile.rows < 64 && tile.rows * 2 <= rows)
    tile.rows *= 2;
  while (tile.threadRows > 1 && tile.threadsX() * tile.threadsY() < 64)
    tile.threadRows /= 2;
  // Of short loops the whole product of the first ones.
  int64_t terms = reductions[0].extent;
  size_t next = 1;
  while (next < reductions.size() && terms > 0 && terms < 8 && reductions[next].extent > 0 &&
         terms * reductions[next].extent <= mostFused)
    terms *= reductions[next++].extent;
  tile.fused = static_cast<int>(next) - 1;
  if (tile.fused)
    tile.chunk = static_cast<int>(terms);
  while (!tile.fused && terms > 0 && tile.chunk > 8 && tile.chunk > terms)
    tile.chunk /= 2;
  return tile;
}

/// Copies a factor's tile to shared memory. All threads of the block copy, neighbours in
/// memory by neighbours among threads.
static void stageFactor(const Stage &stage, const Factor &factor, Func sums, const RVar &outer,
                        const ProductTile &tile) {
  Func func = factor.func;
  // How much is copied follows from the tile, which Halide does not see where an extent is
  // known at run time alone. What is copied beyond the last term is not used.
  std::vector<int> extents; // 0: Halide sees it
  if (factor.loops[0] == 0)
    extents.push_back(tile.lanes);
  for (int reduction : factor.reductions)
    extents.push_back(reduction > tile.fused ? (stage.reductions[reduction].extent ? 0 : 1)
                      : tile.fused || stage.reductions[0].extent < tile.chunk ? 0
                                                                              : tile.chunk);
  for (int loop : factor.loops)
    if (loop > 0)
      extents.push_back(loop == 1 ? tile.rows : loop + 1 == static_cast<int>(stage.loops.size()) ? tile.panels : 0);
  for (size_t i = 0; i < extents.size(); ++i)
    if (extents[i] > 0)
      func.bound_extent(func.args()[i], extents[i]);
  // Halide packs what is in shared memory without a gap: what is read in vectors of four
  // must follow on whole ones.
  func.compute_at(sums, outer).store_in(MemoryType::GPUShared).align_storage(func.args()[0], 4);
  Var x("x"), y("y"), step("step");
  func.split(fuseAll(func, func.args(), "copied"), step, y, tile.threadsX() * tile.threadsY(),
             TailStrategy::GuardWithIf)
      .split(y, y, x, tile.threadsX())
      .reorder(step, x, y)
      .gpu_threads(x, y)
      .unroll(step, 8, TailStrategy::GuardWithIf); // so that its reads are on their way at once
}

/// The loops of a definition of the sums as loops over threads: lanes and panels, rows.
template <typename Definition>
static void spreadThreads(Definition &definition, const Stage &stage, const ProductTile &tile,
                          const std::vector<VarOrRVar> &outer) {
  Var lanes("lanes"), lane("lane"), row("row"), rows = stage.loops[1].var, x("x");
  definition.split(stage.loops[0].var, lanes, lane, tile.threadLanes).split(rows, rows, row, tile.threadRows);
  definition.fuse(lanes, stage.loops.back().var, x);
  std::vector<VarOrRVar> order{lane, row, x, rows};
  for (size_t i = 2; i + 1 < stage.loops.size(); ++i)
    order.push_back(stage.loops[i].var);
  order.insert(order.end(), outer.begin(), outer.end());
  definition.reorder(order).gpu_threads(x, rows).vectorize(lane).unroll(row);
}

TileColumns spreadColumns(Func out, const Var &column, const ProductTile &tile) {
  TileColumns columns;
  Var panel("panel"), lanes("lanes");
  out.split(column, columns.panels, panel, tile.lanes * tile.panels, TailStrategy::GuardWithIf)
      .split(panel, panel, columns.lane, tile.lanes)
      .split(columns.lane, lanes, columns.lane, tile.threadLanes)
      .fuse(lanes, panel, columns.x);
  return columns;
}

void scheduleProductTile(Stage &stage, Func consumer, Var block, const ProductTile &tile) {
  Func sums = stage.func;
  const std::vector<ReductionLoop> &reductions = stage.reductions;
  RVar k("k"), outer("outer");
  Halide::Stage update = sums.update();
  RVar terms = reductions[0].var;
  for (int i = 1; i <= tile.fused; ++i) {
    RVar both("terms" + std::to_string(i));
    update.fuse(terms, reductions[i].var, both);
    terms = both;
  }
  update.split(terms, outer, k, tile.chunk, TailStrategy::GuardWithIf);
  std::vector<std::pair<RVar, Var>> kept{{outer, Var("chunk")}};
  for (size_t i = 1 + tile.fused; i < reductions.size(); ++i)
    kept.emplace_back(reductions[i].var, Var("outer" + std::to_string(i)));
  Func part = update.rfactor(kept);
  for (auto &[loop, var] : kept)
    part.bound_extent(var, 1);

  sums.compute_at(consumer, block).store_in(MemoryType::GPUShared);
  sums.bound_extent(stage.loops[0].var, tile.lanes)
      .bound_extent(stage.loops[1].var, tile.rows)
      .bound_extent(stage.loops.back().var, tile.panels);
  spreadThreads(sums, stage, tile, {});
  Halide::Stage add = sums.update();
  std::vector<VarOrRVar> chunks;
  for (auto &[loop, var] : kept)
    chunks.push_back(loop);
  spreadThreads(add, stage, tile, chunks);

  // A thread's part: the same tile as of the sums.
  Var lane = stage.loops[0].var, row = stage.loops[1].var;
  part.compute_at(sums, Var("x")).vectorize(lane).unroll(row);
  part.update().reorder(lane, row, k).vectorize(lane).unroll(row).unroll(k);

  for (const Factor &factor : stage.factors)
    stageFactor(stage, factor, sums, outer, tile);
  if (tile.fused) // where a term lies is not seen apart from the others
    return;
  Func b = stage.factors[1].func;
  Func lanes = b.in(part);
  lanes.compute_at(part, k).bound_extent(lanes.args()[0], tile.threadLanes).vectorize(lanes.args()[0]);
  for (size_t i = 1; i < lanes.args().size(); ++i)
    lanes.bound_extent(lanes.args()[i], 1);
}

//===----------------------------------------------------------------------===//
// Kernels of their own
//===----------------------------------------------------------------------===//

/// Blocks that keep a device busy.
static constexpr int64_t manyBlocks = 264;

/// Terms of a reduction that are worth a block.
static constexpr int64_t termsOfBlock = 128;

/// A loop of a reduction in parts that are blocks of their own.
struct Parts {
  size_t loop = 0;
  int64_t count = 1;
};

/// Which parts: of the one loop of a reduction, or a divisor of another loop that is known,
/// as an index that must be checked would hide from Halide what a part needs.
static Parts chooseParts(const Stage &stage, const ProductTile &tile) {
  const std::vector<ReductionLoop> &reductions = stage.reductions;
  int64_t tiles = 1, terms = 1;
  for (const Loop &loop : stage.loops)
    tiles *= std::max<int64_t>(1, loop.extent);
  tiles = std::max<int64_t>(1, tiles / (tile.lanes * tile.panels * tile.rows));
  for (const ReductionLoop &loop : reductions)
    terms *= loop.extent ? loop.extent : 1024;
  int64_t most = std::min(manyBlocks / tiles, terms / termsOfBlock);
  if (reductions.size() == 1)
    return {0, most};
  Parts best;
  for (size_t i = 1; i < reductions.size(); ++i)
    for (int64_t count = std::min(most, reductions[i].extent); count > best.count; --count)
      if (reductions[i].extent % count == 0)
        best = {i, count};
  return best;
}

/// One kernel that computes these sums, tile by tile.
static void launchTiles(Stage &stage, const ProductTile &tile) {
  Func stored = stage.func.in();
  const std::vector<Loop> &loops = stage.loops;
  Var panel = loops.back().var, panels("panels"), lanes("lanes"), lane("lane"), x("x"), row("row"), rows = loops[1].var,
      block("block");
  stored.compute_root()
      .split(panel, panels, panel, tile.panels, TailStrategy::GuardWithIf)
      .split(loops[0].var, lanes, lane, tile.threadLanes)
      .fuse(lanes, panel, x)
      .split(rows, block, rows, tile.rows, TailStrategy::GuardWithIf)
      .split(rows, rows, row, tile.threadRows);
  std::vector<Var> outer{block};
  for (size_t i = 2; i + 1 < loops.size(); ++i)
    outer.push_back(loops[i].var);
  Var others = fuseAll(stored, outer, "others");
  stored.reorder(lane, row, x, rows, panels, others).gpu_blocks(panels, others).gpu_threads(x, rows).unroll(row);
  scheduleProductTile(stage, stored, panels, tile);
}

void launchProduct(Stage &stage) {
  ProductTile tile = chooseProductTile(stage.loops[0].extent, stage.loops.back().extent,
                                       stage.loops[1].extent ? stage.loops[1].extent : 64, stage.reductions);
  Parts parts = chooseParts(stage, tile);
  if (parts.count <= 1)
    return launchTiles(stage, tile);
  RVar part("part"), term("term");
  Var p("p");
  ReductionLoop cut = stage.reductions[parts.loop];
  stage.func.update().split(cut.var, part, term, countTermsOfPart(cut, parts.count), TailStrategy::GuardWithIf);
  Stage partial = stage;
  partial.func = stage.func.update().rfactor(part, p);
  partial.loops.insert(partial.loops.end() - 1, {p, 0, {}});
  partial.reductions[parts.loop] = {term, 0, {}};
  launchTiles(partial, tile);
  launchAlone(stage.func, stage.loops); // the sums of the parts, a thread for each
}

} // namespace nnc::targets::gpu
