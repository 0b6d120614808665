//===- Conv.cpp - Derivatives of convolution ------------------------------===//

#include "compiler/autodiff/Autodiff.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

bool nnc::differentiateConv(Adjoints &a, Operation *op, Value dy) {
  auto conv = dyn_cast<ConvOp>(op);
  if (!conv)
    return false;
  // The kernel's layout in memory is chosen later: derivatives are row-major.
  RankedTensorType image = nn::getType(conv.getX()), kernel = nn::getType(conv.getKernel());
  SmallVector<NamedAttribute> attributes(conv->getAttrs());
  if (a.isActive(conv.getX()))
    a.add(conv.getX(), a.makeDeclared<ConvInputGradientOp>(image, {dy, a.primal(conv.getKernel())}, attributes));
  if (a.isActive(conv.getKernel()))
    a.add(conv.getKernel(), a.makeDeclared<ConvKernelGradientOp>(kernel, {a.primal(conv.getX()), dy}, attributes));
  return true;
}
