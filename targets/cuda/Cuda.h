//===- Cuda.h - NVIDIA's GPUs ---------------------------------------------===//

#ifndef NNC_TARGETS_CUDA_CUDA_H
#define NNC_TARGETS_CUDA_CUDA_H

#include "targets/gpu/Gpu.h"

namespace nnc::targets {

const Target &getCuda();

} // namespace nnc::targets

#endif // NNC_TARGETS_CUDA_CUDA_H
