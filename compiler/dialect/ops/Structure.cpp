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

/// The declared type of a weight, prepared value or state; null for other symbols.
static Type getSymbolType(Operation *declaration) {
  if (auto weight = dyn_cast_or_null<WeightOp>(declaration))
    return weight.getType();
  if (auto prepared = dyn_cast_or_null<PreparedOp>(declaration))
    return prepared.getType();
  if (auto state = dyn_cast_or_null<StateOp>(declaration))
    return state.getType();
  return {};
}

LogicalResult ReadOp::verifySymbolUses(SymbolTableCollection &symbols) {
  Type declared = getSymbolType(symbols.lookupNearestSymbolFrom(*this, getSymbolAttr()));
  if (!declared)
    return emitOpError("reads ") << getSymbolAttr() << ", which no nn.weight, nn.prepared or nn.state declares";
  if (declared != getResult().getType())
    return emitOpError("gives ") << getResult().getType() << ", but " << getSymbolAttr() << " is " << declared;
  return success();
}

LogicalResult StoreOp::verifySymbolUses(SymbolTableCollection &symbols) {
  Operation *declaration = symbols.lookupNearestSymbolFrom(*this, getSymbolAttr());
  auto weight = dyn_cast_or_null<WeightOp>(declaration);
  if (weight ? !weight.getFrozen() : !isa_and_nonnull<PreparedOp, StateOp>(declaration))
    return emitOpError("sets ") << getSymbolAttr() << ", which no nn.prepared, nn.state or frozen nn.weight declares";
  if (getSymbolType(declaration) != getValue().getType())
    return emitOpError("stores ") << getValue().getType() << ", but " << getSymbolAttr() << " is "
                                  << getSymbolType(declaration);
  return success();
}

LogicalResult StoreGradientOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto weight = symbols.lookupNearestSymbolFrom<WeightOp>(*this, getSymbolAttr());
  if (!weight || weight.getFrozen())
    return emitOpError("sets the gradient of ") << getSymbolAttr() << ", which is no trained nn.weight";
  if (weight.getType() != getValue().getType())
    return emitOpError("stores ") << getValue().getType() << ", but " << getSymbolAttr() << " is " << weight.getType();
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
