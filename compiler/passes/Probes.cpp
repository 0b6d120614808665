//===- Probes.cpp - What is measured of a function's values ---------------===//

#include "compiler/passes/Probes.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// The lengths of each example along a free dimension; null when the function has none.
static Value findLengths(func::FuncOp function, StringRef freeDim) {
  for (BlockArgument argument : function.getArguments())
    if (auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "nn.lengths"))
      if (name.getValue() == freeDim)
        return argument;
  return {};
}

Value nnc::maskPastEnd(OpBuilder &builder, func::FuncOp function, Value value) {
  RankedTensorType type = nn::getType(value);
  if (!isBatched(type))
    return value;
  for (auto [axis, extent] : llvm::enumerate(getExtents(type))) {
    SmallVector<Length> product = extent.isDynamic() ? parseProduct(extent.name) : SmallVector<Length>();
    if (product.size() != 1)
      continue;
    Value lengths = findLengths(function, product[0].symbol);
    if (!lengths) // the batch, or a number of steps
      continue;
    auto number = [&](StringRef name, int64_t value) {
      return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
    };
    if (product[0].offset != 0 || product[0].stride != 1)
      lengths = createInferred<LengthsOp>(builder, value.getLoc(), lengths,
                                          {number("offset", product[0].offset), number("stride", product[0].stride)});
    value = createInferred<MaskOp>(
        builder, value.getLoc(), {value, lengths},
        {number("axis", static_cast<int64_t>(axis)), builder.getNamedAttr("fill", builder.getF64FloatAttr(0))});
  }
  return value;
}

/// The loop in whose body a value is; null where it is the function's.
static EachOp getLoop(Value value) { return dyn_cast<EachOp>(value.getParentBlock()->getParentOp()); }

static SmallVector<int> keepAll(EachOp loop) {
  return llvm::to_vector(llvm::seq<int>(0, static_cast<int>(loop.getOutputs().size())));
}

Value nnc::stackOut(Value value) {
  while (EachOp loop = getLoop(value)) {
    SmallVector<Value> outputs(loop.getYield().getOutputs());
    unsigned place = llvm::find(outputs, value) - outputs.begin();
    if (place == outputs.size()) {
      outputs.push_back(value);
      loop = loop.replaceWith(SmallVector<Value>(loop.getSequences()), outputs, keepAll(loop));
    }
    value = loop.getOutputs()[place];
  }
  return value;
}

/// One more sequence of a loop: its step in the body.
static Value addSequence(EachOp loop, Value sequence) {
  SmallVector<Value> sequences(loop.getSequences());
  sequences.push_back(sequence);
  Value element = loop.getBody().front().insertArgument(sequences.size(), EachOp::getElementType(nn::getType(sequence)),
                                                        sequence.getLoc());
  loop.replaceWith(sequences, SmallVector<Value>(loop.getYield().getOutputs()), keepAll(loop));
  return element;
}

void nnc::addProbe(func::FuncOp function, Value value, StringAttr name, FlatSymbolRefAttr symbol) {
  SmallVector<EachOp> loops;
  RankedTensorType type = nn::getType(value);
  for (EachOp loop = getLoop(value); loop; loop = loop->getParentOfType<EachOp>()) {
    loops.push_back(loop);
    type = loop.getStackedType(type);
  }
  // Probes are in the order in which they were added.
  Block &body = function.getBody().front();
  OpBuilder builder = OpBuilder::atBlockBegin(&body);
  for (auto earlier : body.getOps<ProbeOp>())
    builder.setInsertionPointAfter(earlier);
  Value probe = ProbeOp::create(builder, value.getLoc(), type, name, symbol);
  probe = maskPastEnd(builder, function, probe);
  for (EachOp loop : llvm::reverse(loops))
    probe = addSequence(loop, probe);
  builder.setInsertionPointAfter(value.getDefiningOp());
  Value sum = createInferred<AddOp>(builder, value.getLoc(), {value, probe});
  value.replaceAllUsesExcept(sum, sum.getDefiningOp());
}
