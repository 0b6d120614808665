//===- ProductTile.cpp - Sums of products by blocks of threads ------------===//

#include "targets/gpu/ProductTile.h"

#include "targets/gpu/Gpu.h"
#include "targets/gpu/ThreadRegisters.h"

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
  const std::vector<int> &rows = stage.factors[0].loops, &columns = stage.factors[1].loops;
  return columns.front() == 0 && columns.back() == panel && !std::count(columns.begin(), columns.end(), 1) &&
         std::count(rows.begin(), rows.end(), 1) && !std::count(rows.begin(), rows.end(), panel) &&
         stage.loops[0].extent % 4 == 0 && stage.loops[0].extent > 0 && stage.loops[0].extent <= 64;
}

/// Terms of several loops in one chunk.
static constexpr int64_t mostFused = 40;

/// Threads of a block.
static constexpr int fewestThreads = 48;

ProductTile chooseProductTile(int64_t lanes, int64_t panels, int64_t rows, const std::vector<ReductionLoop> &reductions,
                              int64_t columns) {
  ProductTile tile{static_cast<int>(lanes), 1, 8, static_cast<int>(std::min<int64_t>(lanes, 8)), 8, 16, 0};
  while (tile.lanes * tile.panels < columns && tile.panels * 2 <= panels)
    tile.panels *= 2;
  while (tile.rows < 64 && tile.rows * 2 <= rows)
    tile.rows *= 2;
  // Fewer threads would not fill two warps.
  while (tile.threadRows > 1 && tile.threadsX() * tile.threadsY() < fewestThreads) {
    if (tile.threadLanes > 4)
      tile.threadLanes = 4;
    else
      tile.threadRows /= 2;
  }
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

/// The argument of a factor whose neighbours are neighbours in memory: the lanes, the rows
/// of what sums over rows or pixels, else the innermost loop of the reduction.
static size_t findContiguous(const Stage &stage, const Factor &factor) {
  if (factor.loops.front() == 0 || stage.role != Role::OuterProduct)
    return 0;
  auto row = std::find(factor.loops.begin(), factor.loops.end(), 1);
  return factor.reductions.size() + (row - factor.loops.begin());
}

/// Copies a factor's tile to shared memory. All threads of the block copy, neighbours in
/// memory by neighbours among threads, four at a time where they are whole vectors.
static void stageFactor(const Stage &stage, const Factor &factor, Func sums, const RVar &outer,
                        const ProductTile &tile) {
  Func func = factor.func;
  std::vector<Var> args = func.args();
  bool hasLanes = factor.loops[0] == 0;
  // How much is copied follows from the tile, which Halide does not see where an extent is
  // known at run time alone. What is copied beyond the last term is not used.
  std::vector<int64_t> extents, inMemory; // 0: Halide sees it; of the whole factor, where known
  if (hasLanes) {
    extents.push_back(tile.lanes);
    inMemory.push_back(tile.lanes);
  }
  for (int reduction : factor.reductions) {
    int64_t extent = stage.reductions[reduction].extent;
    extents.push_back(reduction > tile.fused                          ? (extent ? 0 : 1)
                      : tile.fused || (extent && extent < tile.chunk) ? 0
                                                                      : tile.chunk);
    inMemory.push_back(tile.fused ? 0 : extent);
  }
  for (int loop : factor.loops)
    if (loop > 0) {
      bool isPanel = loop + 1 == static_cast<int>(stage.loops.size());
      extents.push_back(loop == 1 ? tile.rows : isPanel ? tile.panels : 0);
      inMemory.push_back(stage.loops[loop].extent);
    }
  for (size_t i = 0; i < extents.size(); ++i)
    if (extents[i] > 0)
      func.bound_extent(args[i], static_cast<int>(extents[i]));

  // A thread reads its rows, and its lanes of a panel, as vectors: these lie together, and
  // what is between one term's and the next one's keeps threads that copy from meeting in
  // one bank of the memory.
  size_t first = 0, wide = findContiguous(stage, factor);
  int storedFirst = tile.lanes;
  std::vector<Var> stored(args);
  if (hasLanes) {
    std::rotate(stored.begin() + 1, stored.end() - 1, stored.end()); // lanes, panels, terms
  } else {
    first = factor.reductions.size() + (std::find(factor.loops.begin(), factor.loops.end(), 1) - factor.loops.begin());
    std::rotate(stored.begin(), stored.begin() + first, stored.begin() + first + 1);
    storedFirst = (tile.rows + 3) / 8 * 8 + 4;
  }
  func.compute_at(sums, outer)
      .store_in(MemoryType::GPUShared)
      .reorder_storage(stored)
      .align_storage(args[first], storedFirst);

  int width = inMemory[wide] > 0 && inMemory[wide] % 4 == 0 && (extents[wide] % 4 == 0) ? 4 : 1;
  Var x("x"), y("y"), step("step"), vector("vector");
  std::vector<Var> order(args);
  std::rotate(order.begin(), order.begin() + wide, order.begin() + wide + 1);
  if (width > 1)
    func.split(args[wide], args[wide], vector, width);
  func.split(fuseAll(func, order, "copied"), step, y, tile.threadsX() * tile.threadsY(), TailStrategy::GuardWithIf)
      .split(y, y, x, tile.threadsX());
  if (width > 1)
    func.reorder(vector, step, x, y).vectorize(vector);
  else
    func.reorder(step, x, y);
  func.gpu_threads(x, y).unroll(step, 8, TailStrategy::GuardWithIf); // so that its reads are on their way at once
}

/// A thread's lanes, as vectors of what the memory gives at once: what is shared begins with a vector of
/// four, but of no more.
template <typename Definition>
static void vectorizeLanes(Definition &definition, const Var &lane, const ProductTile &tile) {
  Var quads("quads");
  if (tile.threadLanes > 4)
    definition.split(lane, quads, lane, 4).unroll(quads);
  definition.vectorize(lane);
}

/// The loops of a definition of the sums as loops over threads: lanes and panels, rows.
/// Those of a thread are `inner`, from its lanes and rows out.
template <typename Definition>
static void spreadThreads(Definition &definition, const Stage &stage, const ProductTile &tile,
                          const std::vector<VarOrRVar> &inner, const std::vector<VarOrRVar> &outer) {
  Var lanes("lanes"), lane("lane"), row("row"), rows = stage.loops[1].var, x("x");
  definition.split(stage.loops[0].var, lanes, lane, tile.threadLanes).split(rows, rows, row, tile.threadRows);
  definition.fuse(lanes, stage.loops.back().var, x);
  std::vector<VarOrRVar> order{lane, row};
  order.insert(order.end(), inner.begin(), inner.end());
  order.insert(order.end(), {x, rows});
  for (size_t i = 2; i + 1 < stage.loops.size(); ++i)
    order.push_back(stage.loops[i].var);
  order.insert(order.end(), outer.begin(), outer.end());
  definition.reorder(order).gpu_threads(x, rows).unroll(row);
  vectorizeLanes(definition, lane, tile);
  for (const VarOrRVar &loop : inner)
    definition.unroll(loop);
}

TileColumns spreadColumns(Func out, const Loop &column, const ProductTile &tile) {
  TileColumns columns;
  Var panel("panel"), lanes("lanes");
  out.split(column.var, columns.panels, panel, tile.lanes * tile.panels, TailStrategy::GuardWithIf)
      .split(panel, panel, columns.lane, tile.lanes)
      .split(columns.lane, lanes, columns.lane, tile.threadLanes)
      .fuse(lanes, panel, columns.x);
  columns.areWhole = column.extent > 0 && column.extent % (tile.lanes * tile.panels) == 0;
  return columns;
}

void spreadPixels(Func out, const TileColumns &columns, const Var &row, const ProductTile &tile, Group &group) {
  if (columns.areWhole && !group.values.defined())
    vectorizeLanes(out, columns.lane, tile);
  else
    out.unroll(columns.lane);
  out.unroll(row);
  if (group.values.defined())
    group.values.compute_at(out, columns.lane);
}

void scheduleProductTile(Stage &stage, Func consumer, Var block, const ProductTile &tile, Group &group) {
  Func sums = stage.func;
  const std::vector<ReductionLoop> &reductions = stage.reductions;
  RVar k("k"), outer("outer");
  Halide::Stage update = sums.update();
  std::vector<RVar> terms;
  for (int i = 0; i <= tile.fused; ++i)
    terms.push_back(reductions[i].var);
  update.split(fuseAll(update, terms, "terms"), outer, k, tile.chunk, TailStrategy::GuardWithIf);
  std::vector<VarOrRVar> chunks{outer};
  for (size_t i = 1 + tile.fused; i < reductions.size(); ++i)
    chunks.push_back(reductions[i].var);

  sums.compute_at(consumer, block).store_in(MemoryType::Register);
  sums.bound_extent(stage.loops[0].var, tile.lanes)
      .bound_extent(stage.loops[1].var, tile.rows)
      .bound_extent(stage.loops.back().var, tile.panels);
  for (size_t i = 2; i + 1 < stage.loops.size(); ++i)
    sums.bound_extent(stage.loops[i].var, 1);
  spreadThreads(sums, stage, tile, {}, {});
  spreadThreads(update, stage, tile, {k}, chunks);
  for (const Factor &factor : stage.factors)
    stageFactor(stage, factor, sums, outer, tile);
  group.passes.push_back(keepInRegisters(sums));
}

//===----------------------------------------------------------------------===//
// Kernels of their own
//===----------------------------------------------------------------------===//

/// Terms of a reduction that are worth a block.
static constexpr int64_t termsOfBlock = 128;

/// A loop of a reduction in parts that are blocks of their own.
struct Parts {
  size_t loop = 0;
  int64_t count = 1;
};

/// Which parts: of a loop that they divide, as an index that must be checked would hide from Halide what a part needs;
/// or of the one loop of a reduction. The innermost loop is cut in whole chunks, where these are not too few parts.
static Parts chooseParts(const Stage &stage, const ProductTile &tile, int64_t examples, int64_t wanted) {
  const std::vector<ReductionLoop> &reductions = stage.reductions;
  int64_t tiles = 1, terms = 1;
  for (const Loop &loop : stage.loops)
    tiles *= loop.extent ? loop.extent : examples;
  tiles = std::max<int64_t>(1, tiles / (tile.lanes * tile.panels * tile.rows));
  for (const ReductionLoop &loop : reductions)
    terms *= loop.extent ? loop.extent : 1024;
  int64_t most = std::min(wanted / tiles, terms / termsOfBlock);
  Parts best;
  for (size_t i = tile.fused ? 1 : 0; i < reductions.size(); ++i)
    for (int64_t count = std::min(most, reductions[i].extent); count > best.count; --count)
      if (reductions[i].extent % count == 0 && (i > 0 || reductions[i].extent / count % tile.chunk == 0))
        best = {i, count};
  if (reductions.size() == 1 && best.count * 2 <= most)
    return {0, most};
  return best;
}

void launchTiles(Stage &stage, const ProductTile &tile, Group &group) {
  Func stored = stage.func.in();
  const std::vector<Loop> &loops = stage.loops;
  Var panel = loops.back().var, panels("panels"), lanes("lanes"), lane("lane"), x("x"), row("row"), rows = loops[1].var,
      block("block");
  stored.compute_root()
      .bound(loops[0].var, 0, tile.lanes) // of a result of fewer columns, too
      .split(panel, panels, panel, tile.panels, TailStrategy::GuardWithIf)
      .split(loops[0].var, lanes, lane, tile.threadLanes)
      .fuse(lanes, panel, x)
      .split(rows, block, rows, tile.rows, TailStrategy::GuardWithIf)
      .split(rows, rows, row, tile.threadRows);
  std::vector<Var> outer{panels, block};
  for (size_t i = 2; i + 1 < loops.size(); ++i)
    outer.push_back(loops[i].var);
  Var blocks = fuseAll(stored, outer, "blocks"); // of a second dimension a device has 65535 at most
  stored.reorder(lane, row, x, rows, blocks).gpu_blocks(blocks).gpu_threads(x, rows).unroll(row);
  vectorizeLanes(stored, lane, tile);
  scheduleProductTile(stage, stored, blocks, tile, group);
}

bool launchParts(Stage &stage, const ProductTile &tile, int64_t examples, Group &group, int64_t wanted) {
  Parts parts = chooseParts(stage, tile, examples, wanted);
  if (parts.count <= 1)
    return false;
  RVar part("part"), term("term");
  Var p("p");
  ReductionLoop cut = stage.reductions[parts.loop];
  bool isWhole = cut.extent && cut.extent % parts.count == 0;
  Halide::Expr terms =
      isWhole ? Halide::Expr(static_cast<int>(cut.extent / parts.count)) : countTermsOfPart(cut, parts.count);
  stage.func.update().split(cut.var, part, term, terms, TailStrategy::GuardWithIf);
  Stage partial = stage;
  partial.func = stage.func.update().rfactor(part, p);
  partial.loops.insert(partial.loops.end() - 1, {p, 0, {}});
  partial.reductions[parts.loop] = {term, isWhole ? cut.extent / parts.count : 0, {}};
  launchTiles(partial, tile, group);
  return true;
}

bool cutProduct(Stage &stage, Group &group) {
  ProductTile tile = chooseProductTile(stage.loops[0].extent, stage.loops.back().extent,
                                       stage.loops[1].extent ? stage.loops[1].extent : 64, stage.reductions);
  if (launchParts(stage, tile, /*examples=*/1, group))
    return true;
  launchTiles(stage, tile, group);
  return false;
}

void launchProduct(Stage &stage, Group &group) {
  if (cutProduct(stage, group))
    launchAlone(stage.func, stage.loops); // the sums of the parts, a thread for each
}

} // namespace nnc::targets::gpu
