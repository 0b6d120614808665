//===- Frontend.h - The language's stations, in MLIR's voice --------------===//

#ifndef NNC_COMPILER_DRIVER_FRONTEND_H
#define NNC_COMPILER_DRIVER_FRONTEND_H

#include "compiler/driver/Options.h"
#include "dsl/Diagnostic.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/SourceMgr.h"

namespace nnc::driver {

/// Reports what the front end found through MLIR's diagnostics, so that every
/// error prints alike. Texts that are not files are shown from `sources`.
void report(const dsl::Diagnostics &diagnostics, mlir::MLIRContext &context, llvm::SourceMgr &sources);

/// The folder of the standard library: the one asked for, the one installed with
/// this compiler, or the one in the source tree that it was built from.
std::string findStdFolder(const Options &options);

} // namespace nnc::driver

#endif // NNC_COMPILER_DRIVER_FRONTEND_H
