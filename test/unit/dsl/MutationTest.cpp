//===- MutationTest.cpp - No text breaks the front end --------------------===//

#include "Mutator.h"

#include "dsl/Check.h"
#include "dsl/Parse.h"

#include <gtest/gtest.h>

#include <sstream>

using namespace nnc;

namespace {

/// The standard library, and files of layers and networks to import.
dsl::Library makeLibrary() {
  dsl::Library library;
  dsl::Diagnostics diagnostics;
  for (const std::string &text : test::readSeeds("dsl/std", ".nn"))
    library.standard.push_back(
        dsl::parse(std::make_shared<dsl::Source>(dsl::Source{"standard.nn", text}), diagnostics));
  EXPECT_TRUE(diagnostics.empty());
  library.import = [](const std::string &path) -> dsl::SourcePtr {
    return std::make_shared<dsl::Source>(dsl::Source{path, "layer imported(n)(x) -> y { y = x |> dense(n) }\n"});
  };
  return library;
}

std::vector<std::string> readPrograms() {
  std::vector<std::string> seeds;
  for (const char *folder : {"examples", "dsl/std", "test/dsl", "test/import"}) {
    std::vector<std::string> more = test::readSeeds(folder, ".nn");
    seeds.insert(seeds.end(), more.begin(), more.end());
  }
  return seeds;
}

/// What is wrong with a program, or the model printed.
TEST(Mutation, OfProgramsGivesModelsOrDiagnostics) {
  dsl::Library library = makeLibrary();
  size_t models = 0, wrong = 0;
  test::forEachMutation(test::Mutator(readPrograms(), ""), 10000, [&](const std::string &text) {
    dsl::Diagnostics diagnostics;
    std::ostringstream printed;
    auto source = std::make_shared<dsl::Source>(dsl::Source{"mutation.nn", text});
    std::unique_ptr<dsl::Ast> ast = dsl::parse(source, diagnostics);
    std::optional<dsl::Model> model;
    if (ast) {
      dsl::print(*ast, printed);
      model = dsl::check(*ast, library, diagnostics);
    }
    if (model)
      dsl::print(*model, printed);
    ASSERT_NE(model.has_value(), !diagnostics.empty()) << text;
    for (const dsl::Diagnostic &diagnostic : diagnostics)
      ASSERT_FALSE(diagnostic.message.empty()) << text;
    ++(model ? models : wrong);
  });
  // Both ways have been gone.
  EXPECT_GT(models, 100u);
  EXPECT_GT(wrong, 1000u);
}

} // namespace
