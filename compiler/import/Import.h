//===- Import.h - Model -> nn dialect -------------------------------------===//

#ifndef NNC_COMPILER_IMPORT_IMPORT_H
#define NNC_COMPILER_IMPORT_IMPORT_H

#include "dsl/Model.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace nnc {

/// What is wanted of a network besides what its program says.
struct ImportOptions {
  /// One for each train block, which stand for their own; windows need a block that has them.
  llvm::ArrayRef<dsl::Bptt> policies;
  /// Training records statistics of its layers, and for each train block there is
  /// `@<name>_flow`, which measures how errors flow back (MeasureFlow). Sequences are
  /// gone through as a whole there; checkpoints are not kept in either.
  bool gradientStatistics = false;
};

/// The network as a module: its weights, `@infer`, and, where it can run one
/// step of time at a call, `@step` and `@reset` with the states between calls.
/// A Model says nothing wrong, so this cannot fail.
mlir::OwningOpRef<mlir::ModuleOp> importNetwork(const dsl::Network &network, mlir::MLIRContext &context,
                                                const ImportOptions &options = {});

} // namespace nnc

#endif // NNC_COMPILER_IMPORT_IMPORT_H
