//===- InPlace.h - Kernels whose results may lie where operands do --------===//

#ifndef NNC_COMPILER_PASSES_INPLACE_H
#define NNC_COMPILER_PASSES_INPLACE_H

#include "compiler/dialect/NN.h"

namespace nnc {

/// Whether a result of a launch may lie where an operand does: the kernel reads an element of
/// that only for the same element of results, the one that takes its place follows from it, and
/// targets that work in place do so for such kernels.
bool canTake(nn::LaunchOp launch, unsigned operand, unsigned result);

} // namespace nnc

#endif // NNC_COMPILER_PASSES_INPLACE_H
