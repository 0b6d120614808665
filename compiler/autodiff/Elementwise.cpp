//===- Elementwise.cpp - Derivatives of element-wise ops ------------------===//

#include "compiler/autodiff/Autodiff.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

/// dy where the condition holds, else 0.
Value keepWhere(Adjoints &a, Value condition, Value dy) {
  return a.make<SelectOp>({condition, dy, a.fill(0, nn::getType(dy))});
}

Value isPositive(Adjoints &a, Value value) { return a.make<GtOp>({value, a.fill(0, nn::getType(value))}); }

/// The cotangent of the one operand of an op, given its primal x and result y.
std::optional<Value> differentiateUnary(Adjoints &a, Operation *op, Value dy) {
  auto x = [&] { return a.primal(op->getOperand(0)); };
  auto y = [&] { return a.primal(op->getResult(0)); };
  auto one = [&] { return a.fill(1, nn::getType(dy)); };
  return llvm::TypeSwitch<Operation *, std::optional<Value>>(op)
      .Case([&](NegOp) { return a.make<NegOp>(dy); })
      .Case([&](AbsOp) {
        Value negative = a.make<LtOp>({x(), a.fill(0, nn::getType(dy))});
        return a.minus(keepWhere(a, isPositive(a, x()), dy), keepWhere(a, negative, dy));
      })
      .Case([&](ExpOp) { return a.times(dy, y()); })
      .Case([&](LogOp) { return a.over(dy, x()); })
      .Case([&](SqrtOp) { return a.over(a.times(dy, a.fill(0.5, nn::getType(dy))), y()); })
      .Case([&](SquareOp) { return a.times(a.times(dy, a.fill(2, nn::getType(dy))), x()); })
      .Case([&](TanhOp) { return a.times(dy, a.minus(one(), a.make<SquareOp>(y()))); })
      .Case([&](SigmoidOp) { return a.times(dy, a.times(y(), a.minus(one(), y()))); })
      .Case([&](ReluOp) { return keepWhere(a, isPositive(a, y()), dy); })
      .Case([&](SoftplusOp) { return a.times(dy, a.make<SigmoidOp>(x())); })
      .Case([&](LeakyReluOp leaky) {
        Value scaled = a.times(dy, a.fill(leaky.getSlope().convertToDouble(), nn::getType(dy)));
        return a.make<SelectOp>({isPositive(a, x()), dy, scaled});
      })
      .Case([&](EluOp elu) { // y + alpha = alpha e^x
        Value slope = a.plus(y(), a.fill(elu.getAlpha().convertToDouble(), nn::getType(dy)));
        return a.make<SelectOp>({isPositive(a, x()), dy, a.times(dy, slope)});
      })
      .Case([&](GeluOp) { // gelu(x) = x P(x): gelu' = P(x) + x p(x), p the normal density
        RankedTensorType type = nn::getType(dy);
        Value zero = a.fill(0, type);
        Value share = a.make<SelectOp>({a.make<EqOp>({x(), zero}), a.fill(0.5, type), a.over(y(), x())});
        Value power = a.make<ExpOp>(a.times(a.make<SquareOp>(x()), a.fill(-0.5, type)));
        Value density = a.times(power, a.fill(1 / std::sqrt(2 * M_PI), type));
        return a.times(dy, a.plus(share, a.times(x(), density)));
      })
      .Default([](Operation *) { return std::nullopt; });
}

/// The larger or the smaller of two: equals share the cotangent.
template <typename Wins> void differentiateChoice(Adjoints &a, Operation *op, Value dy) {
  Value left = a.primal(op->getOperand(0)), right = a.primal(op->getOperand(1));
  // Comparisons repeat their operands as the op itself does.
  Value half = a.times(dy, a.fill(0.5, nn::getType(dy)));
  Value shared = keepWhere(a, a.make<EqOp>({left, right}), half);
  a.add(op->getOperand(0), a.make<SelectOp>({a.make<Wins>({left, right}), dy, shared}));
  a.add(op->getOperand(1), a.make<SelectOp>({a.make<Wins>({right, left}), dy, shared}));
}

void differentiatePow(Adjoints &a, PowOp op, Value dy) {
  Value base = a.primal(op.getA()), exponent = a.primal(op.getB());
  if (a.isActive(op.getA())) {
    Value less = a.make<SubOp>({exponent, a.number(1)});
    a.add(op.getA(), a.times(dy, a.times(exponent, a.make<PowOp>({base, less}))));
  }
  if (a.isActive(op.getB()))
    a.add(op.getB(), a.times(dy, a.times(a.primal(op.getResult()), a.make<LogOp>(base))));
}

void differentiateDiv(Adjoints &a, DivOp op, Value dy) {
  Value b = a.primal(op.getB());
  if (a.isActive(op.getA()))
    a.add(op.getA(), a.over(dy, b));
  if (a.isActive(op.getB()))
    a.add(op.getB(), a.make<NegOp>(a.over(a.times(dy, a.primal(op.getResult())), b)));
}

} // namespace

bool nnc::differentiateElementwise(Adjoints &a, Operation *op, Value dy) {
  if (std::optional<Value> dx = differentiateUnary(a, op, dy)) {
    a.add(op->getOperand(0), *dx);
    return true;
  }
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](AddOp add) {
        a.add(add.getA(), dy);
        a.add(add.getB(), dy);
        return true;
      })
      .Case([&](SubOp sub) {
        a.add(sub.getA(), dy);
        if (a.isActive(sub.getB()))
          a.add(sub.getB(), a.make<NegOp>(dy));
        return true;
      })
      .Case([&](MulOp mul) {
        if (a.isActive(mul.getA()))
          a.add(mul.getA(), a.times(dy, a.primal(mul.getB())));
        if (a.isActive(mul.getB()))
          a.add(mul.getB(), a.times(dy, a.primal(mul.getA())));
        return true;
      })
      .Case([&](DivOp div) { return differentiateDiv(a, div, dy), true; })
      .Case([&](PowOp pow) { return differentiatePow(a, pow, dy), true; })
      .Case([&](MaxOp) { return differentiateChoice<GtOp>(a, op, dy), true; })
      .Case([&](MinOp) { return differentiateChoice<LtOp>(a, op, dy), true; })
      .Case([&](SelectOp select) {
        Value condition = a.primal(select.getCondition()), zero = a.fill(0, nn::getType(dy));
        if (a.isActive(select.getA()))
          a.add(select.getA(), a.make<SelectOp>({condition, dy, zero}));
        if (a.isActive(select.getB()))
          a.add(select.getB(), a.make<SelectOp>({condition, zero, dy}));
        return true;
      })
      .Case([&](MaskOp mask) {
        a.add(mask.getX(), a.make<MaskOp>({dy, a.primal(mask.getLengths())},
                                          {a.builder.getNamedAttr("axis", mask.getAxisAttr()),
                                           a.builder.getNamedAttr("fill", a.builder.getF64FloatAttr(0))}));
        return true;
      })
      .Case([&](DropoutOp dropout) { // the same elements, scaled the same
        SmallVector<Value> operands{dy, a.primal(dropout.getSeed())};
        if (dropout.getStep())
          operands.push_back(a.primal(dropout.getStep()));
        a.add(dropout.getX(), a.make<DropoutOp>(operands, {a.builder.getNamedAttr("rate", dropout.getRateAttr()),
                                                           a.builder.getNamedAttr("site", dropout.getSiteAttr())}));
        return true;
      })
      .Case([](CountOp) { return true; })
      .Case([](ExtentOp) { return true; })
      .Default([](Operation *) { return false; });
}
