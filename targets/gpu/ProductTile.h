//===- ProductTile.h - Sums of products by blocks of threads --------------===//
//
//   for chunk of the reduction                      in shared memory:
//     b[k][columns], a[rows][k]                     copied by all threads
//     for k in the chunk: part[rows][columns] += a[rows][k] * b[k][columns]
//     sums[rows][columns] += part                   a thread's own, in shared memory
//
// A thread has its part in registers: `columns` neighbours of `rows` rows.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_TARGETS_GPU_PRODUCTTILE_H
#define NNC_TARGETS_GPU_PRODUCTTILE_H

#include "targets/Target.h"

namespace nnc::targets::gpu {

/// What a block of threads computes of a sum of products.
struct ProductTile {
  int columns;                   ///< of the innermost loop
  std::vector<int64_t> extents;  ///< of the other loops but the last, the panel
  int threadColumns, threadRows; ///< of one thread
  int chunk;                     ///< terms of the reduction at a time

  int64_t rows() const {
    int64_t product = 1;
    for (int64_t extent : extents)
      product *= extent;
    return product;
  }
};

/// Computes the sums of one tile of `consumer`, inside of its loop over blocks.
void scheduleProductTile(Stage &stage, Halide::Func consumer, Halide::Var block, const ProductTile &tile);

} // namespace nnc::targets::gpu

#endif // NNC_TARGETS_GPU_PRODUCTTILE_H
