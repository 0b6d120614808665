//===- Api.h - The functions of the C header ------------------------------===//

#ifndef NNC_COMPILER_EMIT_API_H
#define NNC_COMPILER_EMIT_API_H

#include "compiler/emit/Code.h"

namespace nnc::emit {

/// Writes what the header declares, <network>_create, <network>_infer and so on:
/// each packs its arguments into arrays and calls the runtime.
void emitApi(mlir::ModuleOp module, const Interface &interface);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_API_H
