//===- KernelObject.h - A kernel's object as the library has it -----------===//

#ifndef NNC_COMPILER_EMIT_KERNELOBJECT_H
#define NNC_COMPILER_EMIT_KERNELOBJECT_H

#include "llvm/Support/Error.h"

#include <string>

namespace nnc::emit {

/// The object of a kernel that was compiled as `from`, with that symbol named
/// `to` and hidden outside the library, every other symbol local, and Halide's
/// parallel loop the runtime's. An object that needs anything else at run time
/// than that, memcpy, memmove and memset, and AddressSanitizer where it is
/// `sanitized`, is an error.
llvm::Expected<std::string> renameKernel(llvm::StringRef object, llvm::StringRef from, llvm::StringRef to,
                                         bool sanitized);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_KERNELOBJECT_H
