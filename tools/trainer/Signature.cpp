//===- Signature.cpp - What a network takes and gives ---------------------===//

#include "Signature.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace llvm;
using namespace nnc::trainer;

/// More elements than memory has, and few enough to be added up.
static constexpr uint64_t MaxCount = uint64_t(1) << 48;

int64_t Dim::getExtent(ArrayRef<int64_t> lengths) const {
  if (isFixed())
    return size;
  return std::max<int64_t>(0, lengths[free] + offset) / stride;
}

int64_t nnc::trainer::getSize(Element element) { return element == Element::Bool ? 1 : 4; }

ArrayRef<Dim> Argument::getFreeDims() const {
  return ArrayRef<Dim>(shape).take_until([](const Dim &dim) { return dim.isFixed(); });
}

ArrayRef<Dim> Argument::getFixedDims() const { return ArrayRef<Dim>(shape).drop_front(getFreeDims().size()); }

int64_t Argument::getStepSize() const {
  int64_t size = 1;
  for (const Dim &dim : getFixedDims())
    size *= dim.size;
  return size;
}

int64_t Argument::getCount(ArrayRef<int64_t> lengths) const {
  uint64_t count = 1;
  for (const Dim &dim : shape)
    count = SaturatingMultiply<uint64_t>(count, dim.getExtent(lengths));
  return static_cast<int64_t>(std::min<uint64_t>(count, MaxCount));
}

std::vector<Argument> Signature::getColumns() const {
  std::vector<Argument> columns = inputs;
  append_range(columns, labels);
  return columns;
}
