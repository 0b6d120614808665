//===- GradCheck.h - Gradients against differences of losses --------------===//

#ifndef NNC_COMPILER_INTERPRET_GRADCHECK_H
#define NNC_COMPILER_INTERPRET_GRADCHECK_H

#include "compiler/interpret/RandomCall.h"

namespace nnc::interpret {

/// Multiplies the loss of each example in every train block's function by a number that
/// the call gives: its cotangent. Before differentiation.
void addCotangents(mlir::ModuleOp module);

/// Compares the gradients of each train block that `differentiated` computes with central
/// differences of the losses in `module`, in float64 at random weights and inputs, and
/// writes a table by weight. Gives false where one is off by more than 1e-6.
bool checkGradients(mlir::ModuleOp module, mlir::ModuleOp differentiated, const CallSize &size, llvm::raw_ostream &os);

} // namespace nnc::interpret

#endif // NNC_COMPILER_INTERPRET_GRADCHECK_H
