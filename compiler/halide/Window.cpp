//===- Window.cpp - Images around a sliding window ------------------------===//

#include "compiler/halide/Window.h"

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;

namespace nnc {

/// The image's dimension with its border, as an extent for the schedule.
static Extent getPadded(const Extent &extent, int64_t added) {
  if (!extent.isDynamic())
    return extent.size + added;
  Length length = parseProduct(extent.name).front().after(added, 1);
  return StringAttr::get(extent.name.getContext(), length.str());
}

WindowedImage padImage(AlgorithmBuilder &builder, Value image, const Window &window, Expr fill) {
  RankedTensorType type = nn::getType(image);
  SmallVector<unsigned> spatial = *getSpatialDims(type, window.rank());
  Extents inner = getExtents(type), padded = inner;
  bool pads = false;
  for (auto [i, dim] : llvm::enumerate(spatial)) {
    int64_t added = window.padding[2 * i] + window.padding[2 * i + 1];
    if (!window.overhang.empty())
      added += window.overhang[i];
    pads |= added > 0;
    padded[dim] = getPadded(inner[dim], added);
  }
  if (!pads)
    return {[&builder, image](const Indices &indices) { return builder.at(image, indices); }, spatial};

  Func border = builder.stage("padded", targets::Role::Padded, padded, [&](const Indices &indices) {
    Indices clamped(indices);
    Expr inside;
    for (auto [i, dim] : llvm::enumerate(spatial)) {
      int32_t before = window.padding[2 * i];
      Expr place = indices[dim] - before, last = builder.size(inner[dim]) - 1;
      Expr within = place >= 0 && place <= last;
      inside = inside.defined() ? inside && within : within;
      // `likely` lets the loop that copies be cut at the border.
      clamped[dim] = clamp(likely(place), 0, last);
    }
    return Halide::select(likely(inside), builder.at(image, clamped), fill);
  });
  for (unsigned i = window.rank(); i-- > 0;)
    builder.getLastStage().window.push_back({window.strides[i], window.span(i)});
  return {[border](const Indices &indices) { return AlgorithmBuilder::call(border, indices); }, spatial, true};
}

Expr getLane(const AlgorithmBuilder &builder, const Expr &channel, int32_t width) {
  return builder.isOnDevice() ? clamp(channel - channel / width * width, 0, width - 1) : channel % width;
}

//===----------------------------------------------------------------------===//
// Pixels
//===----------------------------------------------------------------------===//

FlatPixels::FlatPixels(const Extents &shape, ArrayRef<unsigned> spatial) : first(shape.size() - 1) {
  while (llvm::is_contained(spatial, first - 1) && !shape[first - 1].isDynamic())
    sizes.push_back(shape[--first].size);
  std::reverse(sizes.begin(), sizes.end());
}

Extents FlatPixels::flatten(const Extents &shape) const {
  Extents result(shape);
  if (sizes.empty())
    return result;
  int64_t count = 1;
  for (int64_t size : sizes)
    count *= size;
  result.erase(result.begin() + first, result.begin() + first + sizes.size());
  result.insert(result.begin() + first, count);
  return result;
}

Indices FlatPixels::flatten(const Indices &indices) const {
  Indices result(indices);
  if (sizes.empty())
    return result;
  Expr pixel = indices[first];
  for (size_t i = 1; i < sizes.size(); ++i)
    pixel = pixel * static_cast<int32_t>(sizes[i]) + indices[first + i];
  result.erase(result.begin() + first, result.begin() + first + sizes.size());
  result.insert(result.begin() + first, pixel);
  return result;
}

Indices FlatPixels::restore(const Indices &flat) const {
  Indices result(flat);
  if (sizes.empty())
    return result;
  int32_t count = 1;
  for (int64_t size : sizes)
    count *= static_cast<int32_t>(size);
  Expr pixel = min(flat[first], count - 1);
  Indices place(sizes.size());
  for (size_t i = sizes.size(); i-- > 1; pixel = pixel / static_cast<int32_t>(sizes[i]))
    place[i] = pixel % static_cast<int32_t>(sizes[i]);
  place[0] = pixel;
  result.erase(result.begin() + first);
  result.insert(result.begin() + first, place.begin(), place.end());
  return result;
}

} // namespace nnc
