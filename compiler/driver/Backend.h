//===- Backend.h - A planned module -> library ----------------------------===//

#ifndef NNC_COMPILER_DRIVER_BACKEND_H
#define NNC_COMPILER_DRIVER_BACKEND_H

#include "compiler/driver/Options.h"
#include "compiler/emit/Kernels.h"

namespace nnc::driver {

/// How the command line has kernels compiled.
emit::KernelOptions getKernelOptions(const Options &options);

/// Takes a network from its planned functions through the stations up to the one
/// asked for, and prints that or writes the library. What is written is added to
/// `written`: the archive, the header, then the shared library.
ExitCode compilePlanned(mlir::ModuleOp module, const Options &options, const targets::Target &target,
                        std::vector<std::string> &written);

} // namespace nnc::driver

#endif // NNC_COMPILER_DRIVER_BACKEND_H
