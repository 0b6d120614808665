//===- KernelCompiler.h - One kernel through Halide -----------------------===//

#ifndef NNC_COMPILER_EMIT_KERNELCOMPILER_H
#define NNC_COMPILER_EMIT_KERNELCOMPILER_H

#include "compiler/dialect/NN.h"
#include "targets/Target.h"

#include "llvm/Support/Error.h"

namespace nnc::emit {

/// How a kernel is written.
enum class KernelForm {
  Algorithm, ///< what it computes, without a schedule
  Schedule,  ///< its loops in a line for each stage, and what is launched on a device
  Loops,     ///< its loops as they were scheduled
  Assembly,
  Device, ///< its code for the device: PTX, or OpenCL C
  Object
};

/// Compiles a kernel, whose function is called like the op, for calls with at
/// least `minRows` rows. What Halide throws, and its warning that a tile does not
/// fit its extent, are errors here.
llvm::Expected<std::string> compileKernel(nn::KernelOp kernel, const targets::Target &target, const targets::Isa &isa,
                                          int64_t minRows, KernelForm form);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_KERNELCOMPILER_H
