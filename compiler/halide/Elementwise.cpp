//===- Elementwise.cpp - Algorithms of element-wise ops -------------------===//

#include "compiler/halide/Builder.h"
#include "compiler/halide/Math.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;

namespace nnc {

static float toFloat(llvm::APFloat number) { return static_cast<float>(number.convertToDouble()); }

/// max(a, b) that keeps NaN, which Halide's does not.
static Expr maximum(Expr a, Expr b) { return a.type().is_float() ? math::maximum(a, b) : Halide::max(a, b); }
static Expr minimum(Expr a, Expr b) { return a.type().is_float() ? math::minimum(a, b) : Halide::min(a, b); }

/// A comparison that does not hold where either side is NaN.
static Expr ordered(Expr comparison, const Expr &a, const Expr &b) {
  return a.type().is_float() ? comparison && !math::isNan(a) && !math::isNan(b) : comparison;
}

static Expr unary(Operation &op, Expr x) {
  return llvm::TypeSwitch<Operation *, Expr>(&op)
      .Case([&](NegOp) { return -x; })
      .Case([&](AbsOp) { return Halide::abs(x); })
      .Case([&](ExpOp) { return math::exp(x); })
      .Case([&](LogOp) { return math::log(x); })
      .Case([&](SqrtOp) { return Halide::sqrt(x); })
      .Case([&](SquareOp) { return x * x; })
      .Case([&](TanhOp) { return math::tanh(x); })
      .Case([&](SigmoidOp) { return math::sigmoid(x); })
      .Case([&](ReluOp) { return math::relu(x); })
      .Case([&](SoftplusOp) { return math::softplus(x); })
      .Case([&](GeluOp) { return math::gelu(x); })
      .Case([&](LeakyReluOp leaky) { return Halide::select(x > 0.0f, x, toFloat(leaky.getSlope()) * x); })
      .Case([&](EluOp elu) { return Halide::select(x > 0.0f, x, toFloat(elu.getAlpha()) * math::expm1(x)); })
      .Case([&](NotOp) { return !x; })
      .Case([&](ToFloatOp) { return Halide::cast<float>(x); })
      .Case([&](LengthsOp lengths) {
        return Halide::max((x + static_cast<int32_t>(lengths.getOffset())) / static_cast<int32_t>(lengths.getStride()),
                           0);
      })
      .Default([](Operation *) { return Expr(); });
}

static Expr binary(Operation &op, Expr a, Expr b) {
  return llvm::TypeSwitch<Operation *, Expr>(&op)
      .Case([&](AddOp) { return a + b; })
      .Case([&](SubOp) { return a - b; })
      .Case([&](MulOp) { return a * b; })
      .Case([&](DivOp) { return a / b; })
      .Case([&](MaxOp) { return maximum(a, b); })
      .Case([&](MinOp) { return minimum(a, b); })
      .Case([&](PowOp) { return math::pow(a, b); })
      .Case([&](EqOp) { return ordered(a == b, a, b); })
      .Case([&](NeOp) { return !ordered(a == b, a, b); })
      .Case([&](LtOp) { return ordered(a < b, a, b); })
      .Case([&](LeOp) { return ordered(a <= b, a, b); })
      .Case([&](GtOp) { return ordered(a > b, a, b); })
      .Case([&](GeOp) { return ordered(a >= b, a, b); })
      .Case([&](AndOp) { return a && b; })
      .Case([&](OrOp) { return a || b; })
      .Default([](Operation *) { return Expr(); });
}

/// Steps past an example's end become the fill.
static void buildMask(AlgorithmBuilder &builder, MaskOp mask) {
  Extents extents = getExtents(nn::getType(mask.getX()));
  Extent batch = getExtents(nn::getType(mask.getLengths())).front();
  int64_t batchDim = llvm::find(extents, batch) - extents.begin();
  builder.define(mask.getResult(), [&](const Indices &indices) {
    Expr alive = indices[mask.getAxis()] < builder.at(mask.getLengths(), {indices[batchDim]});
    Expr x = builder.at(mask.getX(), indices);
    double fill = mask.getFill().convertToDouble();
    return Halide::select(alive, x, std::isinf(fill) ? math::infinity(fill < 0) : Halide::cast(x.type(), float(fill)));
  });
}

/// The place of an element of a value in memory.
static Expr getPlace(AlgorithmBuilder &builder, RankedTensorType type, const Indices &indices) {
  Expr place = 0;
  Extents extents = getExtents(type);
  for (auto [extent, index] : llvm::zip_equal(extents, indices))
    place = place * builder.size(extent) + index;
  return place;
}

/// A stream of random words for the seed, the site and the step, of which each
/// element takes the one of its place. An element stays where the word, as a
/// number in [0, 1), is below the probability of that.
static void buildDropout(AlgorithmBuilder &builder, DropoutOp dropout) {
  auto word = [&](Value value, const Indices &indices) { return Halide::cast<uint32_t>(builder.at(value, indices)); };
  Expr step = dropout.getStep() ? word(dropout.getStep(), {}) : Expr(0u);
  Expr site(static_cast<uint32_t>(dropout.getSite()));
  math::Stream stream = math::makeStream(word(dropout.getSeed(), {0}), word(dropout.getSeed(), {1}), site, step);
  double kept = 1 - dropout.getRate().convertToDouble();
  auto bound = static_cast<int32_t>(std::lround(kept * (1 << 24)));
  float scale = kept > 0 ? static_cast<float>(1 / kept) : 0.0f;
  RankedTensorType type = nn::getType(dropout.getX());
  builder.define(dropout.getResult(), [&](const Indices &indices) {
    Expr random = math::at(stream, Halide::cast<uint32_t>(getPlace(builder, type, indices)));
    Expr stays = Halide::cast<int32_t>(random >> 8) < bound;
    return Halide::select(stays, builder.at(dropout.getX(), indices) * scale, 0.0f);
  });
}

static void buildCount(AlgorithmBuilder &builder, CountOp count) {
  Extents extents = getExtents(nn::getType(count.getX()));
  Expr product = 1.0f;
  for (int64_t axis : count.getAxes())
    product = product * Halide::cast<float>(builder.size(extents[axis]));
  builder.define(count.getResult(), [&](const Indices &) { return product; });
}

static void buildExtent(AlgorithmBuilder &builder, ExtentOp extent) {
  Expr size = builder.size(getExtents(nn::getType(extent.getX()))[extent.getAxis()]);
  builder.define(extent.getResult(), [&](const Indices &) { return size; });
}

bool buildElementwise(AlgorithmBuilder &builder, Operation &op) {
  if (auto count = dyn_cast<CountOp>(op))
    return buildCount(builder, count), true;
  if (auto extent = dyn_cast<ExtentOp>(op))
    return buildExtent(builder, extent), true;
  if (!op.hasTrait<nn::OpTrait::Elementwise>())
    return false;
  if (auto dropout = dyn_cast<DropoutOp>(op))
    return buildDropout(builder, dropout), true;
  if (auto mask = dyn_cast<MaskOp>(op)) {
    buildMask(builder, mask);
    return true;
  }
  if (Element known = isa<ExpOp>(op) ? builder.getExponential(op.getOperand(0)) : Element())
    return builder.define(op.getResult(0), known), true;
  builder.define(op.getResult(0), [&](const Indices &indices) {
    std::vector<Expr> operands;
    for (Value operand : op.getOperands())
      operands.push_back(builder.atSuffix(operand, indices));
    if (isa<SelectOp>(op))
      return Halide::select(operands[0], operands[1], operands[2]);
    return operands.size() == 1 ? unary(op, operands[0]) : binary(op, operands[0], operands[1]);
  });
  return true;
}

} // namespace nnc
