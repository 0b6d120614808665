//===- Pool.cpp - Derivatives of pooling ----------------------------------===//

#include "compiler/autodiff/Autodiff.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

bool nnc::differentiatePool(Adjoints &a, Operation *op, Value dy) {
  SmallVector<NamedAttribute> attributes(op->getAttrs());
  if (auto pool = dyn_cast<MaxPoolOp>(op)) {
    Value x = a.primal(pool.getX()), y = a.primal(pool.getResult());
    a.add(pool.getX(), a.make<MaxPoolGradientOp>({x, y, dy}, attributes));
    return true;
  }
  if (auto pool = dyn_cast<AvgPoolOp>(op)) {
    a.add(pool.getX(), a.makeDeclared<AvgPoolGradientOp>(nn::getType(pool.getX()), dy, attributes));
    return true;
  }
  return false;
}
