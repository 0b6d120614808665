//===- Algorithm.h - nn.kernel -> Halide algorithm ------------------------===//
//
// Says what a kernel computes, not how: no schedule here. Halide's exceptions
// may leave these functions; the caller in emit/ catches them at one place.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_COMPILER_HALIDE_ALGORITHM_H
#define NNC_COMPILER_HALIDE_ALGORITHM_H

#include "compiler/dialect/NN.h"
#include "targets/Group.h"

namespace nnc {

/// The algorithm of a kernel, whose function will be called `symbol`. Where the memory is a device's, rows of whole
/// vectors of four begin with one: it is nnc's own, and no caller's.
targets::Group buildAlgorithm(nn::KernelOp kernel, const std::string &symbol, bool onDevice = false);

} // namespace nnc

#endif // NNC_COMPILER_HALIDE_ALGORITHM_H
