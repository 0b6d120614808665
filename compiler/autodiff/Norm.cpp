//===- Norm.cpp - Derivatives of normalization ----------------------------===//

#include "compiler/autodiff/Autodiff.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// n = (x - mean) r with r = 1 / sqrt(variance + epsilon), y = n scale + shift, g = dy scale:
/// dx = r (g - mean(g) - n mean(g n)).
static void differentiateLayerNorm(Adjoints &a, LayerNormOp op, Value dy) {
  RankedTensorType type = nn::getType(dy);
  Value x = a.primal(op.getX());
  Value centred = a.minus(x, a.repeatLast(a.meanOfLast(x), type));
  Value variance = a.meanOfLast(a.make<SquareOp>(centred));
  Value epsilon = a.fill(op.getEpsilon().convertToDouble(), nn::getType(variance));
  Value deviation = a.repeatLast(a.make<SqrtOp>(a.plus(variance, epsilon)), type);
  Value normal = a.over(centred, deviation);
  if (a.isActive(op.getX())) {
    Value g = a.times(dy, a.primal(op.getScale()));
    Value alongNormal = a.times(normal, a.repeatLast(a.meanOfLast(a.times(g, normal)), type));
    Value centredG = a.minus(g, a.repeatLast(a.meanOfLast(g), type));
    a.add(op.getX(), a.over(a.minus(centredG, alongNormal), deviation));
  }
  if (a.isActive(op.getScale()))
    a.add(op.getScale(), a.times(dy, normal));
  a.add(op.getShift(), dy);
}

bool nnc::differentiateNorm(Adjoints &a, Operation *op, Value dy) {
  if (auto norm = dyn_cast<LayerNormOp>(op))
    return differentiateLayerNorm(a, norm, dy), true;
  if (auto norm = dyn_cast<LocalResponseNormOp>(op)) {
    SmallVector<NamedAttribute> attributes(op->getAttrs());
    a.add(norm.getX(), a.make<LocalResponseNormGradientOp>({a.primal(norm.getX()), dy}, attributes));
    return true;
  }
  return false;
}
