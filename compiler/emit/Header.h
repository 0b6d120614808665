//===- Header.h - The C header of a library -------------------------------===//

#ifndef NNC_COMPILER_EMIT_HEADER_H
#define NNC_COMPILER_EMIT_HEADER_H

#include "compiler/emit/Interface.h"

namespace nnc::emit {

/// The header that a program includes to call the library, in C11 and C++: its
/// sizes, its functions with the shapes of what they take and give, and a table
/// of its weights. `source` is the file that it was compiled from.
std::string emitHeader(const Interface &interface, llvm::StringRef source);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_HEADER_H
