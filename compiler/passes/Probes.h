//===- Probes.h - What is measured of a function's values -----------------===//

#ifndef NNC_COMPILER_PASSES_PROBES_H
#define NNC_COMPILER_PASSES_PROBES_H

#include "compiler/dialect/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace nnc {

/// `value`, with 0 past each example's end along its free dimensions. It is one of the
/// function, not of a loop in it.
mlir::Value maskPastEnd(mlir::OpBuilder &builder, mlir::func::FuncOp function, mlir::Value value);

/// A value of a loop's body, stacked over the steps of all loops around it; the value
/// itself where there is none.
mlir::Value stackOut(mlir::Value value);

/// Adds a probe to what an op of the function or of a loop computes: what read it reads
/// the sum. `symbol` is the state that the norm of the error goes to, or null.
void addProbe(mlir::func::FuncOp function, mlir::Value value, mlir::StringAttr name, mlir::FlatSymbolRefAttr symbol);

} // namespace nnc

#endif // NNC_COMPILER_PASSES_PROBES_H
