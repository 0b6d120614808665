//===- OpenCL.h - Devices of OpenCL ---------------------------------------===//

#ifndef NNC_TARGETS_OPENCL_OPENCL_H
#define NNC_TARGETS_OPENCL_OPENCL_H

#include "targets/gpu/Gpu.h"

namespace nnc::targets {

const Target &getOpenCL();

} // namespace nnc::targets

#endif // NNC_TARGETS_OPENCL_OPENCL_H
