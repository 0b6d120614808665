//===- StackUse.h - How much of the stack a kernel takes ------------------===//

#ifndef NNC_COMPILER_EMIT_STACKUSE_H
#define NNC_COMPILER_EMIT_STACKUSE_H

#include "targets/Target.h"

#include "llvm/Support/Error.h"

namespace nnc::emit {

/// Bytes that a kernel may have on the stack: a kernel runs in its caller's threads, whose stacks have some MB by
/// default.
inline constexpr int64_t maxStackBytes = int64_t(1) << 20;

/// Bytes of the buffers that the functions of a kernel, itself and the tasks of its parallel loops, have on the stack
/// at once: of the one that has most.
int64_t countStackBytes(const Halide::Module &module);

/// An error when that is more than a kernel may have.
llvm::Error checkStackUse(const Halide::Module &module);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_STACKUSE_H
