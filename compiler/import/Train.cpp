//===- Train.cpp - What training asks of operations -----------------------===//

#include "compiler/import/Graph.h"

using namespace mlir;
using namespace nnc::nn;

namespace nnc {

template <typename T> static T getAttribute(const dsl::Operation &operation, StringRef name) {
  for (const auto &[key, value] : operation.attributes)
    if (key == name)
      return std::get<T>(value);
  llvm_unreachable("a checked operation has its attributes");
}

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

/// Batch norm by the mean and the variance of this batch (Ioffe & Szegedy 2015):
/// over all rows, steps past an example's end left out.
Value GraphImporter::importBatchStatistics(const dsl::Operation &operation) {
  Value x = get(operation.operands[0]);
  const dsl::Type &type = typeOf(operation.operands[0]);
  RankedTensorType imported = nn::getType(x);
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, imported.getRank() - 1));
  auto axesOf = [&](ArrayRef<int64_t> list) {
    return builder.getNamedAttr("axes", builder.getDenseI64ArrayAttr(list));
  };
  auto number = [&](double value) -> Value {
    return ConstantOp::create(builder, location, RankedTensorType::get({}, builder.getF32Type()),
                              builder.getF32FloatAttr(static_cast<float>(value)));
  };
  auto add = [&](Value a, Value b) { return build("nn.add", {a, b}, {}); };
  auto mul = [&](Value a, Value b) { return build("nn.mul", {a, b}, {}); };
  auto div = [&](Value a, Value b) { return build("nn.div", {a, b}, {}); };
  auto sub = [&](Value a, Value b) { return build("nn.sub", {a, b}, {}); };

  Value count;
  if (hasFreeDim(type)) {
    Value ones = BroadcastOp::create(builder, location, imported, number(1), ArrayRef<int64_t>());
    Value all = build("nn.sum", mask(ones, type, 0), axesOf(axes));
    count = all; // a number for each channel, all the same
  } else {
    count = build("nn.count", x, axesOf(axes));
  }
  auto meanOf = [&](Value value) { return div(build("nn.sum", mask(value, type, 0), axesOf(axes)), count); };

  Value mean = meanOf(x);
  Value centred = sub(x, mean);
  Value variance = meanOf(build("nn.square", centred, {}));
  Value epsilon = number(getAttribute<double>(operation, "epsilon"));
  Value deviation = build("nn.sqrt", add(variance, epsilon), {});
  Value scale = get(operation.operands[1]), shift = get(operation.operands[2]);

  double momentum = getAttribute<double>(operation, "momentum"); // the share of the new batch
  auto move = [&](dsl::Value running, Value current) {
    auto read = get(running).getDefiningOp<ReadOp>();
    assert(read && "running statistics are weights");
    Value moved = add(mul(read, number(1 - momentum)), mul(current, number(momentum)));
    StoreOp::create(builder, location, read.getSymbol(), moved);
  };
  if (depth == 0) {
    move(operation.operands[3], mean);
    // Unbiased, as the estimate of what the batch was drawn from.
    Value others = build("nn.max", {sub(count, number(1)), number(1)}, {});
    move(operation.operands[4], div(mul(variance, count), others));
  }
  return add(mul(centred, div(scale, deviation)), shift);
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
