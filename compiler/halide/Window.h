//===- Window.h - Images around a sliding window --------------------------===//

#ifndef NNC_COMPILER_HALIDE_WINDOW_H
#define NNC_COMPILER_HALIDE_WINDOW_H

#include "compiler/dialect/Window.h"
#include "compiler/halide/Builder.h"

namespace nnc {

/// The image of a convolution or pool as its windows see it.
struct WindowedImage {
  Element element;                     ///< of the padded image; indices count the padding
  llvm::SmallVector<unsigned> spatial; ///< the spatial dimensions of the type
  bool isStage = false;                ///< whether it is a copy, which the schedule places
};

/// Pads an image with `fill` where the window reaches over its edge, as a stage
/// of its own; the image itself where it does not.
WindowedImage padImage(AlgorithmBuilder &builder, mlir::Value image, const nn::Window &window, Halide::Expr fill);

/// The lane of a channel in panels of `width`. On a device it is a difference, clamped: of that Halide sees that it is
/// one lane where the channel is one, so that a thread computes no others; of a remainder it does not.
Halide::Expr getLane(const AlgorithmBuilder &builder, const Halide::Expr &channel, int32_t width);

/// The spatial dimensions next to the channels whose sizes are known, as one dimension of
/// all their pixels: a tile of pixels may go over the end of an image's row, and beyond the
/// last pixel, which is repeated there.
class FlatPixels {
public:
  FlatPixels(const nn::Extents &shape, llvm::ArrayRef<unsigned> spatial);

  /// The shape with one dimension of pixels.
  nn::Extents flatten(const nn::Extents &shape) const;
  /// The same of an index.
  Indices flatten(const Indices &indices) const;
  /// The index of which a flat one came.
  Indices restore(const Indices &flat) const;

private:
  unsigned first; ///< of the dimensions
  std::vector<int64_t> sizes;
};

} // namespace nnc

#endif // NNC_COMPILER_HALIDE_WINDOW_H
