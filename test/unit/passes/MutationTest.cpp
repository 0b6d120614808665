//===- MutationTest.cpp - No module breaks the verifiers and passes -------===//

#include "Mutator.h"

#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace nnc;

namespace {

/// The modules of files that hold several.
std::vector<std::string> readModules() {
  std::vector<std::string> seeds;
  for (const char *folder : {"test/dialect", "test/passes", "test/emit"})
    for (const std::string &file : test::readSeeds(folder, ".mlir")) {
      llvm::SmallVector<llvm::StringRef> parts;
      llvm::StringRef(file).split(parts, "// -----");
      for (llvm::StringRef part : parts)
        seeds.push_back(part.str());
    }
  return seeds;
}

/// A module that is well formed comes through every pass, or a pass says why not.
TEST(Mutation, OfModulesGivesPlansOrDiagnostics) {
  size_t planned = 0, wrong = 0;
  test::forEachMutation(test::Mutator(readModules(), "%@!#"), 1000, [&](const std::string &text) {
    DialectRegistry registry;
    registry.insert<nn::NNDialect, func::FuncDialect>();
    MLIRContext context(registry, MLIRContext::Threading::DISABLED);
    size_t errors = 0;
    ScopedDiagnosticHandler count(&context, [&](Diagnostic &diagnostic) {
      errors += diagnostic.getSeverity() == DiagnosticSeverity::Error;
      return success();
    });
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
    bool isPlanned = false;
    // The parser gives a module even where a sign that it does not know made it complain.
    if (module && errors == 0) {
      PassManager passes(&context);
      buildPipeline(
          passes, Station::Planned,
          {[](nn::Family, int64_t) { return 16; },
           [](const ConvSize &size) { return size.inputs % 2 == 0 ? ConvForm::TilesOfTransformed : ConvForm::Tiles; }});
      isPlanned = succeeded(passes.run(*module));
    }
    ASSERT_NE(isPlanned, errors > 0) << text;
    ++(isPlanned ? planned : wrong);
  });
  // Both ways have been gone.
  EXPECT_GT(planned, 20u);
  EXPECT_GT(wrong, 100u);
}

} // namespace
