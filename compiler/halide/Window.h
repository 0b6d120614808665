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
};

/// Pads an image with `fill` where the window reaches over its edge, as a stage
/// of its own; the image itself where it does not.
WindowedImage padImage(AlgorithmBuilder &builder, mlir::Value image, const nn::Window &window, Halide::Expr fill);

} // namespace nnc

#endif // NNC_COMPILER_HALIDE_WINDOW_H
