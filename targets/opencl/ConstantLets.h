//===- ConstantLets.h - Conditions that are known, in OpenCL C ------------===//

#ifndef NNC_TARGETS_OPENCL_CONSTANTLETS_H
#define NNC_TARGETS_OPENCL_CONSTANTLETS_H

#include <Halide.h>

#include <memory>

namespace nnc::targets {

/// Writes conditions that are constants where they are used, without a name. A pass over lowered code for OpenCL.
std::shared_ptr<Halide::Internal::IRMutator> inlineConstantLets();

} // namespace nnc::targets

#endif // NNC_TARGETS_OPENCL_CONSTANTLETS_H
