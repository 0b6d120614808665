//===- StackOperands.cpp - Put together after a loop what its steps do -----===//
//
// A step that multiplies a state beside its input, as one vector, stacks that vector for the gradient of the weight.
// The parts are stacked as well, or are the loop's sequences: put together after the loop, all steps at once, they are
// that stack, and the step need not store it.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace nnc {
#define GEN_PASS_DEF_STACKOPERANDS
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// What the loop is handed in each step, stacked: a sequence, or the state before each step; null where it is stacked
/// nowhere.
static Value getStack(OpBuilder &builder, EachOp loop, Value value) {
  for (auto [element, sequence] : llvm::zip_equal(loop.getElements(), loop.getSequences()))
    if (value == element)
      return sequence;
  YieldOp yield = loop.getYield();
  for (auto [carried, next, start] : llvm::zip_equal(loop.getCarried(), yield.getNext(), loop.getStarts()))
    if (value == carried)
      for (auto [output, stacked] : llvm::zip_equal(yield.getOutputs(), loop.getOutputs()))
        if (output == next)
          return createInferred<DelayOp>(builder, loop.getLoc(), ValueRange{stacked, start}).getResult();
  return {};
}

/// What a step puts together, stacked: null where a part is stacked nowhere.
static Value stackAfter(EachOp loop, ConcatOp concat) {
  OpBuilder builder(loop);
  builder.setInsertionPointAfter(loop);
  SmallVector<Value> stacks;
  for (Value input : concat.getInputs()) {
    stacks.push_back(getStack(builder, loop, input));
    if (!stacks.back())
      return {};
  }
  NamedAttribute axis = builder.getNamedAttr("axis", builder.getI64IntegerAttr(concat.getAxis() + 1));
  return createInferred<ConcatOp>(builder, concat.getLoc(), stacks, axis).getResult();
}

namespace {

struct StackOperandsPass : nnc::impl::StackOperandsBase<StackOperandsPass> {
  void runOnOperation() override {
    getOperation().walk([](EachOp loop) {
      // On the way back, and where a loop may end early, a stack of states is another one.
      if (loop.getBackward() || loop.getSegments() || loop.getYield().getUntil())
        return;
      for (auto [value, output] : llvm::zip_equal(loop.getYield().getOutputs(), loop.getOutputs()))
        if (auto concat = value.getDefiningOp<ConcatOp>(); concat && concat->getParentOp() == loop)
          if (Value stack = stackAfter(loop, concat))
            output.replaceAllUsesWith(stack);
    });
  }
};

} // namespace
