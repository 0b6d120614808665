//===- Dense.cpp - Matrix products on a device ----------------------------===//

#include "targets/gpu/Gpu.h"

namespace nnc::targets::gpu {

void scheduleDense(Group &group, int64_t minRows) {
  (void)minRows;
  return scheduleDefault(group);
}

} // namespace nnc::targets::gpu
