//===- Gpu.cpp - What CUDA and OpenCL share -------------------------------===//

#include "targets/gpu/Gpu.h"

namespace nnc::targets {

/// That of an H100: 132 processors of 128 multiply-adds, 50 MB of L2, 3.35 TB/s of memory at 1.7 GHz; a launch takes 2
/// us.
Machine Gpu::machine() const { return {"a GPU like the H100", 33792, 5500, 1970, 50e6, 3400}; }

/// Narrow panels: a sector of memory each, so that even few columns are many blocks'; a tile
/// of many rows takes several panels.
int64_t Gpu::panelWidth(Family family, int64_t columns) const {
  (void)family;
  return columns <= 4 ? 4 : 8;
}

ConvForm Gpu::convForm(const ConvShape &conv) const { return gpu::chooseConvForm(conv, machine()); }

/// Sums that are worth tiles for several batches.
static constexpr int64_t longSum = 64;

std::vector<int64_t> Gpu::variants(const KernelShape &shape) const {
  if (shape.family == Family::Dense && shape.dynamicRows)
    return {1, 4, 256};
  if (shape.family == Family::Conv && shape.dynamicRows && shape.reduction >= longSum)
    return {1, 8}; // other tiles, where those of an example are few
  return {1};
}

void Gpu::schedule(Group &group, const Isa &isa, int64_t minRows) const {
  (void)isa;
  switch (group.family) {
  case Family::Dense:
    return gpu::scheduleDense(group, minRows);
  case Family::Conv:
    return gpu::scheduleConv(group, minRows);
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
