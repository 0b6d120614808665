//===- Shape.cpp - Shapes with named lengths ------------------------------===//

#include "compiler/dialect/Shape.h"

#include "compiler/dialect/NN.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace nnc::nn {

//===----------------------------------------------------------------------===//
// Lengths
//===----------------------------------------------------------------------===//

std::string Length::str() const {
  std::string text = symbol;
  if (offset != 0)
    text = "(" + symbol + (offset > 0 ? "+" : "") + std::to_string(offset) + ")";
  if (stride != 1)
    text += "/" + std::to_string(stride);
  return text;
}

Length Length::after(int64_t moreOffset, int64_t moreStride) const {
  // floor((floor((x + a) / s) + b) / r) = floor((x + a + s b) / (s r)).
  return {symbol, offset + stride * moreOffset, stride * moreStride};
}

static Length parseLength(StringRef text) {
  Length length;
  auto [base, stride] = text.rsplit('/');
  if (!stride.empty())
    stride.getAsInteger(10, length.stride);
  if (base.consume_front("(")) {
    base.consume_back(")");
    size_t sign = base.find_first_of("+-");
    if (sign != StringRef::npos) {
      StringRef offset = base.substr(sign);
      offset.consume_front("+");
      offset.getAsInteger(10, length.offset);
      base = base.substr(0, sign);
    }
  }
  length.symbol = base.str();
  return length;
}

SmallVector<Length> parseProduct(StringRef name) {
  SmallVector<Length> product;
  for (StringRef factor : llvm::split(name, '*'))
    product.push_back(parseLength(factor));
  return product;
}

std::string printProduct(ArrayRef<Length> product) {
  return llvm::join(llvm::map_range(product, [](const Length &length) { return length.str(); }), "*");
}

std::optional<int64_t> getNumber(StringRef name) {
  int64_t number;
  if (name.getAsInteger(10, number))
    return std::nullopt;
  return number;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

Extents getExtents(RankedTensorType type) {
  Extents extents;
  auto dims = dyn_cast_or_null<DimsAttr>(type.getEncoding());
  unsigned next = 0;
  for (int64_t size : type.getShape()) {
    if (ShapedType::isDynamic(size))
      extents.push_back(dims.getNames()[next++]);
    else
      extents.push_back(size);
  }
  return extents;
}

RankedTensorType getTensorType(Type element, ArrayRef<Extent> extents) {
  SmallVector<int64_t> shape;
  SmallVector<StringAttr> names;
  for (const Extent &extent : extents) {
    shape.push_back(extent.size);
    if (extent.isDynamic())
      names.push_back(extent.name);
  }
  Attribute encoding = names.empty() ? Attribute() : DimsAttr::get(element.getContext(), names);
  return RankedTensorType::get(shape, element, encoding);
}

unsigned getDynamicRank(RankedTensorType type) { return type.getNumDynamicDims(); }

ArrayRef<int64_t> getFixedShape(RankedTensorType type) { return type.getShape().drop_front(getDynamicRank(type)); }

int64_t getFixedSize(RankedTensorType type) { return ShapedType::getNumElements(getFixedShape(type)); }

int64_t getStoredSize(RankedTensorType type) {
  int64_t size = getFixedSize(type);
  auto panel = dyn_cast_or_null<PanelAttr>(type.getEncoding());
  if (!panel)
    return size;
  int64_t extent = type.getDimSize(panel.getDim());
  return size / extent * llvm::alignTo(extent, panel.getWidth());
}

bool isBatched(RankedTensorType type) {
  auto dims = dyn_cast_or_null<DimsAttr>(type.getEncoding());
  return dims && llvm::any_of(dims.getNames(), [](StringAttr name) {
           return llvm::any_of(parseProduct(name), [](const Length &length) { return length.symbol == batchName; });
         });
}

std::string describe(RankedTensorType type) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '[';
  llvm::interleaveComma(getExtents(type), os, [&](const Extent &extent) {
    if (extent.isDynamic())
      os << extent.name.getValue();
    else
      os << extent.size;
  });
  os << ']';
  return text;
}

} // namespace nnc::nn
