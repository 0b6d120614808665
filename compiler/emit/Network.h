//===- Network.h - The library's tables and its functions -----------------===//

#ifndef NNC_COMPILER_EMIT_NETWORK_H
#define NNC_COMPILER_EMIT_NETWORK_H

#include "compiler/emit/Interface.h"
#include "compiler/emit/KernelTable.h"

#include "mlir/IR/OwningOpRef.h"

namespace nnc::emit {

/// A safetensors file whose bytes the library carries.
struct EmbeddedFile {
  std::string path; ///< empty: none
  int64_t size = 0;
};

/// Everything of a library but its kernels, in the LLVM dialect: the run, plan,
/// state and prepare functions of a planned module, the constant nnc_network
/// that describes them, and the functions of the C header. A sanitized library
/// shows AddressSanitizer what each kernel may touch; calls on contexts of one
/// model must then not overlap. A profiled one measures each kernel.
mlir::OwningOpRef<mlir::ModuleOp> emitNetwork(mlir::ModuleOp planned, const Interface &interface,
                                              const KernelTable &kernels, const EmbeddedFile &embedded, bool sanitize,
                                              bool profile = false);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_NETWORK_H
