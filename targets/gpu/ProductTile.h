//===- ProductTile.h - Sums of products by blocks of threads --------------===//
//
//   for chunk of the reduction
//     a[k][rows], b[k][columns]                     in shared memory: copied by all threads
//     for k in the chunk: sums[rows][columns] += a[k][rows] * b[k][columns]
//
// A thread has its sums in registers (ThreadRegisters.h): 8 rows of the 8 lanes of a panel. For
// each k it reads these as vectors of four, 16 FFMA for each read; a warp's reads for one k are six
// transactions, its FFMA sixteen cycles. What is copied is read in vectors of four where its rows in
// memory are whole ones.
//
// By ptxas and cuobjdump for sm_90, of a 3x3 convolution of 256 by 256 channels: 144 registers, no
// spills, 11 KB of shared memory; 88 % FFMA in the loop over chunks. (With sums that lay in shared
// memory between chunks, and copies of single floats: 112 registers, 32 KB, 51 % FFMA.)
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

/// Whether a stage is a sum of products of [rows] and [panels][lanes], or of several such matrices, whose rows may go
/// on beyond the last one.
bool isProductInPanels(const Stage &stage);

/// A kernel of its own for such sums, in parts of the reduction where the tiles are few: then what is left of the stage
/// are the sums of the parts. False where it is whole.
bool cutProduct(Stage &stage, Group &group);

/// The same, with another kernel for what is left.
void launchProduct(Stage &stage, Group &group);

/// Blocks that keep a device busy: two on each processor.
constexpr int64_t busyBlocks = 264;

/// A kernel of its own for parts of the reduction, where the tiles are fewer than `wanted`, `examples` being the steps
/// of a loop whose extent is not known: what is left of the stage are the sums of the parts. Else false.
bool launchParts(Stage &stage, const ProductTile &tile, int64_t examples, Group &group, int64_t wanted = busyBlocks);

/// A kernel of its own that computes these sums, tile by tile.
void launchTiles(Stage &stage, const ProductTile &tile, Group &group);

/// The loops of a result's columns, as a tile has them: blocks, threads, a thread's own.
struct TileColumns {
  Halide::Var panels{"panels"}, x{"x"}, lane{"lane"};
  bool areWhole = false; ///< there are as many as tiles have
};

/// Makes these loops of the innermost one of a result.
TileColumns spreadColumns(Halide::Func out, const Loop &column, const ProductTile &tile);

/// A thread's own loops of the result, once they are innermost: written out, since its sums are in
/// registers.
void spreadPixels(Halide::Func out, const TileColumns &columns, const Halide::Var &row, const ProductTile &tile,
                  Group &group);

/// Computes the sums of one tile of `consumer`, inside of its loop over blocks. The loops of the
/// consumer over a thread's own are to be unrolled or vectorized.
void scheduleProductTile(Stage &stage, Halide::Func consumer, Halide::Var block, const ProductTile &tile, Group &group);

} // namespace nnc::targets::gpu

#endif // NNC_TARGETS_GPU_PRODUCTTILE_H
