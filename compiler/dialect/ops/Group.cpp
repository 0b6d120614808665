//===- Group.cpp - Groups, kernels and their calls ------------------------===//

#include "compiler/dialect/NN.h"

using namespace mlir;
using namespace nnc::nn;

/// A group computes: element-wise and reshaping ops around anchors of one
/// family, and results of one shape.
static LogicalResult verifyBody(Operation *op, Block &body, YieldOp yield) {
  for (Operation &inner : body.without_terminator())
    if (!isa<ComputeOp, ConstantOp, BroadcastOp, ReshapeOp>(inner))
      return op->emitOpError("cannot compute ") << inner.getName();
  if (yield.getOutputs().empty() || !yield.getNext().empty() || yield.getUntil())
    return op->emitOpError("must yield outputs, and only these");
  RankedTensorType first = getType(yield.getOutputs().front());
  for (Value output : yield.getOutputs())
    if (getExtents(getType(output)) != getExtents(first))
      return op->emitOpError("gives results of different shapes: ")
             << describe(first) << " and " << describe(getType(output));
  return success();
}

YieldOp GroupOp::getYield() { return cast<YieldOp>(getBody().front().getTerminator()); }

LogicalResult GroupOp::verifyRegions() {
  Block &body = getBody().front();
  if (TypeRange(body.getArgumentTypes()) != TypeRange(getInputs().getTypes()))
    return emitOpError("has operands of other types than its body's arguments");
  if (!isa<YieldOp>(body.getTerminator()))
    return emitOpError("must end in nn.yield");
  if (TypeRange(getYield().getOutputs().getTypes()) != TypeRange(getResultTypes()))
    return emitOpError("has results of other types than its body yields");
  return verifyBody(*this, body, getYield());
}

YieldOp KernelOp::getYield() { return cast<YieldOp>(getBody().front().getTerminator()); }

LogicalResult KernelOp::verifyRegions() {
  if (!isa<YieldOp>(getBody().front().getTerminator()))
    return emitOpError("must end in nn.yield");
  return verifyBody(*this, getBody().front(), getYield());
}

SmallVector<StringAttr> KernelOp::getExtents() {
  SmallVector<StringAttr> names;
  auto add = [&](Type type) {
    if (auto dims = dyn_cast_or_null<DimsAttr>(cast<RankedTensorType>(type).getEncoding()))
      for (StringAttr name : dims.getNames())
        for (const Length &length : parseProduct(name))
          if (auto symbol = StringAttr::get(getContext(), length.symbol);
              !getNumber(symbol) && !llvm::is_contained(names, symbol))
            names.push_back(symbol);
  };
  llvm::for_each(getBody().getArgumentTypes(), add);
  llvm::for_each(getYield().getOutputs().getTypes(), add);
  // A sum of what is the same everywhere has an extent that no argument has.
  getBody().walk([&](Operation *op) { llvm::for_each(op->getResultTypes(), add); });
  return names;
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError("calls ") << getKernelAttr() << ", which no nn.kernel defines";
  if (kernel.getBody().getNumArguments() != getInputs().size() ||
      kernel.getYield().getOutputs().size() != getResults().size())
    return emitOpError("hands ") << getInputs().size() << " operands for " << getResults().size() << " results to "
                                 << getKernelAttr() << ", which takes " << kernel.getBody().getNumArguments()
                                 << " and gives " << kernel.getYield().getOutputs().size();
  if (kernel.getExtents().size() != getExtents().size())
    return emitOpError("gives ") << getExtents().size() << " extents to " << getKernelAttr() << ", which has "
                                 << kernel.getExtents().size();
  return success();
}
