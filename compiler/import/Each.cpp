//===- Each.cpp - Loops ---------------------------------------------------===//
//
// A loop of a Model is an nn.each whose states stay once an example has ended. One that
// ends by `until` has one state more: how many steps each example has.
//
//===----------------------------------------------------------------------===//

#include "compiler/import/Graph.h"

using namespace mlir;
using namespace nnc::nn;

namespace nnc {

Value GraphImporter::isAlive(const dsl::Each &each, RankedTensorType type) {
  return isBelow(get(each.index), getLimit(each), type);
}

Value GraphImporter::getLimit(const dsl::Each &each) {
  if (Value limit = limits.lookup(&each))
    return limit;
  if (!each.trip.isFixed())
    return getLengths(each.trip);
  // The index's own type: a number of steps, of no example yet.
  return makeBatched(number(static_cast<int32_t>(each.trip.size)), typeOf(each.index));
}

/// An example that ends after this step has as many steps as there were: its limit,
/// which is a state of the loop, becomes so many.
std::pair<Value, Value> GraphImporter::importUntil(const dsl::Each &each) {
  Value until = makeBatched(get(each.until), typeOf(each.until)), limit = getLimit(each);
  Value done = build("nn.add", {get(each.index), number(1)}, {});
  Value next = build("nn.select", {until, build("nn.min", {limit, done}, {}), limit}, {});
  return {build("nn.le", {next, done}, {}), next};
}

Value GraphImporter::isBelow(Value count, Value limits, RankedTensorType type) {
  Value alive = build("nn.lt", {count, limits}, {});
  Extents extents = getExtents(type);
  int64_t batchDim = llvm::find(extents, Extent(builder.getStringAttr(batchName))) - extents.begin();
  return BroadcastOp::create(builder, location, getTensorType(builder.getI1Type(), extents), alive,
                             ArrayRef<int64_t>(batchDim));
}

/// An example that has ended keeps its state. What reads the new state reads
/// what is kept, so that one value serves both.
Value GraphImporter::hold(Value newest, Value before, const dsl::Each &each) {
  if (newest == before)
    return newest;
  OpBuilder::InsertionGuard guard(builder);
  Operation *definer = newest.getDefiningOp();
  bool ofThisStep = definer && definer->getBlock() == builder.getInsertionBlock();
  if (ofThisStep)
    builder.setInsertionPointAfter(definer);
  Value held = build("nn.select", {isAlive(each, nn::getType(newest)), newest, before}, {});
  if (ofThisStep)
    newest.replaceAllUsesExcept(held, held.getDefiningOp());
  return held;
}

StringAttr GraphImporter::getTripName(const dsl::Each &each) const { return getName(each.trip); }

RankedTensorType GraphImporter::getStackedType(const dsl::Each &each, RankedTensorType type) const {
  Extents extents = getExtents(type);
  extents.insert(extents.begin(), Extent(getName(each.trip)));
  return getTensorType(type.getElementType(), extents);
}

/// "h", "encoder.h": what a state is called where something is said of it.
std::string GraphImporter::getStateName(const dsl::Operation &loop, dsl::Value carried) const {
  const std::string &name = function.values[carried].name;
  return loop.path.empty() ? name : loop.path + "." + name;
}

void GraphImporter::importEach(const dsl::Operation &operation) {
  const dsl::Each &each = *operation.each;
  Location loopLocation = location;
  // Steps of a fixed number are a length too, whose name is the number.
  bool fixed = each.trip.isFixed();
  // Whether its states outlive the call, where something of it does.
  bool carriesOver = depth == 0 && !fixed;
  bool stacksStates = carriesOver && window && window->overlaps;

  SmallVector<Value> sequences, starts;
  importLoopOperands(operation, sequences, starts);
  if (loadStart && carriesOver)
    for (auto [index, start] : llvm::enumerate(starts))
      start = loadStart(states + index, start);
  if (each.hasUntil)
    starts.push_back(getLimit(each));
  // Behind the states that the program knows of.
  unsigned stateCount = starts.size();
  SmallVector<ReadOp> running = seed ? findStatistics(each.body) : SmallVector<ReadOp>();
  for (ReadOp statistic : running)
    starts.push_back(getStatistic(statistic));

  SmallVector<Type> types;
  for (dsl::Value output : ArrayRef(operation.results).take_front(each.outputs.size())) {
    RankedTensorType type = getType(typeOf(output), /*batched=*/true);
    if (fixed) {
      // [batch, steps, …] becomes [steps, batch, …].
      Extents extents = getExtents(type);
      extents[1] = getName(each.trip);
      std::swap(extents[0], extents[1]);
      type = getTensorType(type.getElementType(), extents);
    }
    types.push_back(type);
  }
  if (stacksStates)
    for (Value start : ArrayRef(starts).take_front(stateCount))
      types.push_back(getStackedType(each, nn::getType(start)));
  int32_t outputCount = types.size();
  for (Value start : starts)
    types.push_back(start.getType());

  OperationState state(loopLocation, EachOp::getOperationName());
  state.addOperands(sequences);
  state.addOperands(starts);
  state.addTypes(types);
  state.addAttribute("trip", getTripName(each));
  auto &properties = state.getOrAddProperties<EachOp::Properties>();
  properties.operandSegmentSizes = {static_cast<int32_t>(sequences.size()), static_cast<int32_t>(starts.size())};
  properties.resultSegmentSizes = {outputCount, static_cast<int32_t>(starts.size())};
  Block *body = &state.addRegion()->emplaceBlock();

  set(each.index, body->addArgument(RankedTensorType::get({}, builder.getI32Type()), loopLocation));
  for (auto [element, sequence] : llvm::zip_equal(each.elements, sequences))
    set(element, body->addArgument(EachOp::getElementType(nn::getType(sequence)), loopLocation));
  for (auto [carried, start] : llvm::zip(each.carried, starts))
    set(carried, body->addArgument(start.getType(), getLocation(operation.location, getStateName(operation, carried))));
  if (each.hasUntil)
    limits[&each] = body->addArgument(starts[stateCount - 1].getType(), loopLocation);
  for (auto [statistic, start] : llvm::zip_equal(running, ArrayRef(starts).drop_front(stateCount)))
    statistics[statistic.getSymbolAttr().getAttr()] = body->addArgument(start.getType(), loopLocation);
  auto loop = cast<EachOp>(builder.create(state));

  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(body);
    ++depth;
    loops.push_back(&each);
    Value outerStep = std::exchange(step, get(each.index));
    auto outerEnds = ends;
    importOperations(each.body);
    step = outerStep;
    loops.pop_back();
    --depth;
    location = loopLocation;
    SmallVector<Value> next, outputs;
    for (auto [value, carried] : llvm::zip_equal(each.next, each.carried)) {
      Value newest = makeBatched(get(value), typeOf(value));
      next.push_back(fixed && !each.hasUntil ? newest : hold(newest, get(carried), each));
      if (newest == get(value) && newest.getDefiningOp() && newest.getParentBlock() == body)
        set(value, next.back());
    }
    for (dsl::Value output : each.outputs)
      outputs.push_back(makeBatched(get(output), typeOf(output)));
    if (stacksStates)
      llvm::append_range(outputs, next);
    Value until;
    if (each.hasUntil) {
      next.emplace_back();
      std::tie(until, next.back()) = importUntil(each);
    }
    for (ReadOp statistic : running)
      next.push_back(getStatistic(statistic));
    YieldOp::create(builder, loopLocation, next, outputs, until);
    // How often a loop within this one went is known in its body alone.
    ends = std::move(outerEnds);
  }

  unsigned visible = each.outputs.size();
  SmallVector<Value> finals = llvm::to_vector(ValueRange(loop.getFinals()).take_front(stateCount));
  setLoopResults(operation, llvm::to_vector(ValueRange(loop.getOutputs()).take_front(visible)), finals);
  for (auto [statistic, final] : llvm::zip_equal(running, ValueRange(loop.getFinals()).drop_front(stateCount)))
    setStatistic(statistic, final);
  if (storeFinal && carriesOver)
    for (auto [index, final] : llvm::enumerate(finals))
      storeFinal(states + index, stacksStates ? keepState(loop.getOutputs()[visible + index], starts[index]) : final);
  if (carriesOver)
    states += stateCount;
}

/// What a loop goes through, and what its states start as.
void GraphImporter::importLoopOperands(const dsl::Operation &operation, SmallVectorImpl<Value> &sequences,
                                       SmallVectorImpl<Value> &starts) {
  const dsl::Each &each = *operation.each;
  for (auto [index, operand] : llvm::enumerate(operation.operands)) {
    Value value = makeBatched(get(operand), typeOf(operand));
    if (index >= each.elements.size())
      starts.push_back(value);
    else if (each.trip.isFixed())
      sequences.push_back(build("nn.time_major", value, builder.getNamedAttr("steps", builder.getI64IntegerAttr(1))));
    else
      sequences.push_back(value);
  }
}

/// `finals` are the states after the loop, and how many steps each example took where
/// that depends on `until`.
void GraphImporter::setLoopResults(const dsl::Operation &operation, ArrayRef<Value> outputs, ArrayRef<Value> finals) {
  const dsl::Each &each = *operation.each;
  for (auto [result, output] : llvm::zip(operation.results, outputs)) {
    Value sequence = output;
    // Where what reads the sequence does not know how many steps are an example's own, the others are 0.
    if (each.hasUntil && (each.trip.isFixed() || depth > 0))
      sequence = build("nn.mask", {sequence, finals.back()},
                       {builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)),
                        builder.getNamedAttr("fill", builder.getF64FloatAttr(0))});
    if (each.trip.isFixed())
      sequence = build("nn.batch_major", sequence, builder.getNamedAttr("steps", builder.getI64IntegerAttr(1)));
    set(result, sequence);
  }
  for (auto [result, final] : llvm::zip_equal(ArrayRef(operation.results).drop_front(outputs.size()), finals))
    set(result, final);
  if (each.hasUntil && !each.trip.isFixed()) {
    ends[each.trip.free] = finals.back();
    followsEnd = true;
  }
}

} // namespace nnc
