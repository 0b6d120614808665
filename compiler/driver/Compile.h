//===- Compile.h - A source file -> libraries -----------------------------===//

#ifndef NNC_COMPILER_DRIVER_COMPILE_H
#define NNC_COMPILER_DRIVER_COMPILE_H

#include "compiler/driver/Options.h"

namespace nnc::driver {

/// Takes a program through the stations up to the one asked for, and writes what
/// leaves it. Says on standard error what is wrong.
ExitCode compile(const Options &options);

} // namespace nnc::driver

#endif // NNC_COMPILER_DRIVER_COMPILE_H
