//===- Work.h - How much a kernel computes --------------------------------===//

#ifndef NNC_COMPILER_EMIT_WORK_H
#define NNC_COMPILER_EMIT_WORK_H

#include "compiler/dialect/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>
#include <string>

namespace nnc::emit {

/// Floating-point operations as a sum: by product of lengths ("T*batch"), how
/// many for each unit of it. A multiplication with an addition counts as two,
/// every other element computed as one.
using Work = std::map<std::string, int64_t>;

/// A product of a kernel's own extents d0, d1, … as one of the caller's lengths,
/// given what the caller passes for them.
std::string getCallerProduct(llvm::StringRef product, mlir::ArrayAttr extents);

/// The work of one call of a kernel, in the caller's lengths.
Work getWork(nn::LaunchOp launch, nn::KernelOp kernel);

/// The bytes of all operands and results of a call of a kernel, each counted once: by
/// product of the caller's lengths.
Work getTraffic(nn::LaunchOp launch);

/// The work of all kernels of a planned function, those in loops as often as
/// they run.
Work getWork(mlir::func::FuncOp function);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_WORK_H
