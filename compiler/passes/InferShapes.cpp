//===- InferShapes.cpp - Give every value its shape -----------------------===//
//
// Walks the ops in order, so that operands are typed before their users, and
// asks each for its type. Loops hand the types of their sequences and start
// values to the arguments of their body, and take those of their results from
// it.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace nnc {
#define GEN_PASS_DEF_INFERSHAPES
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

static bool isTyped(Type type) {
  auto ranked = dyn_cast<RankedTensorType>(type);
  return ranked && (ranked.getNumDynamicDims() == 0 || isa_and_nonnull<DimsAttr>(ranked.getEncoding()));
}

namespace {

struct InferShapesPass : nnc::impl::InferShapesBase<InferShapesPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (!function.getBody().hasOneBlock()) {
        function.emitError("must have a body of one block");
        return signalPassFailure();
      }
      if (failed(inferBlock(function.getBody().front())))
        return signalPassFailure();
      auto results = function.getBody().front().getTerminator()->getOperandTypes();
      function.setType(FunctionType::get(&getContext(), function.getArgumentTypes(), results));
    }
  }

  LogicalResult inferBlock(Block &block) {
    for (BlockArgument argument : block.getArguments())
      if (!isTyped(argument.getType()))
        return emitError(argument.getLoc(), "has an argument of unknown shape ") << argument.getType();
    for (Operation &op : block)
      if (failed(inferOp(op)))
        return failure();
    return success();
  }

  LogicalResult inferOp(Operation &op) {
    if (auto loop = dyn_cast<EachOp>(op))
      return inferLoop(loop);
    if (auto compute = dyn_cast<ComputeOp>(op)) {
      FailureOr<RankedTensorType> type = compute.inferType();
      if (failed(type))
        return failure();
      op.getResult(0).setType(*type);
      return success();
    }
    for (Value result : op.getResults())
      if (!isTyped(result.getType()))
        return op.emitOpError("must say the shape of its result, not ") << result.getType();
    return success();
  }

  LogicalResult inferLoop(EachOp loop) {
    for (auto [element, sequence] : llvm::zip_equal(loop.getElements(), loop.getSequences()))
      element.setType(EachOp::getElementType(getType(sequence)));
    for (auto [carried, start] : llvm::zip_equal(loop.getCarried(), loop.getStarts()))
      carried.setType(start.getType());
    if (failed(inferBlock(loop.getBody().front())))
      return failure();
    for (auto [final, start] : llvm::zip_equal(loop.getFinals(), loop.getStarts()))
      final.setType(start.getType());
    for (auto [stacked, output] : llvm::zip_equal(loop.getOutputs(), loop.getYield().getOutputs()))
      stacked.setType(loop.getStackedType(getType(output)));
    return success();
  }
};

} // namespace
