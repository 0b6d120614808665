//===- Frontend.h - The language's stations, in MLIR's voice --------------===//

#ifndef NNC_COMPILER_DRIVER_FRONTEND_H
#define NNC_COMPILER_DRIVER_FRONTEND_H

#include "compiler/driver/Options.h"
#include "dsl/Ast.h"
#include "dsl/Check.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/ErrorOr.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

#include <string>
#include <vector>

namespace nnc::driver {

/// The text of a program, of standard input where the path is `-`. Of one that is too large, be it without an end, it
/// is as much as the front end needs to say so.
llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> readProgram(llvm::StringRef path);

/// Reports what the front end found through MLIR's diagnostics, so that every
/// error prints alike. Texts that are not files are shown from `sources`.
void report(const dsl::Diagnostics &diagnostics, mlir::MLIRContext &context, llvm::SourceMgr &sources);

/// Where a program finds layers that it does not define: files that it imports,
/// which are sought from its own folder, and the standard library. What is read
/// is added to `filesRead`, which must live as long as the library; mistakes in
/// the standard library to `diagnostics`.
llvm::Expected<dsl::Library> openLibrary(const Options &options, std::vector<std::string> &filesRead,
                                         dsl::Diagnostics &diagnostics);

/// Gives parameters of a program's networks the values that -set asks for. Values
/// that are no expressions are said in `diagnostics`; fails where no network has
/// such a parameter.
llvm::Error setParameters(const Options &options, dsl::Ast &ast, dsl::Diagnostics &diagnostics);

} // namespace nnc::driver

#endif // NNC_COMPILER_DRIVER_FRONTEND_H
