//===- Reports.h - What is said of a program instead of compiling it ------===//

#ifndef NNC_COMPILER_DRIVER_REPORTS_H
#define NNC_COMPILER_DRIVER_REPORTS_H

#include "compiler/driver/Options.h"
#include "compiler/explain/Explain.h"

namespace nnc::driver {

/// Fails where a length that the command line gives is none of a network's.
llvm::Error checkLengths(const Options &options, const dsl::Model &model);

/// Prints the report that -explain asks for. Warnings are kept back: what is wrong with a program is said when it is
/// compiled.
ExitCode explainNetwork(const dsl::Network &network, const Options &options, mlir::MLIRContext &context,
                        const targets::Target &target, const emit::KernelOptions &kernels, explain::Planner plan);

/// Prints the train blocks of a network unfolded in time, which fixes its lengths.
ExitCode unfoldNetwork(dsl::Network &network, const Options &options, mlir::MLIRContext &context);

} // namespace nnc::driver

#endif // NNC_COMPILER_DRIVER_REPORTS_H
