//===- Output.h - Where nnc writes ----------------------------------------===//

#ifndef NNC_COMPILER_DRIVER_OUTPUT_H
#define NNC_COMPILER_DRIVER_OUTPUT_H

#include "compiler/driver/Options.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

namespace nnc::driver {

/// Prints what -emit asked for: to the file given by -o, or standard output. Each
/// text comes after those before it.
llvm::Error print(const Options &options, llvm::StringRef text);

/// Says what went wrong; gives the code.
ExitCode fail(ExitCode code, llvm::Error error);

/// The same for a text that could not be made.
ExitCode printText(const Options &options, llvm::Expected<std::string> text);

/// "<folder>/<prefix><name><suffix>" in the folder given by -o.
std::string getLibraryPath(const Options &options, llvm::StringRef prefix, llvm::StringRef name,
                           llvm::StringRef suffix);

/// Makes the folder given by -o.
llvm::Error makeOutputFolder(const Options &options);

/// A rule that makes `outputs` depend on `inputs`, as make and ninja read it.
std::string makeDependencyRule(llvm::ArrayRef<std::string> outputs, llvm::ArrayRef<std::string> inputs);

} // namespace nnc::driver

#endif // NNC_COMPILER_DRIVER_OUTPUT_H
