//===- Structure.cpp - Weights, constants, the network as a module --------===//

#include "compiler/dialect/NN.h"

using namespace mlir;
using namespace nnc::nn;

LogicalResult WeightOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape())
    return emitOpError("must have a fixed shape, not ") << type;
  if (!type.getElementType().isF32())
    return emitOpError("must hold f32, not ") << type.getElementType();
  return success();
}

LogicalResult ReadOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto weight = symbols.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight)
    return emitOpError("reads ") << getWeightAttr() << ", which no nn.weight declares";
  if (weight.getType() != getResult().getType())
    return emitOpError("gives ") << getResult().getType() << ", but " << getWeightAttr() << " is " << weight.getType();
  return success();
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

LogicalResult ConstantOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getResult().getType());
  if (!type || type.getRank() != 0)
    return emitOpError("gives one number, tensor<f32> or tensor<i32>, not ") << getResult().getType();
  if (getValue().getType() != type.getElementType())
    return emitOpError("has a value of type ") << getValue().getType() << ", but gives " << type;
  return success();
}
