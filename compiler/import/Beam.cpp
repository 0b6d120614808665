//===- Beam.cpp - Loops that look for the likeliest sequence ---------------===//
//
// A loop with `predict(p, beam = k)` in it follows k beams an example (Lowerre 1976).
// Its states have a dimension more, [batch, beams, …], and a step is three parts: what
// each beam computes until its prediction; the k likeliest of all beams' continuations,
// with the parents that they continue; what follows from the words, for each of these.
// The first and the last part are maps over the beams, which SplitTime makes contractions
// of all of them. Beams are in the order of their scores, the likeliest first, of equals
// the one with the lowest parent, then the lowest word. One that has ended continues as
// itself; since scores only fall, an example ends with its first beam. A loop backward
// over the parents then traces that beam.
//
//===----------------------------------------------------------------------===//

#include "compiler/import/Graph.h"

using namespace mlir;
using namespace nnc::nn;

namespace nnc {

/// The scores of what may not be chosen any more, and of what is not there.
static constexpr double taken = -1e30, impossible = -1e29;

static bool isSearch(const dsl::Operation &operation) { return operation.name == "predict"; }

bool GraphImporter::hasBeams(const dsl::Operation &operation) {
  return operation.each && llvm::any_of(operation.each->body, isSearch);
}

static int64_t getWidth(const dsl::Operation &predict) {
  for (const auto &[name, value] : predict.attributes)
    if (name == "beam")
      return std::get<int64_t>(value);
  llvm_unreachable("a search has a width");
}

//===----------------------------------------------------------------------===//
// Values of beams: [batch, beams, …]
//===----------------------------------------------------------------------===//

Value GraphImporter::real(double value) {
  return ConstantOp::create(builder, location, RankedTensorType::get({}, builder.getF32Type()),
                            builder.getF32FloatAttr(static_cast<float>(value)));
}

/// The same for each beam.
Value GraphImporter::repeatForBeams(Value value, int64_t beams) {
  Extents extents = getExtents(nn::getType(value));
  SmallVector<int64_t> dims{0};
  for (size_t dim = 1; dim < extents.size(); ++dim)
    dims.push_back(static_cast<int64_t>(dim) + 1);
  extents.insert(extents.begin() + 1, beams);
  return BroadcastOp::create(builder, location, getTensorType(nn::getType(value).getElementType(), extents), value,
                             dims);
}

/// One beam: [batch, …].
Value GraphImporter::takeBeam(Value value, int64_t beam) {
  Extents extents = getExtents(nn::getType(value));
  SmallVector<int64_t> sizes(getFixedShape(nn::getType(value))), starts(sizes.size(), 0);
  starts.front() = beam;
  sizes.front() = 1;
  Value slice = build("nn.slice", value,
                      {builder.getNamedAttr("starts", builder.getDenseI64ArrayAttr(starts)),
                       builder.getNamedAttr("sizes", builder.getDenseI64ArrayAttr(sizes))});
  extents.erase(extents.begin() + 1);
  return ReshapeOp::create(builder, location, getTensorType(nn::getType(value).getElementType(), extents), slice);
}

/// Of each example the beam of that number; for numbers [batch, beams] one for each.
Value GraphImporter::chooseBeams(Value value, Value numbers) {
  int64_t beams = getFixedShape(nn::getType(value)).front();
  bool isForEach = nn::getType(numbers).getRank() == 2;
  SmallVector<int64_t> dims = isForEach ? SmallVector<int64_t>{0, 1} : SmallVector<int64_t>{0};
  Value chosen;
  for (int64_t beam = 0; beam < beams; ++beam) {
    Value part = takeBeam(value, beam);
    if (isForEach)
      part = repeatForBeams(part, beams);
    if (!chosen) {
      chosen = part;
      continue;
    }
    Value isThis = build("nn.eq", {numbers, number(static_cast<int32_t>(beam))}, {});
    auto type = getTensorType(builder.getI1Type(), getExtents(nn::getType(part)));
    isThis = BroadcastOp::create(builder, location, type, isThis, dims);
    chosen = build("nn.select", {isThis, part, chosen}, {});
  }
  return chosen;
}

/// For each beam by itself: values lose their dimension of beams, results get one.
SmallVector<Value> GraphImporter::mapBeams(int64_t beams, ArrayRef<Value> values,
                                           function_ref<SmallVector<Value>(ValueRange)> compute) {
  auto steps = builder.getNamedAttr("steps", builder.getI64IntegerAttr(1));
  SmallVector<Value> sequences;
  for (Value value : values)
    sequences.push_back(build("nn.time_major", value, steps));
  Region region;
  Block &body = region.emplaceBlock();
  body.addArgument(RankedTensorType::get({}, builder.getI32Type()), location);
  for (Value sequence : sequences)
    body.addArgument(EachOp::getElementType(nn::getType(sequence)), location);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(&body);
    SmallVector<Value> results = compute(body.getArguments().drop_front());
    YieldOp::create(builder, location, ValueRange(), results, Value());
  }
  auto trip = builder.getStringAttr(std::to_string(beams));
  auto map = EachOp::make(builder, location, trip, /*backward=*/false, sequences, ValueRange(), region);
  SmallVector<Value> results;
  for (Value output : map.getOutputs())
    results.push_back(build("nn.batch_major", output, steps));
  return results;
}

//===----------------------------------------------------------------------===//
// The choice
//===----------------------------------------------------------------------===//

/// The likeliest continuations of all beams: takes the logarithms of the words'
/// probabilities [batch, beams, words], the scores so far and whether beams go on
/// [batch, beams].
GraphImporter::Choice GraphImporter::chooseWords(Value logarithms, Value scores, Value areAlive) {
  Extents extents = getExtents(nn::getType(logarithms));
  int64_t beams = extents[1].size, words = extents[2].size;
  auto widen = [&](Value value) -> Value {
    auto type = getTensorType(nn::getType(value).getElementType(), extents);
    return BroadcastOp::create(builder, location, type, value, ArrayRef<int64_t>{0, 1});
  };
  auto mark = [&](Value place, int64_t count) {
    return build("nn.one_hot", place, builder.getNamedAttr("classes", builder.getI64IntegerAttr(count)));
  };
  auto isMarked = [&](Value marks) { return build("nn.gt", {marks, real(0.5)}, {}); };
  // A beam that has ended has one continuation, which costs nothing.
  Value before = widen(scores);
  Value grown = build("nn.max", {build("nn.add", {before, logarithms}, {}), real(impossible)}, {});
  Value kept = build("nn.select", {isMarked(mark(number(0), words)), before, real(impossible)}, {});
  Value candidates = build("nn.select", {widen(areAlive), grown, kept}, {});
  candidates = ReshapeOp::create(builder, location,
                                 getTensorType(builder.getF32Type(), {extents[0], Extent(beams * words)}), candidates);

  auto axis = builder.getNamedAttr("axis", builder.getI64IntegerAttr(1));
  auto axes = builder.getNamedAttr("axes", builder.getDenseI64ArrayAttr(1));
  SmallVector<Value> parents, chosen, best;
  auto append = [&](SmallVector<Value> &list, Value value) {
    auto type = getTensorType(nn::getType(value).getElementType(), {extents[0], Extent(1)});
    list.push_back(ReshapeOp::create(builder, location, type, value));
  };
  for (int64_t beam = 0; beam < beams; ++beam) {
    Value place = build("nn.argmax", candidates, {});
    Value marks = mark(place, beams * words);
    Value parent = build("nn.div", {place, number(static_cast<int32_t>(words))}, {});
    append(best, build("nn.sum", build("nn.mul", {marks, candidates}, {}), axes)); // all numbers are finite
    append(parents, parent);
    append(chosen, build("nn.sub", {place, build("nn.mul", {parent, number(static_cast<int32_t>(words))}, {})}, {}));
    if (beam + 1 < beams)
      candidates = build("nn.select", {isMarked(marks), real(taken), candidates}, {});
  }
  return {build("nn.concat", parents, axis), build("nn.concat", chosen, axis), build("nn.concat", best, axis)};
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

static void collectReads(ArrayRef<dsl::Operation> operations, llvm::DenseSet<dsl::Value> &reads) {
  for (const dsl::Operation &operation : operations) {
    reads.insert(operation.operands.begin(), operation.operands.end());
    if (operation.each) {
      collectReads(operation.each->body, reads);
      reads.insert(operation.each->next.begin(), operation.each->next.end());
      reads.insert(operation.each->outputs.begin(), operation.each->outputs.end());
    }
  }
}

/// A step of a loop that searches: its body, taken apart.
struct GraphImporter::Search {
  const dsl::Each &each;
  const dsl::Operation *predict;
  int64_t width;
  ArrayRef<dsl::Operation> before, after; ///< the prediction
  llvm::DenseSet<dsl::Value> early;       ///< what `before` defines
  SmallVector<dsl::Value> kept;           ///< what of a parent its continuations read

  explicit Search(const dsl::Each &each) : each(each) {
    predict = llvm::find_if(ArrayRef(each.body), isSearch);
    width = getWidth(*predict);
    before = ArrayRef(each.body.data(), predict - each.body.data());
    after = ArrayRef(predict + 1, each.body.data() + each.body.size());
    llvm::DenseSet<dsl::Value> reads;
    collectReads(after, reads);
    reads.insert(each.next.begin(), each.next.end());
    reads.insert(each.outputs.begin(), each.outputs.end());
    if (each.hasUntil)
      reads.insert(each.until);
    for (const dsl::Operation &operation : before)
      if (!isOfAllBeams(operation))
        early.insert(operation.results.begin(), operation.results.end());
    for (auto [state, next] : llvm::zip_equal(each.carried, each.next))
      if (reads.contains(state) || !early.contains(next))
        kept.push_back(state);
    for (const dsl::Operation &operation : before)
      for (dsl::Value result : operation.results)
        if (early.contains(result) && reads.contains(result))
          kept.push_back(result);
  }

  static bool isOfAllBeams(const dsl::Operation &operation) {
    return operation.name == "constant" || operation.name == "read";
  }
};

/// What each beam computes until its prediction: the logarithms of the probabilities,
/// then what is kept.
SmallVector<Value> GraphImporter::importEarly(const Search &search, ArrayRef<Value> states, Value limit) {
  const dsl::Each &each = search.each;
  SmallVector<Value> values(states);
  values.push_back(limit);
  return mapBeams(search.width, values, [&](ValueRange elements) {
    for (auto [state, element] : llvm::zip_equal(each.carried, elements.drop_back()))
      set(state, element);
    limits[&each] = elements.back();
    for (const dsl::Operation &operation : search.before)
      if (!Search::isOfAllBeams(operation))
        importOperations(operation);
    for (auto [next, state] : llvm::zip_equal(each.next, each.carried))
      if (search.early.contains(next))
        set(next, hold(makeBatched(get(next), typeOf(next)), get(state), each));
    dsl::Value operand = search.predict->operands.front();
    Value p = makeBatched(get(operand), typeOf(operand));
    auto softmax = p.getDefiningOp<SoftmaxOp>();
    SmallVector<Value> results{softmax ? build("nn.log_softmax", softmax.getX(), {}) : build("nn.log", p, {})};
    for (dsl::Value value : search.kept)
      results.push_back(makeBatched(get(value), typeOf(value)));
    return results;
  });
}

/// What follows from the words, of beams that have what is kept of their parents: the
/// states after the step, what is stacked, the limits after the step.
SmallVector<Value> GraphImporter::importLate(const Search &search, ArrayRef<Value> kept, Value words, Value limit) {
  const dsl::Each &each = search.each;
  SmallVector<Value> values(kept);
  values.append({words, limit});
  return mapBeams(search.width, values, [&](ValueRange elements) {
    for (auto [value, element] : llvm::zip_equal(search.kept, elements.drop_back(2)))
      set(value, element);
    set(search.predict->results.front(), elements[elements.size() - 2]);
    limits[&each] = elements.back();
    importOperations(search.after);
    SmallVector<Value> results;
    for (auto [next, state] : llvm::zip_equal(each.next, each.carried)) {
      Value value = makeBatched(get(next), typeOf(next));
      if (!search.early.contains(next) && next != state)
        value = hold(value, get(state), each);
      results.push_back(value);
    }
    for (dsl::Value output : each.outputs)
      results.push_back(makeBatched(get(output), typeOf(output)));
    results.push_back(each.hasUntil ? importUntil(each).second : elements.back());
    return results;
  });
}

/// A step: takes the states, the scores and the limits before it, and ends the body.
void GraphImporter::importSearchStep(const Search &search, ValueRange carried) {
  const dsl::Each &each = search.each;
  Value scores = carried[carried.size() - 2], limit = carried.back(), index = get(each.index);
  for (const dsl::Operation &operation : search.before)
    if (Search::isOfAllBeams(operation))
      importOperations(operation);
  SmallVector<Value> early = importEarly(search, SmallVector<Value>(carried.drop_back(2)), limit);
  Choice choice = chooseWords(early.front(), scores, build("nn.lt", {index, limit}, {}));
  SmallVector<Value> kept;
  for (Value value : ArrayRef(early).drop_front())
    kept.push_back(chooseBeams(value, choice.parents));
  SmallVector<Value> late = importLate(search, kept, choice.words, chooseBeams(limit, choice.parents));

  Value nextLimit = late.back();
  auto next = llvm::to_vector(ArrayRef(late).take_front(each.next.size()));
  next.append({choice.scores, nextLimit});
  auto outputs = llvm::to_vector(ArrayRef(late).drop_front(each.next.size()).drop_back());
  outputs.push_back(choice.parents);
  Value until;
  if (each.hasUntil)
    until = build("nn.le", {takeBeam(nextLimit, 0), build("nn.add", {index, number(1)}, {})}, {});
  YieldOp::create(builder, location, next, outputs, until);
}

/// The first beam's outputs, from the last step to the first.
EachOp GraphImporter::traceBack(EachOp loop) {
  Region region;
  Block &body = region.emplaceBlock();
  auto batch = getTensorType(builder.getI32Type(), {Extent(builder.getStringAttr(batchName))});
  Value first = BroadcastOp::create(builder, location, batch, number(0), ArrayRef<int64_t>());
  body.addArgument(RankedTensorType::get({}, builder.getI32Type()), location);
  for (Value sequence : loop.getOutputs())
    body.addArgument(EachOp::getElementType(nn::getType(sequence)), location);
  Value beam = body.addArgument(batch, location);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(&body);
    SmallVector<Value> chosen;
    for (Value element : body.getArguments().drop_front().drop_back())
      chosen.push_back(chooseBeams(element, beam));
    YieldOp::create(builder, location, chosen.back(), ArrayRef(chosen).drop_back(), Value());
  }
  return EachOp::make(builder, location, loop.getTripAttr(), /*backward=*/true, loop.getOutputs(), first, region);
}

void GraphImporter::importBeams(const dsl::Operation &operation) {
  const dsl::Each &each = *operation.each;
  Search search(each);
  Location loopLocation = location;
  SmallVector<Value> sequences, starts;
  importLoopOperands(operation, sequences, starts);
  for (Value &start : starts)
    start = repeatForBeams(start, search.width);
  // All beams begin as one.
  auto row = [&](double score, int64_t beams) -> Value {
    return BroadcastOp::create(builder, location, RankedTensorType::get(beams, builder.getF32Type()), real(score),
                               ArrayRef<int64_t>());
  };
  Value scores = build("nn.concat", {row(0, 1), row(impossible, search.width - 1)},
                       builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)));
  auto type = getTensorType(builder.getF32Type(), {Extent(builder.getStringAttr(batchName)), Extent(search.width)});
  starts.push_back(BroadcastOp::create(builder, location, type, scores, ArrayRef<int64_t>{1}));
  starts.push_back(repeatForBeams(getLimit(each), search.width));

  Region region;
  Block &body = region.emplaceBlock();
  set(each.index, body.addArgument(RankedTensorType::get({}, builder.getI32Type()), location));
  for (auto [element, sequence] : llvm::zip_equal(each.elements, sequences))
    set(element, body.addArgument(EachOp::getElementType(nn::getType(sequence)), location));
  for (Value start : starts)
    body.addArgument(start.getType(), location);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(&body);
    ++depth;
    loops.push_back(&each);
    importSearchStep(search, body.getArguments().take_back(starts.size()));
    loops.pop_back();
    --depth;
  }
  location = loopLocation;
  auto loop = EachOp::make(builder, location, getTripName(each), /*backward=*/false, sequences, starts, region);
  EachOp traced = traceBack(loop);
  SmallVector<Value> finals;
  for (Value final : loop.getFinals())
    finals.push_back(takeBeam(final, 0));
  finals.erase(finals.end() - 2); // the score
  if (!each.hasUntil)
    finals.pop_back();
  setLoopResults(operation, SmallVector<Value>(traced.getOutputs()), finals);
}

} // namespace nnc
