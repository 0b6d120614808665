//===- UnfoldTime.cpp - Write out the steps of loops -----------------------===//
//
// For readers: a loop of a train block becomes the copies of its body that textbooks draw, one a step, before
// differentiation, so that each copy has its own way back. Each step reads the weights by itself, as W(t), and the
// gradient of a weight becomes the sum of those of its copies.
//
// Of many steps the first and the last are written out; those between stay a loop, so that the text does not grow with
// their number. Only loops of a number of steps are unfolded, those in their bodies are not.
//
// What the user has a name for gets it with the step, `h_3`; the mark `nn.unfolded` tells it from what differentiation
// adds.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

namespace nnc {
#define GEN_PASS_DEF_UNFOLDTIME
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// Loops of up to so many steps are written out; of others so many at each end.
static constexpr int64_t maxSteps = 8;
static constexpr int64_t shownSteps = 2;

namespace {

/// A stretch of steps: one that is written out, or those between, which stay a loop.
struct Stretch {
  int64_t begin, end;

  int64_t size() const { return end - begin; }
  bool isStep() const { return size() == 1; }
  /// What it is called: "3", "3_to_998".
  std::string str() const { return std::to_string(begin + 1) + (isStep() ? "" : "_to_" + std::to_string(end)); }
};

/// A sequence [batch, steps, …] in its stretches: a step [batch, …], those between [steps, batch, …].
using Parts = SmallVector<Value>;

/// Unfolds one loop.
class LoopUnfolder {
public:
  LoopUnfolder(EachOp loop, int64_t count, DenseMap<Value, Parts> &known)
      : loop(loop), known(known), builder(loop), location(loop.getLoc()) {
    int64_t shown = count <= maxSteps ? count : shownSteps;
    for (int64_t step = 0; step < shown; ++step)
      stretches.push_back({step, step + 1});
    if (count > shown)
      stretches.push_back({shown, count - shown});
    for (int64_t step = count > shown ? count - shown : count; step < count; ++step)
      stretches.push_back({step, step + 1});
  }

  void run() {
    for (Value sequence : loop.getSequences())
      sequences.push_back(take(sequence));
    outputs.resize(loop.getOutputs().size());
    SmallVector<Value> states(loop.getStarts());
    for (auto [index, stretch] : llvm::enumerate(stretches)) {
      copies.clear();
      states = stretch.isStep() ? writeStep(index, stretch, states) : writeLoop(index, stretch, states);
    }
    for (auto [final, state] : llvm::zip_equal(loop.getFinals(), states))
      final.replaceAllUsesWith(state);
    for (auto [output, parts] : llvm::zip_equal(loop.getOutputs(), outputs))
      output.replaceAllUsesWith(join(parts));
    loop.erase();
  }

private:
  Parts take(Value sequence);
  SmallVector<Value> writeStep(size_t index, Stretch stretch, ArrayRef<Value> states);
  SmallVector<Value> writeLoop(size_t index, Stretch stretch, ArrayRef<Value> states);
  Value getCopy(Value value, Stretch stretch);
  void mapCaptured(Stretch stretch, IRMapping &mapping);
  Value join(const Parts &parts);
  void mark(Operation *op, StringRef name, Stretch stretch);

  template <typename OpTy> OpTy make(ValueRange operands, ArrayRef<NamedAttribute> attributes = {}) {
    return createInferred<OpTy>(builder, location, operands, attributes);
  }
  NamedAttribute integer(StringRef name, int64_t value) {
    return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
  }
  Value number(int64_t value) {
    return ConstantOp::create(builder, location, RankedTensorType::get({}, builder.getI32Type()),
                              builder.getI32IntegerAttr(static_cast<int32_t>(value)));
  }
  /// [batch, …] as [batch, 1, …].
  Value asStretch(Value step) {
    Extents extents = getExtents(nn::getType(step));
    extents.insert(extents.begin() + 1, 1);
    return ReshapeOp::create(builder, location, getTensorType(nn::getType(step).getElementType(), extents), step);
  }

  EachOp loop;
  DenseMap<Value, Parts> &known; ///< the parts of sequences that loops before gave
  OpBuilder builder;
  Location location;
  SmallVector<Stretch> stretches;
  SmallVector<Parts> sequences, outputs;
  DenseMap<Value, Value> copies; ///< in this stretch: of what depends on weights alone
};

} // namespace

/// "h" in step 3 is "h_3".
void LoopUnfolder::mark(Operation *op, StringRef name, Stretch stretch) {
  if (name.empty())
    return;
  std::string full = (name + "_" + stretch.str()).str();
  op->setLoc(NameLoc::get(builder.getStringAttr(full), op->getLoc()));
}

/// What the user calls a value.
static StringRef getUserName(Value value) {
  if (Operation *op = value.getDefiningOp()) {
    bool isMoved = nn::getName(op->getLoc()).empty() && isa<TimeMajorOp, MaskOp, BatchMajorOp>(op);
    return isMoved ? getUserName(op->getOperand(0)) : nn::getName(op->getLoc());
  }
  auto argument = cast<BlockArgument>(value);
  auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  auto name = function ? function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "nn.name") : StringAttr();
  return name ? name.getValue() : StringRef();
}

Parts LoopUnfolder::take(Value sequence) {
  auto major = sequence.getDefiningOp<TimeMajorOp>();
  Value whole = major && major.getSteps() == 1 ? major.getX() : make<BatchMajorOp>(sequence, integer("steps", 1));
  if (auto found = known.find(whole); found != known.end())
    return found->second;
  Parts parts;
  RankedTensorType type = nn::getType(whole), step = EachOp::getElementType(nn::getType(sequence));
  SmallVector<int64_t> starts(getFixedShape(type).size(), 0), sizes(getFixedShape(type));
  for (Stretch stretch : stretches) {
    starts.front() = stretch.begin;
    sizes.front() = stretch.size();
    Value part = make<SliceOp>(whole, {builder.getNamedAttr("starts", builder.getDenseI64ArrayAttr(starts)),
                                       builder.getNamedAttr("sizes", builder.getDenseI64ArrayAttr(sizes))});
    part = stretch.isStep() ? Value(ReshapeOp::create(builder, location, step, part))
                            : Value(make<TimeMajorOp>(part, integer("steps", 1)));
    mark(part.getDefiningOp(), getUserName(sequence), stretch);
    parts.push_back(part);
  }
  return parts;
}

/// A value as this stretch reads it: its own copy, where it depends on weights alone.
Value LoopUnfolder::getCopy(Value value, Stretch stretch) {
  if (Value copy = copies.lookup(value))
    return copy;
  Operation *op = value.getDefiningOp();
  if (!op || !isPure(op) || op->getNumRegions() > 0 || isa<ConstantOp>(op))
    return value;
  IRMapping mapping;
  bool isCopied = isa<ReadOp>(op);
  for (Value operand : op->getOperands()) {
    Value copy = getCopy(operand, stretch);
    mapping.map(operand, copy);
    isCopied |= copy != operand;
  }
  // What follows from an input, too, is the same value in every step.
  bool dependsOnInputs = isBatched(nn::getType(value));
  if (!isCopied || dependsOnInputs)
    return value;
  Operation *copy = builder.clone(*op, mapping);
  auto read = dyn_cast<ReadOp>(op);
  mark(copy, read ? read.getSymbol() : nn::getName(op->getLoc()), stretch);
  return copies[value] = copy->getResult(0);
}

void LoopUnfolder::mapCaptured(Stretch stretch, IRMapping &mapping) {
  loop.getBody().walk([&](Operation *op) {
    for (Value operand : op->getOperands())
      if (!loop.getBody().isAncestor(operand.getParentRegion()))
        mapping.map(operand, getCopy(operand, stretch));
  });
}

SmallVector<Value> LoopUnfolder::writeStep(size_t index, Stretch stretch, ArrayRef<Value> states) {
  IRMapping mapping;
  mapCaptured(stretch, mapping);
  mapping.map(loop.getIndex(), number(stretch.begin));
  for (auto [element, parts] : llvm::zip_equal(loop.getElements(), sequences))
    mapping.map(element, parts[index]);
  for (auto [carried, state] : llvm::zip_equal(loop.getCarried(), states))
    mapping.map(carried, state);
  for (Operation &op : loop.getBody().front().without_terminator())
    mark(builder.clone(op, mapping), nn::getName(op.getLoc()), stretch);
  for (auto [parts, value] : llvm::zip_equal(outputs, loop.getYield().getOutputs()))
    parts.push_back(mapping.lookupOrDefault(value));
  SmallVector<Value> next;
  for (Value value : loop.getYield().getNext())
    next.push_back(mapping.lookupOrDefault(value));
  return next;
}

/// The steps between, whose index counts on.
SmallVector<Value> LoopUnfolder::writeLoop(size_t index, Stretch stretch, ArrayRef<Value> states) {
  IRMapping mapping;
  mapCaptured(stretch, mapping);
  Value begin = number(stretch.begin);
  Region body;
  loop.getBody().cloneInto(&body, mapping);
  BlockArgument step = body.front().getArgument(0);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&body.front());
    Value counted = make<AddOp>({begin, step});
    step.replaceAllUsesExcept(counted, counted.getDefiningOp());
  }
  SmallVector<Value> elements;
  for (const Parts &parts : sequences)
    elements.push_back(parts[index]);
  EachOp rest = EachOp::make(builder, location, builder.getStringAttr(std::to_string(stretch.size())),
                             /*backward=*/false, elements, states, body);
  for (auto [parts, output] : llvm::zip_equal(outputs, rest.getOutputs()))
    parts.push_back(output);
  return llvm::to_vector(ValueRange(rest.getFinals()));
}

/// The stretches of an output one after the other, [steps, batch, …].
Value LoopUnfolder::join(const Parts &parts) {
  SmallVector<Value> all;
  for (auto [part, stretch] : llvm::zip_equal(parts, stretches))
    all.push_back(stretch.isStep() ? asStretch(part) : Value(make<BatchMajorOp>(part, integer("steps", 1))));
  Value whole = make<ConcatOp>(all, integer("axis", 1));
  known[whole] = parts;
  return make<TimeMajorOp>(whole, integer("steps", 1));
}

namespace {

struct UnfoldTimePass : nnc::impl::UnfoldTimeBase<UnfoldTimePass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (!function->hasAttr("nn.train"))
        continue;
      DenseMap<Value, Parts> known;
      for (auto loop : llvm::to_vector(function.getOps<EachOp>())) {
        std::optional<int64_t> count = getNumber(loop.getTrip());
        if (count && !loop.getBackward() && !loop.getYield().getUntil())
          LoopUnfolder(loop, *count, known).run();
      }
      function.walk([](Operation *op) {
        if (!isa<func::FuncOp>(op))
          op->setAttr("nn.unfolded", UnitAttr::get(op->getContext()));
      });
    }
  }
};

} // namespace
