//===- PackedVectors.h - Vectors of three in OpenCL's memory --------------===//

#ifndef NNC_TARGETS_OPENCL_PACKEDVECTORS_H
#define NNC_TARGETS_OPENCL_PACKEDVECTORS_H

#include "targets/Group.h"

namespace nnc::targets {

/// Has vectors whose lanes are no power of two read and written as lanes one after the other,
/// wherever they begin. A pass over lowered code for OpenCL.
std::shared_ptr<Halide::Internal::IRMutator> packVectors();

} // namespace nnc::targets

#endif // NNC_TARGETS_OPENCL_PACKEDVECTORS_H
