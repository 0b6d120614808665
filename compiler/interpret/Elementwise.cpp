//===- Elementwise.cpp - Values of element-wise ops -----------------------===//

#include "compiler/interpret/Interpreter.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;
using namespace nnc::interpret;

static bool isReal(Value value) { return getType(value).getElementType().isF32(); }

using Unary = std::function<double(double)>;
using Binary = std::function<double(double, double)>;

/// Whether x is above 0, which is noted.
static bool isPositive(Interpreter &run, double x) {
  run.choose(x > 0);
  return x > 0;
}

static Unary getUnary(Interpreter &run, Operation &op) {
  return llvm::TypeSwitch<Operation *, Unary>(&op)
      .Case([](NegOp) { return [](double x) { return -x; }; })
      .Case([&](AbsOp) { return [&run](double x) { return isPositive(run, x) ? x : -x; }; })
      .Case([](ExpOp) { return [](double x) { return std::exp(x); }; })
      .Case([](LogOp) { return [](double x) { return std::log(x); }; })
      .Case([](SqrtOp) { return [](double x) { return std::sqrt(x); }; })
      .Case([](SquareOp) { return [](double x) { return x * x; }; })
      .Case([](TanhOp) { return [](double x) { return std::tanh(x); }; })
      .Case([](SigmoidOp) { return [](double x) { return 1 / (1 + std::exp(-x)); }; })
      .Case([&](ReluOp) { return [&run](double x) {
                            return isPositive(run, x) ? x : x != x ? x : 0;
                          }; })
      .Case([](SoftplusOp) { return [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }; })
      .Case([](GeluOp) { return [](double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; }; })
      .Case([&](LeakyReluOp leaky) {
        double slope = leaky.getSlope().convertToDouble();
        return [&run, slope](double x) { return isPositive(run, x) ? x : slope * x; };
      })
      .Case([&](EluOp elu) {
        double alpha = elu.getAlpha().convertToDouble();
        return [&run, alpha](double x) { return isPositive(run, x) ? x : alpha * std::expm1(x); };
      })
      .Case([](NotOp) { return [](double x) { return x == 0 ? 1.0 : 0.0; }; })
      .Case([](ToFloatOp) { return [](double x) { return x; }; })
      .Case([](LengthsOp lengths) {
        auto offset = static_cast<double>(static_cast<int64_t>(lengths.getOffset())); // read as unsigned
        auto stride = static_cast<double>(lengths.getStride());
        return [=](double x) { return std::max(0.0, std::floor((x + offset) / stride)); };
      })
      .Default([](Operation *) { return Unary(); });
}

static Binary getBinary(Interpreter &run, Operation &op) {
  bool isWhole = op.getNumOperands() == 2 && !isReal(op.getOperand(0));
  // A comparison of reals is a choice, and so is the larger one.
  auto compare = [&run, isWhole](auto holds) {
    return Binary([&run, isWhole, holds](double a, double b) {
      if (!isWhole)
        run.choose(holds(a, b));
      return holds(a, b) ? 1.0 : 0.0;
    });
  };
  auto extreme = [&run, isWhole](bool largest) {
    return Binary([&run, isWhole, largest](double a, double b) {
      if (a != a || b != b)
        return a + b;
      bool first = largest ? a > b : a < b;
      if (!isWhole)
        run.choose(first ? 1 : a == b ? 2 : 0);
      return first ? a : b;
    });
  };
  return llvm::TypeSwitch<Operation *, Binary>(&op)
      .Case([](AddOp) { return [](double a, double b) { return a + b; }; })
      .Case([](SubOp) { return [](double a, double b) { return a - b; }; })
      .Case([](MulOp) { return [](double a, double b) { return a * b; }; })
      .Case([&](DivOp) { return [isWhole](double a, double b) { return isWhole ? std::floor(a / b) : a / b; }; })
      .Case([&](MaxOp) { return extreme(true); })
      .Case([&](MinOp) { return extreme(false); })
      .Case([](PowOp) { return [](double a, double b) { return std::pow(a, b); }; })
      .Case([&](EqOp) { return compare([](double a, double b) { return a == b; }); })
      .Case([&](NeOp) { return compare([](double a, double b) { return a != b; }); })
      .Case([&](LtOp) { return compare([](double a, double b) { return a < b; }); })
      .Case([&](LeOp) { return compare([](double a, double b) { return a <= b; }); })
      .Case([&](GtOp) { return compare([](double a, double b) { return a > b; }); })
      .Case([&](GeOp) { return compare([](double a, double b) { return a >= b; }); })
      .Case([](AndOp) { return [](double a, double b) { return a != 0 && b != 0 ? 1.0 : 0.0; }; })
      .Case([](OrOp) { return [](double a, double b) { return a != 0 || b != 0 ? 1.0 : 0.0; }; })
      .Default([](Operation *) { return Binary(); });
}

static void evaluateMask(Interpreter &run, MaskOp mask) {
  const Tensor x = run.at(mask.getX()), lengths = run.at(mask.getLengths());
  Extents extents = getExtents(getType(mask.getX()));
  int64_t batch = llvm::find(extents, getExtents(getType(mask.getLengths())).front()) - extents.begin();
  double fill = mask.getFill().convertToDouble();
  Tensor &y = run.define(mask.getResult());
  forEachIndex(y.shape, [&](ArrayRef<int64_t> index, int64_t i) {
    y[i] = static_cast<double>(index[mask.getAxis()]) < lengths[index[batch]] ? x[i] : fill;
  });
}

/// Which elements stay differs with seed, site, step and place; how does not matter here.
static void evaluateDropout(Interpreter &run, DropoutOp dropout) {
  const Tensor x = run.at(dropout.getX()), seed = run.at(dropout.getSeed());
  double step = dropout.getStep() ? run.at(dropout.getStep())[0] : 0, kept = 1 - dropout.getRate().convertToDouble();
  Tensor &y = run.define(dropout.getResult());
  for (int64_t i = 0; i < y.size(); ++i) {
    uint64_t word = 14695981039346656037u;
    for (double part : {seed[0], seed[1], static_cast<double>(dropout.getSite()), step, static_cast<double>(i)})
      for (int round = 0; round < 3; ++round)
        word = (word ^ static_cast<uint64_t>(static_cast<int64_t>(part)) ^ (word >> 29)) * 1099511628211u;
    bool stays = static_cast<double>(word >> 11) / 9007199254740992.0 < kept;
    y[i] = stays ? x[i] / kept : 0;
  }
}

bool interpret::evaluateElementwise(Interpreter &run, Operation &op) {
  if (auto mask = dyn_cast<MaskOp>(op))
    return evaluateMask(run, mask), true;
  if (auto dropout = dyn_cast<DropoutOp>(op))
    return evaluateDropout(run, dropout), true;
  if (auto count = dyn_cast<CountOp>(op)) {
    double product = 1;
    for (int64_t axis : count.getAxes())
      product *= static_cast<double>(run.getSize(getExtents(getType(count.getX()))[axis]));
    return run.define(count.getResult()).data[0] = product, true;
  }
  if (auto extent = dyn_cast<ExtentOp>(op)) {
    double size = static_cast<double>(run.getSize(getExtents(getType(extent.getX()))[extent.getAxis()]));
    return run.define(extent.getResult()).data[0] = size, true;
  }
  if (!op.hasTrait<nn::OpTrait::Elementwise>())
    return false;
  std::vector<Tensor> operands;
  for (Value operand : op.getOperands())
    operands.push_back(run.at(operand));
  // An operand has the shape of the result or of its last dimensions.
  auto at = [&](unsigned operand, int64_t i) { return operands[operand][i % operands[operand].size()]; };
  Unary unary = operands.size() == 1 ? getUnary(run, op) : Unary();
  Binary binary = operands.size() == 2 ? getBinary(run, op) : Binary();
  Tensor &y = run.define(op.getResult(0));
  for (int64_t i = 0; i < y.size(); ++i)
    y[i] = unary ? unary(at(0, i)) : binary ? binary(at(0, i), at(1, i)) : at(0, i) != 0 ? at(1, i) : at(2, i);
  return true;
}
