//===- Lengths.cpp - Free dimensions as numbers -----------------------------===//

#include "dsl/Lengths.h"

#include <algorithm>

namespace nnc::dsl {

static void fix(Dim &dim, const std::vector<int64_t> &lengths) {
  if (!dim.isFixed())
    dim = Dim::fixed(std::max<int64_t>(0, lengths[dim.free] + dim.offset) / dim.stride);
}

static void fix(std::vector<Operation> &operations, const std::vector<int64_t> &lengths) {
  for (Operation &operation : operations)
    if (operation.each) {
      fix(operation.each->trip, lengths);
      fix(operation.each->body, lengths);
    }
}

void fixLengths(Network &network, const std::vector<int64_t> &lengths) {
  network.infer = {};
  network.infer.name = "infer";
  for (Train &train : network.trains) {
    train.bptt.kind = Bptt::Full;
    for (ValueInfo &value : train.forward.values)
      for (Dim &dim : value.type.shape)
        fix(dim, lengths);
    fix(train.forward.operations, lengths);
  }
  network.freeDims.clear();
}

int64_t getLeastLength(const Network &network, int32_t free) {
  int64_t least = 1;
  for (const Train &train : network.trains)
    for (const ValueInfo &value : train.forward.values)
      for (const Dim &dim : value.type.shape)
        if (dim.free == free)
          least = std::max(least, dim.stride - dim.offset);
  return least;
}

} // namespace nnc::dsl
