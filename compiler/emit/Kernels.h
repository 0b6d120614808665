//===- Kernels.h - Kernels -> objects -------------------------------------===//

#ifndef NNC_COMPILER_EMIT_KERNELS_H
#define NNC_COMPILER_EMIT_KERNELS_H

#include "compiler/emit/KernelCompiler.h"
#include "compiler/emit/KernelTable.h"

#include "mlir/IR/BuiltinOps.h"

#include <vector>

namespace nnc::emit {

/// How kernels are compiled.
struct KernelOptions {
  unsigned processes = 0;                 ///< at once; 0: one a processor
  std::string cacheFolder;                ///< empty: nothing is cached
  bool sanitize = false;                  ///< have AddressSanitizer check every access
  std::vector<std::string> architectures; ///< of CUDA, that kernels are assembled for
};

/// The kernels of a planned module, with the variants that a target wants.
KernelTable tabulateKernels(mlir::ModuleOp planned, const targets::Target &target);

/// One kernel's code in a library.
struct CompiledKernel {
  std::string symbol; ///< lenet5_dense0_avx2_r8
  std::string bytes;
};

/// Compiles every kernel for every isa in every variant, in the order of the
/// table, each in a process of its own; objects that the cache has are not
/// compiled. The same bytes whatever else is compiled and in which order. A
/// kernel that cannot be compiled is an internal error, reported at the kernel.
mlir::FailureOr<std::vector<CompiledKernel>> compileKernels(mlir::ModuleOp planned, llvm::StringRef network,
                                                            const KernelTable &table, const targets::Target &target,
                                                            const KernelOptions &options);

/// The kernels as text, one after the other; an algorithm is the same for every
/// isa and variant.
mlir::FailureOr<std::string> printKernels(mlir::ModuleOp planned, llvm::StringRef network, const KernelTable &table,
                                          const targets::Target &target, KernelForm form, const KernelOptions &options);

/// A text for each slot of the table, of the last isa.
mlir::FailureOr<std::vector<std::string>> describeKernels(mlir::ModuleOp planned, llvm::StringRef network,
                                                          const KernelTable &table, const targets::Target &target,
                                                          KernelForm form, const KernelOptions &options);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_KERNELS_H
