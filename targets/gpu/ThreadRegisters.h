//===- ThreadRegisters.h - A block's values in its threads' registers -----===//

#ifndef NNC_TARGETS_GPU_THREADREGISTERS_H
#define NNC_TARGETS_GPU_THREADREGISTERS_H

#include "targets/Group.h"

namespace nnc::targets::gpu {

/// Keeps a Func that is computed for a block of threads, and of which each thread reads and
/// writes a part of its own alone, in the registers of its threads: what is left of its memory
/// is one thread's part. Without this pass Halide gives every thread memory for all parts.
///
/// To be placed: the Func's storage is MemoryType::Register, all loops over what a thread has
/// are unrolled or vectorized. A Func that cannot be kept so is an internal error.
std::shared_ptr<Halide::Internal::IRMutator> keepInRegisters(const Halide::Func &func);

} // namespace nnc::targets::gpu

#endif // NNC_TARGETS_GPU_THREADREGISTERS_H
