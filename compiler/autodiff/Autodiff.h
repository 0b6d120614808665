//===- Autodiff.h - The derivative of each family -------------------------===//

#ifndef NNC_COMPILER_AUTODIFF_AUTODIFF_H
#define NNC_COMPILER_AUTODIFF_AUTODIFF_H

#include "compiler/autodiff/Adjoints.h"

namespace nnc {

/// The active values of a block and of the loops in it: what is computed from
/// `sources`, the trained weights' values.
ActiveValues findActive(mlir::Block &block, llvm::function_ref<bool(mlir::Operation *)> isSource);

/// Whether a loop's state starts as a running statistic: it goes from step to step
/// beside the losses, to which nothing of it leads.
bool isStatistic(mlir::Value start);

/// Visits a block's ops from the last to the first and builds, at the adjoints'
/// builder, the cotangents of what they read. Says at an op that has no derivative
/// that it has none.
llvm::LogicalResult differentiateBlock(mlir::Block &block, Adjoints &adjoints);

/// One function a family: adds the cotangents of an op's operands, given that of
/// its result, and gives false for ops of the other families.
bool differentiateElementwise(Adjoints &adjoints, mlir::Operation *op, mlir::Value dy);
bool differentiateDense(Adjoints &adjoints, mlir::Operation *op, mlir::Value dy);
bool differentiateConv(Adjoints &adjoints, mlir::Operation *op, mlir::Value dy);
bool differentiatePool(Adjoints &adjoints, mlir::Operation *op, mlir::Value dy);
bool differentiateNorm(Adjoints &adjoints, mlir::Operation *op, mlir::Value dy);
bool differentiateReduce(Adjoints &adjoints, mlir::Operation *op, mlir::Value dy);
bool differentiateReshape(Adjoints &adjoints, mlir::Operation *op, mlir::Value dy);

/// The derivative of a loop is a loop backwards over a tape.
llvm::LogicalResult differentiateEach(Adjoints &adjoints, nn::EachOp loop);

/// Makes a loop again from its body, which may have got outputs: its values and those of
/// the primal computation are the new loop's.
nn::EachOp remakeLoop(Adjoints &outer, nn::EachOp loop);

/// Stores the norm of the error of each probe of a block, or gives it, divided by
/// `divisor` where there is one. Takes the probes away.
llvm::SmallVector<mlir::Value> takeProbes(mlir::Block &block, Adjoints &adjoints, mlir::Value divisor);

/// Of a loop over segments it is one that computes each segment anew.
llvm::LogicalResult differentiateSegments(Adjoints &adjoints, nn::EachOp loop);

} // namespace nnc

#endif // NNC_COMPILER_AUTODIFF_AUTODIFF_H
