//===- Frontend.cpp - The language's stations, in MLIR's voice ------------===//

#include "compiler/driver/Frontend.h"

#include "dsl/Layers.h"
#include "dsl/Parse.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Location.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace nnc;

namespace {

/// Turns locations of the front end into MLIR's, and lets their texts be shown.
class Locator {
public:
  Locator(MLIRContext &context, llvm::SourceMgr &sources) : context(context), sources(sources) {}

  Location locate(const dsl::Location &location) {
    if (!location.source)
      return UnknownLoc::get(&context);
    const dsl::Source &source = *location.source;
    if (!isKnown(source.path))
      sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(source.text, source.path), llvm::SMLoc());
    return FileLineColLoc::get(&context, source.path, location.line, location.column);
  }

private:
  bool isKnown(StringRef path) const {
    for (unsigned buffer = 1; buffer <= sources.getNumBuffers(); ++buffer)
      if (sources.getMemoryBuffer(buffer)->getBufferIdentifier() == path)
        return true;
    return false;
  }

  MLIRContext &context;
  llvm::SourceMgr &sources;
};

} // namespace

void driver::report(const dsl::Diagnostics &diagnostics, MLIRContext &context, llvm::SourceMgr &sources) {
  Locator locator(context, sources);
  for (const dsl::Diagnostic &diagnostic : diagnostics) {
    Location location = locator.locate(diagnostic.location);
    bool isError = diagnostic.severity == dsl::Diagnostic::Severity::Error;
    InFlightDiagnostic message = isError ? emitError(location) : emitWarning(location);
    message << diagnostic.message;
    for (const dsl::Note &note : diagnostic.notes)
      message.attachNote(locator.locate(note.location)) << note.message;
  }
}

/// The folder asked for, the one installed with this compiler, or the one in the
/// source tree that it was built from.
static std::string findStdFolder(const driver::Options &options) {
  if (!options.stdFolder.empty())
    return options.stdFolder;
  llvm::SmallString<128> installed(llvm::sys::path::parent_path(llvm::sys::fs::getMainExecutable(nullptr, nullptr)));
  llvm::sys::path::append(installed, NNC_STD_INSTALLED);
  llvm::sys::path::remove_dots(installed, /*remove_dot_dot=*/true);
  return llvm::sys::fs::is_directory(installed) ? installed.str().str() : NNC_STD_SOURCE;
}

/// Reads up to `limit` bytes, of a file that may be a pipe or a device.
static llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> readUpTo(llvm::sys::fs::file_t file, size_t limit,
                                                                   StringRef path) {
  llvm::SmallString<1 << 12> text;
  while (text.size() < limit) {
    size_t before = text.size();
    text.resize_for_overwrite(std::min(2 * text.capacity(), limit));
    auto read =
        llvm::sys::fs::readNativeFile(file, llvm::MutableArrayRef<char>(text.data(), text.size()).drop_front(before));
    if (!read)
      return llvm::errorToErrorCode(read.takeError());
    text.truncate(before + *read);
    if (*read == 0)
      break;
  }
  return llvm::MemoryBuffer::getMemBufferCopy(text, path);
}

static llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> readFile(StringRef path) {
  auto file = llvm::sys::fs::openNativeFileForRead(path);
  if (!file)
    return llvm::errorToErrorCode(file.takeError());
  auto text = readUpTo(*file, dsl::maxBytes + 1, path);
  if (std::error_code error = llvm::sys::fs::closeFile(*file))
    return error;
  return text;
}

llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> driver::readProgram(StringRef path) {
  return path == "-" ? readUpTo(llvm::sys::fs::getStdinHandle(), dsl::maxBytes + 1, "<stdin>") : readFile(path);
}

/// A file as a source; null when it cannot be read.
static dsl::SourcePtr readSource(const std::string &path, std::vector<std::string> &filesRead) {
  auto file = readFile(path);
  if (!file)
    return nullptr;
  filesRead.push_back(path);
  return std::make_shared<dsl::Source>(dsl::Source{path, (*file)->getBuffer().str()});
}

/// Every file of the standard library, in the order of their names.
static llvm::Expected<std::vector<std::shared_ptr<const dsl::Ast>>>
readStandard(const std::string &folder, std::vector<std::string> &filesRead, dsl::Diagnostics &diagnostics) {
  std::vector<std::string> paths;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (llvm::sys::path::extension(entry->path()) == ".nn")
      paths.push_back(entry->path());
  if (error)
    return llvm::createFileError(folder, error);
  llvm::sort(paths);
  std::vector<std::shared_ptr<const dsl::Ast>> files;
  for (const std::string &path : paths) {
    dsl::SourcePtr source = readSource(path, filesRead);
    if (!source)
      return llvm::createFileError(path, std::make_error_code(std::errc::io_error));
    if (std::shared_ptr<const dsl::Ast> ast = dsl::parse(source, diagnostics))
      files.push_back(std::move(ast));
  }
  return files;
}

llvm::Expected<dsl::Library> driver::openLibrary(const Options &options, std::vector<std::string> &filesRead,
                                                 dsl::Diagnostics &diagnostics) {
  auto standard = readStandard(findStdFolder(options), filesRead, diagnostics);
  if (!standard)
    return standard.takeError();
  dsl::Library library;
  library.standard = std::move(*standard);
  library.import = [&](const std::string &path) {
    llvm::SmallString<128> full(llvm::sys::path::parent_path(options.input));
    if (llvm::sys::path::is_absolute(path))
      full = path;
    else
      llvm::sys::path::append(full, path);
    return readSource(full.str().str(), filesRead);
  };
  return library;
}

/// Gives the parameter of that name, in each network that has it, a value of its
/// own copy of the text; whether there was one.
static bool setParameter(StringRef name, StringRef value, dsl::Ast &ast, dsl::Diagnostics &diagnostics) {
  bool isKnown = false;
  std::string text = ("network set(" + name + " = " + value + ") {}").str();
  for (dsl::NetworkDecl &network : ast.networks)
    for (dsl::ParamDecl &param : network.params) {
      if (param.name != name)
        continue;
      // A value that is wrong is said once.
      std::unique_ptr<dsl::Ast> parsed;
      if (!isKnown || diagnostics.empty())
        parsed = dsl::parse(std::make_shared<dsl::Source>(dsl::Source{"-set", text}), diagnostics);
      if (parsed && parsed->networks.size() == 1 && parsed->networks[0].params.size() == 1)
        param.value = std::move(parsed->networks[0].params[0].value);
      isKnown = true;
    }
  return isKnown;
}

llvm::Error driver::setParameters(const Options &options, dsl::Ast &ast, dsl::Diagnostics &diagnostics) {
  for (const auto &[name, value] : options.parameters) {
    if (setParameter(name, value, ast, diagnostics))
      continue;
    std::vector<std::string> known;
    for (const dsl::NetworkDecl &network : ast.networks)
      for (const dsl::ParamDecl &param : network.params)
        known.push_back(param.name);
    std::string near = dsl::suggest(name, known);
    return llvm::createStringError("no network of " + options.input + " has a parameter '" + name + "'" +
                                   (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
  return llvm::Error::success();
}
