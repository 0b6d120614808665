//===- Train.cpp - What training asks of operations -----------------------===//

#include "compiler/import/Graph.h"

using namespace mlir;
using namespace nnc::nn;

namespace nnc {

/// Each dropout of a function is a site of its own, each step of a loop another
/// draw.
Value GraphImporter::importDropout(const dsl::Operation &operation) {
  SmallVector<Value> operands{get(operation.operands.front()), seed};
  if (step)
    operands.push_back(step);
  return build("nn.dropout", operands,
               {builder.getNamedAttr("rate", builder.getF64FloatAttr(getAttribute<double>(operation, "rate"))),
                builder.getNamedAttr("site", builder.getI64IntegerAttr(dropouts++))});
}

Value GraphImporter::fillPastEnd(Value value, const dsl::Type &type, double fill) {
  RankedTensorType imported = nn::getType(value);
  if (!isBatched(imported))
    return value;
  value = mask(value, type, fill);
  for (const dsl::Each *each : loops) {
    if (each->trip.isFixed())
      continue;
    Value number = ConstantOp::create(builder, location, RankedTensorType::get({}, builder.getF32Type()),
                                      builder.getF32FloatAttr(static_cast<float>(fill)));
    Value filled = BroadcastOp::create(builder, location, imported, number, ArrayRef<int64_t>());
    value = build("nn.select", {isAlive(*each, imported), value, filled}, {});
  }
  return value;
}

/// Past an example's end the cotangents are 0, but 0 times the derivative of log at
/// 0 is not: there these ops get an operand at which they and their derivatives are
/// finite.
void GraphImporter::guardOperands(const dsl::Operation &operation, SmallVectorImpl<Value> &operands) {
  auto guard = [&](unsigned index, double fill) {
    operands[index] = fillPastEnd(operands[index], typeOf(operation.operands[index]), fill);
  };
  StringRef name = operation.name;
  if (name == "div")
    guard(1, 1);
  else if (name == "log" || name == "sqrt" || name == "pow")
    guard(0, 1);
  else if (name == "cross_entropy" && !operands[0].getDefiningOp<SoftmaxOp>())
    guard(0, 1);
  else if (name == "binary_cross_entropy" && !operands[0].getDefiningOp<SigmoidOp>())
    guard(0, 0.5);
}

} // namespace nnc
