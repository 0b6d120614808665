//===- Codegen.h - LLVM dialect -> object ---------------------------------===//

#ifndef NNC_COMPILER_EMIT_CODEGEN_H
#define NNC_COMPILER_EMIT_CODEGEN_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <string>

namespace nnc::emit {

/// What code is written as.
enum class CodeForm { LLVM, Assembly, Object };

/// Optimizes a module of the LLVM dialect (0 to 3) and writes it for any x86-64
/// processor, position-independent, with every access checked by AddressSanitizer
/// where it is to be sanitized.
llvm::Expected<std::string> generateCode(mlir::ModuleOp module, unsigned optimization, bool sanitize, CodeForm form);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_CODEGEN_H
