//===- InPlace.cpp - Kernels whose results may lie where operands do ------===//

#include "compiler/passes/InPlace.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// What follows from a value element by element; nothing where it is read in another way, too.
static llvm::SmallSetVector<Value, 8> getElementwise(Value value) {
  llvm::SmallSetVector<Value, 8> values;
  values.insert(value);
  for (size_t index = 0; index < values.size(); ++index)
    for (Operation *user : values[index].getUsers()) {
      if (isa<YieldOp>(user))
        continue;
      if (!user->hasTrait<nn::OpTrait::Elementwise>() ||
          getExtents(getType(user->getResult(0))) != getExtents(getType(value)))
        return {};
      values.insert(user->getResult(0));
    }
  return values;
}

bool nnc::canTake(LaunchOp launch, unsigned operand, unsigned result) {
  auto kernel = SymbolTable::lookupNearestSymbolFrom<KernelOp>(launch, launch.getKernelAttr());
  if (kernel.getFamily() != Family::Elementwise && kernel.getFamily() != Family::Dense)
    return false;
  // Of several extents a kernel asks each buffer, and does not know that two lie alike; vectors of a fixed size have a
  // schedule that places all values by itself.
  Value argument = kernel.getBody().front().getArgument(operand), output = kernel.getYield().getOutputs()[result];
  return launch->getOperand(operand).getType() == launch->getResult(result).getType() &&
         argument.getType() == output.getType() && getDynamicRank(getType(argument)) == 1 &&
         !isa_and_nonnull<PanelAttr>(getType(argument).getEncoding()) && getElementwise(argument).contains(output);
}
