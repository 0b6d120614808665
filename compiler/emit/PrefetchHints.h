//===- PrefetchHints.h - Where lines go that are asked for early ----------===//

#ifndef NNC_COMPILER_EMIT_PREFETCHHINTS_H
#define NNC_COMPILER_EMIT_PREFETCHHINTS_H

#include "llvm/Support/Error.h"

#include <string>

namespace nnc::emit {

/// Makes every `prefetchnta` of an x86-64 object `prefetcht1`, which is as long. An object that
/// is no such one, or whose code cannot be read where it may ask, is an error.
llvm::Error prefetchToL2(std::string &object);

/// The same of assembly.
void prefetchToL2InAssembly(std::string &text);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_PREFETCHHINTS_H
