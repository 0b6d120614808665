//===- Gpu.cpp - What CUDA and OpenCL share -------------------------------===//

#include "targets/gpu/Gpu.h"

namespace nnc::targets {

/// Wide panels are read by whole warps, narrow ones pad less.
int64_t Gpu::panelWidth(Family family, int64_t columns) const {
  (void)family;
  for (int64_t width : {8, 16, 32})
    if (columns <= width)
      return width;
  return (64 - columns % 64) % 64 < 32 ? 64 : 32;
}

std::vector<int64_t> Gpu::variants(const KernelShape &shape) const {
  if (shape.family == Family::Dense && shape.dynamicRows)
    return {1, 4, 64};
  return {1};
}

void Gpu::schedule(Group &group, const Isa &isa, int64_t minRows) const {
  (void)isa;
  switch (group.family) {
  case Family::Dense:
    return gpu::scheduleDense(group, minRows);
  case Family::Reduce:
  case Family::Norm:
    return gpu::scheduleReduce(group);
  case Family::Reshape:
    return gpu::scheduleReshape(group);
  default:
    return gpu::scheduleDefault(group);
  }
}

} // namespace nnc::targets
