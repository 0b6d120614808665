//===- nnc.cpp - The compiler's main --------------------------------------===//

#include "compiler/driver/Compile.h"
#include "compiler/driver/Options.h"
#include "compiler/driver/Output.h"

#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"

using namespace nnc::driver;

/// What is still to be printed may find no room.
static ExitCode finish(ExitCode code) {
  llvm::outs().flush();
  std::error_code error = llvm::outs().error();
  if (!error)
    return code;
  llvm::outs().clear_error();
  return fail(ExitCode::InputOutput, llvm::createFileError("standard output", error));
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  llvm::setBugReportMsg(
      "nnc crashed. This is a bug of the compiler; please report it with the program and this trace.\n");
  Options options;
  std::optional<ExitCode> code = parseOptions(argc, argv, options);
  return static_cast<int>(finish(code ? *code : compile(options)));
}
