//===- Import.h - Model -> nn dialect -------------------------------------===//

#ifndef NNC_COMPILER_IMPORT_IMPORT_H
#define NNC_COMPILER_IMPORT_IMPORT_H

#include "dsl/Model.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace nnc {

/// The network as a module: its weights, `@infer`, and, where it can run one
/// step of time at a call, `@step` and `@reset` with the states between calls.
/// A Model says nothing wrong, so this cannot fail.
///
/// With `policies`, one for each train block, these stand for their own; windows need a block that has them.
mlir::OwningOpRef<mlir::ModuleOp> importNetwork(const dsl::Network &network, mlir::MLIRContext &context,
                                                llvm::ArrayRef<dsl::Bptt> policies = {});

} // namespace nnc

#endif // NNC_COMPILER_IMPORT_IMPORT_H
