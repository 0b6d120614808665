//===- KernelCompiler.cpp - One kernel through Halide ---------------------===//
//
// The one place where Halide's exceptions are caught.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/KernelCompiler.h"

#include "compiler/emit/DeviceCode.h"
#include "compiler/emit/PrefetchHints.h"
#include "compiler/emit/Schedule.h"
#include "compiler/emit/StackUse.h"
#include "compiler/halide/Algorithm.h"
#include "targets/InPlace.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"

#include <sstream>

using namespace nnc;
using namespace nnc::emit;

namespace {

/// Makes an exception of what Halide would print.
class Reporter : public Halide::CompileTimeErrorReporter {
public:
  void warning(const char *message) override {
    // Checks are compiled out: such a kernel would compute garbage.
    if (llvm::StringRef(message).contains("guaranteed to fail"))
      throw Halide::CompileError(message);
  }
  [[noreturn]] void error(const char *message) override { throw Halide::CompileError(message); }
};

} // namespace

/// "name(c, x) = …", then its updates.
static void printFunc(std::ostream &os, const Halide::Func &func) {
  auto printDefinition = [&](const std::vector<Halide::Expr> &arguments, const Halide::Tuple &values) {
    os << "  " << func.name() << '(';
    for (size_t i = 0; i < arguments.size(); ++i)
      os << (i ? ", " : "") << arguments[i];
    os << ") =";
    for (const Halide::Expr &value : values.as_vector())
      os << ' ' << value;
    os << '\n';
  };
  std::vector<Halide::Var> vars = func.args();
  printDefinition(std::vector<Halide::Expr>(vars.begin(), vars.end()), func.values());
  for (int i = 0; i < func.num_update_definitions(); ++i)
    printDefinition(func.update_args(i), func.update_values(i));
}

/// Every Func of a kernel before those that call it.
static std::string printAlgorithm(const targets::Group &group, const std::string &symbol) {
  std::ostringstream os;
  os << symbol << ":\n";
  Halide::Internal::Function out = group.out.func.function();
  auto environment = Halide::Internal::build_environment({out});
  for (const std::string &name : Halide::Internal::topological_order({out}, environment))
    printFunc(os, Halide::Func(environment.at(name)));
  return os.str();
}

static llvm::Expected<std::string> writeAssembly(const Halide::Module &module) {
  llvm::SmallString<128> path;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("nnc", "s", path))
    return llvm::createStringError(error, "no temporary file can be made");
  llvm::FileRemover remover(path);
  module.compile({{Halide::OutputFileType::assembly, path.str().str()}});
  auto text = llvm::MemoryBuffer::getFile(path);
  if (!text)
    return llvm::createStringError(text.getError(), "the temporary file cannot be read");
  std::string assembly = (*text)->getBuffer().str();
  prefetchToL2InAssembly(assembly);
  return assembly;
}

static llvm::Expected<std::string> write(const targets::Group &group, const std::string &symbol,
                                         const targets::Isa &isa, KernelForm form) {
  Halide::Module module = targets::makePipeline(group).compile_to_module(group.arguments, symbol, isa.target,
                                                                         Halide::LinkageType::External);
  if (form == KernelForm::Loops) {
    std::ostringstream os;
    for (const Halide::Internal::LoweredFunc &function : module.functions())
      os << function;
    return os.str();
  }
  if (form == KernelForm::Device)
    return getDeviceCode(module);
  if (llvm::Error error = checkStackUse(module))
    return error;
  if (!isa.architectures.empty()) {
    llvm::Expected<Halide::Module> assembled = assembleDeviceCode(module, isa.architectures);
    if (!assembled)
      return assembled.takeError();
    module = std::move(*assembled);
  }
  if (form == KernelForm::Assembly)
    return writeAssembly(module);
  Halide::Buffer<uint8_t> object = module.compile_to_buffer();
  std::string bytes(reinterpret_cast<const char *>(object.data()), object.size_in_bytes());
  if (llvm::Error error = prefetchToL2(bytes))
    return error;
  return bytes;
}

llvm::Expected<std::string> emit::compileKernel(nn::KernelOp kernel, const targets::Target &target,
                                                const targets::Isa &isa, int64_t minRows, KernelForm form) {
  static Reporter reporter;
  Halide::set_custom_compile_time_error_reporter(&reporter);
  std::string symbol = kernel.getSymName().str();
  try {
    targets::Group group = buildAlgorithm(kernel, symbol, target.device() != targets::Device::Host);
    if (form == KernelForm::Algorithm)
      return printAlgorithm(group, symbol);
    target.schedule(group, isa, minRows);
    if (!group.inPlace.empty())
      targets::computeInPlace(group);
    if (form == KernelForm::Schedule)
      return printSchedule(group, symbol, isa);
    return write(group, symbol, isa, form);
  } catch (const Halide::Error &error) {
    return llvm::createStringError(llvm::StringRef(error.what()).trim());
  } catch (const std::exception &error) {
    return llvm::createStringError(error.what());
  }
}
