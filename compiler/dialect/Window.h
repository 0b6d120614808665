//===- Window.h - Where a sliding window stops ----------------------------===//

#ifndef NNC_COMPILER_DIALECT_WINDOW_H
#define NNC_COMPILER_DIALECT_WINDOW_H

#include "compiler/dialect/NN.h"

namespace nnc::nn {

/// A window that slides over the spatial dimensions of an image.
struct Window {
  llvm::ArrayRef<int64_t> sizes, strides, dilations; ///< one a spatial dimension; dilations may be empty
  llvm::ArrayRef<int64_t> padding;                   ///< two a spatial dimension: before, after
  llvm::ArrayRef<int64_t> overhang;                  ///< one a spatial dimension, or empty

  unsigned rank() const { return sizes.size(); }
  int64_t dilation(unsigned i) const { return dilations.empty() ? 1 : dilations[i]; }
  /// From the first to the last element that one window reads.
  int64_t span(unsigned i) const { return dilation(i) * (sizes[i] - 1) + 1; }
};

/// Which dimensions of an image's type are spatial: the last but the channels,
/// and, over time, the outermost.
llvm::FailureOr<llvm::SmallVector<unsigned>> getSpatialDims(mlir::RankedTensorType image, unsigned rank);

/// The shape after a window, with the channels of the image. Says at `op` what
/// does not fit.
llvm::FailureOr<Extents> inferWindow(mlir::Operation *op, mlir::RankedTensorType image, const Window &window);

} // namespace nnc::nn

#endif // NNC_COMPILER_DIALECT_WINDOW_H
