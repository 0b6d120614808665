//===- ProductTile.h - Sums of products by blocks of threads --------------===//
//
//   for chunk of the reduction                      in shared memory:
//     a[rows][k], b[panels][k][lanes]               copied by all threads
//     for k in the chunk: part[rows][columns] += a[rows][k] * b[k][columns]
//     sums[rows][columns] += part                   a thread's own, in shared memory
//
// A thread has its part in registers: some rows of neighbouring lanes of one panel.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_TARGETS_GPU_PRODUCTTILE_H
#define NNC_TARGETS_GPU_PRODUCTTILE_H

#include "targets/Target.h"

namespace nnc::targets::gpu {

/// What a block of threads computes of a sum of products whose loops are [lanes, rows,
/// panels], or with loops of one step between rows and panels.
struct ProductTile {
  int lanes, panels, rows;
  int threadLanes, threadRows; ///< of one thread
  int chunk;                   ///< terms of the reduction at a time
  int fused;                   ///< loops of the reduction that are one with its first

  int threadsX() const { return lanes / threadLanes * panels; }
  int threadsY() const { return rows / threadRows; }
};

/// A tile for sums in panels of so many lanes, of which there are so many, for at least so
/// many rows; of up to so many columns.
ProductTile chooseProductTile(int64_t lanes, int64_t panels, int64_t rows, const std::vector<ReductionLoop> &reductions,
                              int64_t columns = 64);

/// Whether a stage is a sum of products of [rows] and [panels][lanes], whose rows may go on
/// beyond the last one.
bool isProductInPanels(const Stage &stage);

/// A kernel of its own for such sums, in parts of the reduction where the tiles are few.
void launchProduct(Stage &stage);

/// The loops of a result's columns, as a tile has them: blocks, threads, a thread's own.
struct TileColumns {
  Halide::Var panels{"panels"}, x{"x"}, lane{"lane"};
};

/// Makes these loops of the innermost one of a result.
TileColumns spreadColumns(Halide::Func out, const Halide::Var &column, const ProductTile &tile);

/// Computes the sums of one tile of `consumer`, inside of its loop over blocks.
void scheduleProductTile(Stage &stage, Halide::Func consumer, Halide::Var block, const ProductTile &tile);

} // namespace nnc::targets::gpu

#endif // NNC_TARGETS_GPU_PRODUCTTILE_H
