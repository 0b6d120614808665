//===- Conv.cpp - Values of convolution -----------------------------------===//

#include "compiler/dialect/Window.h"
#include "compiler/interpret/Interpreter.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;
using namespace nnc::interpret;

/// Visits all products of a convolution of these shapes: places of image, kernel and
/// result. A convolution sums image * kernel to its result, its derivatives sum the
/// other products to the others.
template <typename ConvLike, typename Visit>
static void forEachProduct(ConvLike op, RankedTensorType imageType, ArrayRef<int64_t> image, ArrayRef<int64_t> kernel,
                           ArrayRef<int64_t> result, Visit visit) {
  unsigned rank = kernel.size() - 2;
  SmallVector<unsigned> spatial = *getSpatialDims(imageType, rank);
  int64_t in = kernel[rank], out = kernel.back() / static_cast<int64_t>(op.getGroups());
  forEachIndex(result, [&](ArrayRef<int64_t> y, int64_t yPlace) {
    Shape x(y);
    forEachIndex(kernel.take_front(rank), [&](ArrayRef<int64_t> step, int64_t) {
      Shape k(step);
      bool inside = true;
      for (unsigned i = 0; i < rank; ++i) {
        x[spatial[i]] = y[spatial[i]] * op.getStrides()[i] + step[i] * op.getDilations()[i] - op.getPadding()[2 * i];
        inside &= x[spatial[i]] >= 0 && x[spatial[i]] < image[spatial[i]];
        if (op.getFlip())
          k[i] = kernel[i] - 1 - step[i];
      }
      if (!inside)
        return;
      k.append({0, y.back()});
      x.back() = y.back() / out * in;
      int64_t xPlace = placeOf(x, image), kPlace = placeOf(k, kernel);
      for (int64_t channel = 0; channel < in; ++channel)
        visit(xPlace + channel, kPlace + channel * kernel.back(), yPlace);
    });
  });
}

bool interpret::evaluateConv(Interpreter &run, Operation &op) {
  if (!isa<ConvOp, ConvInputGradientOp, ConvKernelGradientOp>(op))
    return false;
  const Tensor a = run.at(op.getOperand(0)), b = run.at(op.getOperand(1));
  Tensor &y = run.define(op.getResult(0));
  y.data.assign(y.size(), 0);
  const double *left = a.data.data(), *right = b.data.data();
  double *out = y.data.data();
  if (auto conv = dyn_cast<ConvOp>(op))
    forEachProduct(conv, getType(conv.getX()), a.shape, b.shape, y.shape,
                   [=](int64_t x, int64_t k, int64_t i) { out[i] += left[x] * right[k]; });
  else if (auto input = dyn_cast<ConvInputGradientOp>(op))
    forEachProduct(input, getType(input.getResult()), y.shape, b.shape, a.shape,
                   [=](int64_t x, int64_t k, int64_t i) { out[x] += left[i] * right[k]; });
  else if (auto kernel = dyn_cast<ConvKernelGradientOp>(op))
    forEachProduct(kernel, getType(kernel.getX()), a.shape, y.shape, b.shape,
                   [=](int64_t x, int64_t k, int64_t i) { out[k] += left[x] * right[i]; });
  return true;
}
