//===- nnc-dsl.cpp - The front end alone, for its tests -------------------===//
//
// nnc-dsl -emit=ast|model FILE STDFILE…: prints a station, or what is wrong.
//
//===----------------------------------------------------------------------===//

#include "dsl/Check.h"
#include "dsl/Parse.h"

#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

using namespace nnc::dsl;

static SourcePtr readSource(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return nullptr;
  std::stringstream text;
  text << file.rdbuf();
  return std::make_shared<Source>(Source{path, text.str()});
}

static void printDiagnostic(const char *kind, const Location &location, const std::string &message) {
  if (location.source)
    std::cerr << location.source->path << ':' << location.line << ':' << location.column << ": ";
  std::cerr << kind << ": " << message << '\n';
  if (!location.source)
    return;
  std::istringstream lines(location.source->text);
  std::string line;
  for (uint32_t i = 0; i < location.line; ++i)
    std::getline(lines, line);
  std::cerr << line << '\n' << std::string(location.column ? location.column - 1 : 0, ' ') << "^\n";
}

int main(int argc, char **argv) {
  if (argc < 3) {
    std::cerr << "usage: nnc-dsl -emit=ast|model FILE [STDFILE...]\n";
    return 2;
  }
  SourcePtr source = readSource(argv[2]);
  if (!source)
    return 3;
  Diagnostics diagnostics;
  std::unique_ptr<Ast> ast = parse(source, diagnostics);
  Library library;
  std::string folder = source->path.substr(0, source->path.find_last_of('/') + 1);
  library.import = [&](const std::string &path) { return readSource(folder + path); };
  for (int i = 3; i < argc; ++i)
    if (std::shared_ptr<const Ast> standard = parse(readSource(argv[i]), diagnostics))
      library.standard.push_back(std::move(standard));
  std::optional<Model> model;
  if (ast && std::strcmp(argv[1], "-emit=ast") == 0)
    print(*ast, std::cout);
  else if (ast && (model = check(*ast, library, diagnostics)))
    print(*model, std::cout);
  for (const Diagnostic &diagnostic : diagnostics) {
    printDiagnostic("error", diagnostic.location, diagnostic.message);
    for (const Note &note : diagnostic.notes)
      printDiagnostic("note", note.location, note.message);
  }
  return diagnostics.empty() ? 0 : 1;
}
