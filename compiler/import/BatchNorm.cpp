//===- BatchNorm.cpp - Batch norm by the batch's own statistics -----------===//
//
// What training makes of batch norm (Ioffe & Szegedy 2015), written out as sums so
// that its derivative needs no rule. In a loop each step has statistics of its own,
// over the examples that have not ended (Cooijmans et al. 2017), and moves the running
// ones, which go from step to step as states of the loop.
//
//===----------------------------------------------------------------------===//

#include "compiler/import/Graph.h"

using namespace mlir;
using namespace nnc::nn;

namespace nnc {

/// As sums and counts have them: the first `count`.
static NamedAttribute getFirstAxes(OpBuilder &builder, int64_t count) {
  return builder.getNamedAttr("axes", builder.getDenseI64ArrayAttr(llvm::to_vector(llvm::seq<int64_t>(0, count))));
}

bool GraphImporter::isRagged(const dsl::Type &type) const {
  return hasFreeDim(type) || llvm::any_of(loops, [](const dsl::Each *each) { return !each->trip.isFixed(); });
}

/// How many values each channel has.
Value GraphImporter::countValues(Value x, const dsl::Type &type) {
  if (!isRagged(type))
    return build("nn.count", x, getFirstAxes(builder, nn::getType(x).getRank() - 1));
  dsl::Type steps;
  double each = 1;
  for (const dsl::Dim &dim : ArrayRef(type.shape).drop_back())
    if (dim.isFixed())
      each *= static_cast<double>(dim.size);
    else
      steps.shape.push_back(dim);
  return build("nn.mul", {countSteps(steps, nullptr), real(each)}, {});
}

/// How many steps there are along the free dimensions of `type` in all examples, in a
/// loop those of examples that have this step, without the first `skipped` of each.
Value GraphImporter::countSteps(const dsl::Type &type, Value skipped) {
  RankedTensorType imported = getType(type, /*batched=*/true);
  auto fill = [&](double value) -> Value {
    return BroadcastOp::create(builder, location, imported, real(value), ArrayRef<int64_t>());
  };
  Value ones = fillPastEnd(fill(1), type, 0);
  if (skipped)
    ones = build("nn.select", {isBelow(step, skipped, imported), fill(0), ones}, {});
  return build("nn.sum", ones, getFirstAxes(builder, imported.getRank()));
}

/// Over all values of a channel, those past an example's end left out.
Value GraphImporter::importBatchStatistics(const dsl::Operation &operation) {
  Value x = get(operation.operands[0]);
  const dsl::Type &type = typeOf(operation.operands[0]);
  NamedAttribute axes = getFirstAxes(builder, nn::getType(x).getRank() - 1);
  Value count = countValues(x, type);
  // A step that no example has, of an inner loop say, has no statistics.
  Value divisor = isRagged(type) ? build("nn.max", {count, real(1)}, {}) : count;
  auto meanOf = [&](Value value) {
    return build("nn.div", {build("nn.sum", fillPastEnd(value, type, 0), axes), divisor}, {});
  };

  Value mean = meanOf(x);
  Value centred = build("nn.sub", {x, mean}, {});
  Value variance = meanOf(build("nn.square", centred, {}));
  Value epsilon = real(getAttribute<double>(operation, "epsilon"));
  Value deviation = build("nn.sqrt", build("nn.add", {variance, epsilon}, {}), {});
  Value scale = get(operation.operands[1]), shift = get(operation.operands[2]);

  // Unbiased, as the estimate of what the batch was drawn from.
  Value others = build("nn.max", {build("nn.sub", {count, real(1)}, {}), real(1)}, {});
  Value unbiased = build("nn.div", {build("nn.mul", {variance, count}, {}), others}, {});
  moveStatistics(operation, {mean, unbiased}, count);
  Value normalized = build("nn.mul", {centred, build("nn.div", {scale, deviation}, {})}, {});
  return build("nn.add", {normalized, shift}, {});
}

/// Moves the running mean and variance towards those of `count` values. One value
/// says nothing of a variance, and a step that the window before went through has been
/// counted.
void GraphImporter::moveStatistics(const dsl::Operation &operation, std::array<Value, 2> current, Value count) {
  double momentum = getAttribute<double>(operation, "momentum"); // the share of the new batch
  SmallVector<Value> conditions;
  if (isRagged(typeOf(operation.operands[0])))
    conditions.push_back(build("nn.lt", {real(1), count}, {}));
  if (depth > 0 && window && window->overlaps) {
    Value before = build("nn.sub", {getLimit(*loops.front()), window->own}, {});
    conditions.push_back(build("nn.lt", {real(0), countSteps({}, before)}, {}));
  }
  for (auto [operand, value] : llvm::zip(ArrayRef(operation.operands).drop_front(3), current)) {
    auto read = get(operand).getDefiningOp<ReadOp>();
    assert(read && "running statistics are weights");
    Value before = getStatistic(read);
    Value moved =
        build("nn.add",
              {build("nn.mul", {before, real(1 - momentum)}, {}), build("nn.mul", {value, real(momentum)}, {})}, {});
    for (Value condition : conditions)
      moved = build("nn.select", {condition, moved, before}, {});
    setStatistic(read, moved);
  }
}

/// What a running statistic is at this place of the function.
Value GraphImporter::getStatistic(ReadOp weight) {
  Value moved = statistics.lookup(weight.getSymbolAttr().getAttr());
  return moved ? moved : weight.getResult();
}

void GraphImporter::setStatistic(ReadOp weight, Value moved) {
  statistics[weight.getSymbolAttr().getAttr()] = moved;
  if (depth > 0)
    return;
  // Of an instance that is used twice the second moves on what the first left.
  StoreOp &store = stores[weight.getSymbolAttr().getAttr()];
  if (store)
    store.erase();
  store = StoreOp::create(builder, location, weight.getSymbol(), moved);
}

/// The running statistics that operations move, those of loops in them included.
SmallVector<ReadOp> GraphImporter::findStatistics(ArrayRef<dsl::Operation> operations) const {
  llvm::SetVector<Attribute> names;
  SmallVector<ReadOp> found;
  std::function<void(ArrayRef<dsl::Operation>)> visit = [&](ArrayRef<dsl::Operation> list) {
    for (const dsl::Operation &operation : list) {
      if (operation.each)
        visit(operation.each->body);
      if (operation.name != "batch_norm")
        continue;
      for (dsl::Value operand : ArrayRef(operation.operands).drop_front(3))
        if (auto read = get(operand).getDefiningOp<ReadOp>(); names.insert(read.getSymbolAttr()))
          found.push_back(read);
    }
  };
  visit(operations);
  return found;
}

} // namespace nnc
