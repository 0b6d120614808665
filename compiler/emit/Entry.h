//===- Entry.h - Planned functions -> LLVM dialect ------------------------===//

#ifndef NNC_COMPILER_EMIT_ENTRY_H
#define NNC_COMPILER_EMIT_ENTRY_H

#include "compiler/emit/Code.h"
#include "compiler/emit/KernelTable.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"

namespace nnc::emit {

/// Where errors at run time come from: code i + 1 stands for texts[i].
class ErrorTexts {
public:
  /// The code for a failure of what stands at this location.
  int32_t getCode(mlir::Location location);
  llvm::ArrayRef<std::string> getTexts() const { return texts; }

private:
  std::vector<std::string> texts;
};

/// What the functions of one library share while they are written.
struct EntryContext {
  const Interface &interface;
  const KernelTable &kernels;
  mlir::ModuleOp source; ///< planned
  mlir::ModuleOp module; ///< LLVM dialect
  bool sanitize;         ///< show AddressSanitizer what each kernel may touch
  bool profile;          ///< let the runtime measure each kernel
  ErrorTexts errors;
  llvm::SetVector<mlir::Operation *> launches; ///< that are measured
};

/// The symbol of the table of kernels, which has a row for each isa.
std::string getKernelTableName(const Interface &interface);

/// Writes `static int32_t <network>_<function>_run(const nnc_frame *)`, which
/// computes a planned function: kernels in order, time loops as loops.
///
/// A function without a plan of its own (`@prepare`, `@reset`) counts the offsets
/// of its arenas itself.
mlir::LLVM::LLVMFuncOp emitRun(EntryContext &context, mlir::func::FuncOp function, bool hasPlan);

/// Writes `static void <network>_<function>_plan(const int64_t *dims, int64_t *offsets)`:
/// the offset of each arena and, last, their whole size, in which @reset fits
/// too. The size is negative when a value would take 2 GiB or more, on a device
/// have 2^31 elements or more, which kernels cannot address.
mlir::LLVM::LLVMFuncOp emitPlan(EntryContext &context, mlir::func::FuncOp function);

/// Writes `static int64_t <network><suffix>(const int64_t *dims)`, the bytes of
/// these states.
mlir::LLVM::LLVMFuncOp emitStateSize(EntryContext &context, llvm::ArrayRef<nn::StateOp> states, llvm::StringRef suffix);

/// Writes `static double <network>_<train>_rate(double step, double epoch)`.
mlir::LLVM::LLVMFuncOp emitRate(EntryContext &context, const Train &train);

/// One stretch of a function's workspace, from its `nn.arenas`.
struct Arena {
  std::string unit; ///< the product of lengths that its size is proportional to
  int64_t bytes;    ///< for one unit
};
llvm::SmallVector<Arena> getArenas(mlir::func::FuncOp function);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_ENTRY_H
