//===- Frontend.cpp - The language's stations, in MLIR's voice ------------===//

#include "compiler/driver/Frontend.h"

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

std::string driver::findStdFolder(const Options &options) {
  if (!options.stdFolder.empty())
    return options.stdFolder;
  llvm::SmallString<128> installed(llvm::sys::path::parent_path(llvm::sys::fs::getMainExecutable(nullptr, nullptr)));
  llvm::sys::path::append(installed, NNC_STD_INSTALLED);
  llvm::sys::path::remove_dots(installed, /*remove_dot_dot=*/true);
  return llvm::sys::fs::is_directory(installed) ? installed.str().str() : NNC_STD_SOURCE;
}
