//===- Pipelines.cpp - The recipe, read top to bottom ---------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;

void nnc::buildPipeline(OpPassManager &manager, Station last, const Choices &choices) {
  if (last >= Station::Typed)
    manager.addPass(createInferShapes());

  if (last >= Station::Split) {
    // Dead and folded ops would keep values in the loop that nothing needs there.
    manager.addPass(createCanonicalizerPass());
    manager.addPass(createSegmentTime());
    manager.addPass(createSplitTime());
  }

  if (last >= Station::Differentiated) {
    // A bias that is added as it is has one sum for its gradient, a repeated one two.
    manager.addPass(createSimplify());
    manager.addPass(createLowerLosses());
    manager.addPass(createRecordStatistics());
    manager.addPass(createMeasureFlow());
    manager.addPass(createDifferentiate());
    if (choices.fewKernels)
      manager.addPass(createStackOperands());
    manager.addPass(createPruneLoops());
    manager.addPass(createUnrollTime());
  }

  if (last >= Station::Optimized) {
    manager.addPass(createSimplify());
    manager.addPass(createCSEPass());
    if (choices.convForm)
      manager.addPass(createChooseWinograd(choices));
    manager.addPass(createHoistWeights());
    manager.addPass(createLayWeights(choices.panelWidth));
    // The vector of all weights is as long as their layouts make it.
    manager.addPass(createApplyOptimizer());
  }

  if (last >= Station::Grouped) {
    if (choices.fewKernels)
      manager.addPass(createRotateLoops());
    manager.addPass(createRecompute());
    manager.addPass(createFormGroups({choices.gradientsInKernel, choices.fewKernels}));
  }

  if (last >= Station::Planned) {
    manager.addPass(createOutlineKernels());
    manager.addPass(createOrderLaunches());
    manager.addPass(createPlanBuffers({choices.worksInPlace}));
    if (choices.branches > 1)
      manager.addPass(createBranchLaunches({choices.branches}));
  }
}

void nnc::buildUnfoldingPipeline(OpPassManager &manager) {
  manager.addPass(createInferShapes());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createUnfoldTime());
  // What no loss needs would get gradients.
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createLowerLosses());
  manager.addPass(createDifferentiate());
  manager.addPass(createPruneLoops());
  manager.addPass(createCanonicalizerPass());
}
