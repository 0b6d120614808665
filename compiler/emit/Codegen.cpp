//===- Codegen.cpp - LLVM dialect -> object -------------------------------===//

#include "compiler/emit/Codegen.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/Transforms/Instrumentation/AddressSanitizer.h"

using namespace mlir;
using namespace nnc::emit;

static constexpr llvm::StringLiteral tripleName = "x86_64-unknown-linux-gnu";

static std::unique_ptr<llvm::TargetMachine> createMachine(unsigned optimization) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeX86AsmParser(); // for the directive that embeds a file
  llvm::Triple triple(tripleName);
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  assert(target && "x86 has just been initialized");
  auto level = optimization == 0 ? llvm::CodeGenOptLevel::None : llvm::CodeGenOptLevel::Default;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, "x86-64", /*Features=*/"", llvm::TargetOptions(), llvm::Reloc::PIC_, std::nullopt, level));
}

/// Optimizes a module; in the end every access is checked where it is to be sanitized.
static void optimize(llvm::Module &module, llvm::TargetMachine &machine, unsigned optimization, bool sanitize) {
  static const llvm::OptimizationLevel levels[] = {llvm::OptimizationLevel::O0, llvm::OptimizationLevel::O1,
                                                   llvm::OptimizationLevel::O2, llvm::OptimizationLevel::O3};
  llvm::OptimizationLevel level = levels[std::min(optimization, 3u)];
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager cgscc;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(cgscc);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, cgscc, modules);
  auto passes =
      optimization == 0 ? builder.buildO0DefaultPipeline(level) : builder.buildPerModuleDefaultPipeline(level);
  if (sanitize) {
    for (llvm::Function &function : module)
      if (!function.isDeclaration())
        function.addFnAttr(llvm::Attribute::SanitizeAddress);
    passes.addPass(llvm::AddressSanitizerPass(llvm::AddressSanitizerOptions()));
  }
  passes.run(module, modules);
}

llvm::Expected<std::string> nnc::emit::generateCode(ModuleOp module, unsigned optimization, bool sanitize,
                                                    CodeForm form) {
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(optimization);
  auto setText = [&](StringRef name, StringRef text) {
    module->setAttr(name, StringAttr::get(module.getContext(), text));
  };
  setText(LLVM::LLVMDialect::getTargetTripleAttrName(), tripleName);
  setText(LLVM::LLVMDialect::getDataLayoutAttrName(), machine->createDataLayout().getStringRepresentation());
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code = translateModuleToLLVMIR(module, context, module.getName().value_or("nnc"));
  if (!code)
    return llvm::createStringError("the LLVM dialect could not be translated");

  code->setPICLevel(llvm::PICLevel::BigPIC);
  optimize(*code, *machine, optimization, sanitize);

  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream os(bytes);
  if (form == CodeForm::LLVM) {
    code->print(os, /*AAW=*/nullptr);
    return bytes.str().str();
  }
  llvm::legacy::PassManager passes;
  auto type = form == CodeForm::Assembly ? llvm::CodeGenFileType::AssemblyFile : llvm::CodeGenFileType::ObjectFile;
  if (machine->addPassesToEmitFile(passes, os, /*DwoOut=*/nullptr, type))
    return llvm::createStringError("x86-64 code cannot be written here");
  passes.run(*code);
  return bytes.str().str();
}
