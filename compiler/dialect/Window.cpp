//===- Window.cpp - Where a sliding window stops --------------------------===//

#include "compiler/dialect/Window.h"

#include <limits>

using namespace mlir;

namespace nnc::nn {

FailureOr<SmallVector<unsigned>> getSpatialDims(RankedTensorType image, unsigned rank) {
  unsigned dynamic = getDynamicRank(image), fixed = image.getRank() - dynamic;
  if (fixed < 1)
    return failure();
  unsigned fixedSpatial = std::min(rank, fixed - 1);
  SmallVector<unsigned> dims;
  // Over time: one spatial dimension is the free one that is outermost.
  if (fixedSpatial + 1 == rank && dynamic >= 2)
    dims.push_back(0);
  else if (fixedSpatial != rank)
    return failure();
  for (unsigned i = 0; i < fixedSpatial; ++i)
    dims.push_back(image.getRank() - 1 - fixedSpatial + i);
  return dims;
}

static LogicalResult checkLists(Operation *op, const Window &window) {
  unsigned rank = window.rank();
  bool fits = rank >= 1 && window.strides.size() == rank && window.padding.size() == 2 * rank &&
              (window.dilations.empty() || window.dilations.size() == rank) &&
              (window.overhang.empty() || window.overhang.size() == rank);
  if (!fits)
    return op->emitOpError("needs one stride and two paddings for each of its ") << rank << " spatial dimensions";
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  auto positive = [](int64_t value) { return value >= 1 && value <= most; };
  auto notNegative = [](int64_t value) { return value >= 0 && value <= most; };
  if (!llvm::all_of(window.sizes, positive) || !llvm::all_of(window.strides, positive) ||
      !llvm::all_of(window.dilations, positive) || !llvm::all_of(window.padding, notNegative) ||
      !llvm::all_of(window.overhang, notNegative))
    return op->emitOpError("needs sizes, strides and dilations of at least 1, paddings of at least 0, and of at most ")
           << most;
  return success();
}

FailureOr<Extents> inferWindow(Operation *op, RankedTensorType image, const Window &window) {
  if (failed(checkLists(op, window)))
    return failure();
  FailureOr<SmallVector<unsigned>> spatial = getSpatialDims(image, window.rank());
  if (failed(spatial))
    return op->emitOpError("has ") << window.rank() << " spatial dimensions, but its image is " << describe(image);
  Extents extents = getExtents(image);
  for (auto [i, dim] : llvm::enumerate(*spatial)) {
    int64_t added = window.padding[2 * i] + window.padding[2 * i + 1] +
                    (window.overhang.empty() ? 0 : window.overhang[i]) - window.span(i) + window.strides[i];
    Extent &extent = extents[dim];
    if (extent.isDynamic()) {
      SmallVector<Length> length = parseProduct(extent.name);
      if (length.size() != 1)
        return op->emitOpError("slides over ") << extent.name << ", which is more than one length";
      Length shorter = length.front().after(added, window.strides[i]);
      extent = StringAttr::get(op->getContext(), shorter.str());
      continue;
    }
    int64_t size = extent.size + added;
    if (size < window.strides[i])
      return op->emitOpError("has a window of ")
             << window.span(i) << " over an extent of " << extent.size << " with padding " << window.padding[2 * i]
             << " and " << window.padding[2 * i + 1];
    extent = size / window.strides[i];
  }
  return extents;
}

} // namespace nnc::nn
