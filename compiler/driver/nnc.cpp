//===- nnc.cpp - The compiler's main --------------------------------------===//

#include "compiler/driver/Compile.h"
#include "compiler/driver/Options.h"

#include "llvm/Support/InitLLVM.h"

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  llvm::setBugReportMsg(
      "nnc crashed. This is a bug of the compiler; please report it with the program and this trace.\n");
  nnc::driver::Options options;
  if (std::optional<nnc::driver::ExitCode> code = nnc::driver::parseOptions(argc, argv, options))
    return static_cast<int>(*code);
  return static_cast<int>(nnc::driver::compile(options));
}
