//===- Conv.cpp - Types of convolution ------------------------------------===//

#include "compiler/dialect/Window.h"

using namespace mlir;
using namespace nnc::nn;

FailureOr<RankedTensorType> ConvOp::inferType() {
  RankedTensorType x = nn::getType(getX()), kernel = nn::getType(getKernel());
  if (kernel.getRank() < 3 || !kernel.hasStaticShape())
    return emitOpError("needs a kernel [k…, ci / groups, co], not ") << describe(kernel);
  ArrayRef<int64_t> shape = kernel.getShape();
  Window window{shape.drop_back(2), getStrides(), getDilations(), getPadding(), {}};
  FailureOr<Extents> extents = inferWindow(*this, x, window);
  if (failed(extents))
    return failure();
  int64_t groups = getGroups(), in = shape[shape.size() - 2], out = shape.back();
  if (groups < 1 || x.getShape().back() != groups * in || out % groups != 0)
    return emitOpError("has an image of ") << x.getShape().back() << " channels, a kernel " << describe(kernel)
                                           << " and " << groups << " groups, which do not fit";
  extents->back() = out;
  return getTensorType(x.getElementType(), *extents);
}

int64_t ConvOp::getReductionSize() {
  return ShapedType::getNumElements(nn::getType(getKernel()).getShape().drop_back(1));
}
