//===- Windows.cpp - Functions that go through a window of a sequence -------===//
//
// Truncated back-propagation goes through a sequence in windows. A window starts
// from states that the one before left, so that no gradient reaches beyond; where
// it begins with the sequence, from the loop's own start, which may be trained.
//
//===----------------------------------------------------------------------===//

#include "compiler/import/Graph.h"

using namespace mlir;
using namespace nnc::nn;

namespace nnc {

Value GraphImporter::number(int32_t value) {
  return ConstantOp::create(builder, location, RankedTensorType::get({}, builder.getI32Type()),
                            builder.getI32IntegerAttr(value));
}

Value GraphImporter::chooseStart(Value start, Value carried) {
  Value isFirst = isBelow(number(0), window->first, nn::getType(start));
  return build("nn.select", {isFirst, start, carried}, {});
}

Value GraphImporter::keepState(Value stacked, Value start) {
  Value isLater = isBelow(number(0), window->kept, nn::getType(start));
  return build("nn.select", {isLater, build("nn.last", {stacked, window->kept}, {}), start}, {});
}

std::pair<Value, Value> GraphImporter::importWindowLosses(ArrayRef<dsl::LossTerm> terms) {
  auto real = [&](double value) -> Value {
    return ConstantOp::create(builder, location, RankedTensorType::get({}, builder.getF32Type()),
                              builder.getF32FloatAttr(static_cast<float>(value)));
  };
  auto atLeastOne = [&](Value count) { return build("nn.max", {build("nn.to_float", count, {}), real(1)}, {}); };
  // A mean is the sum over the window's steps until here.
  Value divisor = atLeastOne(window->divisor), total = atLeastOne(window->total), losses, shares;
  for (const dsl::LossTerm &term : terms) {
    Value value = makeBatched(get(term.value), typeOf(term.value));
    RankedTensorType type = nn::getType(value);
    if (term.kind == dsl::LossTerm::End) {
      Value zeros = BroadcastOp::create(builder, location, type, real(0), ArrayRef<int64_t>());
      value = build("nn.select", {isBelow(number(0), window->ends, type), value, zeros}, {});
    }
    auto add = [&](Value &sum, Value count) {
      Value part = term.kind == dsl::LossTerm::Mean ? build("nn.div", {value, count}, {}) : value;
      if (term.factor != 1)
        part = build("nn.mul", {part, real(term.factor)}, {});
      sum = sum ? build("nn.add", {sum, part}, {}) : part;
    };
    add(losses, divisor);
    add(shares, total);
  }
  return {losses, shares};
}

} // namespace nnc
