//===- Output.cpp - Where nnc writes --------------------------------------===//

#include "compiler/driver/Output.h"

#include "compiler/emit/Library.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace nnc;
using namespace nnc::driver;

Error driver::print(const Options &options, StringRef text) {
  if (!options.output.empty() && options.output != "-") {
    if (emit::isStream(options.output))
      return emit::writeFile(options.output, text);
    static std::string all; // of a file's several networks
    all += text;
    return emit::writeFile(options.output, all);
  }
  outs() << text;
  outs().flush();
  if (std::error_code error = outs().error()) {
    outs().clear_error();
    return createFileError("standard output", error);
  }
  return Error::success();
}

ExitCode driver::fail(ExitCode code, Error error) {
  WithColor::error(errs(), "nnc") << toString(std::move(error)) << '\n';
  return code;
}

ExitCode driver::printText(const Options &options, Expected<std::string> text) {
  if (!text)
    return fail(ExitCode::Internal, text.takeError());
  if (Error error = print(options, *text))
    return fail(ExitCode::InputOutput, std::move(error));
  return ExitCode::Success;
}

std::string driver::getLibraryPath(const Options &options, StringRef prefix, StringRef name, StringRef suffix) {
  SmallString<128> path(options.output);
  sys::path::append(path, prefix + name + suffix);
  return path.str().str();
}

Error driver::makeOutputFolder(const Options &options) {
  if (options.output.empty())
    return Error::success();
  if (std::error_code error = sys::fs::create_directories(options.output, /*IgnoreExisting=*/true, sys::fs::all_all))
    return createFileError(options.output, error);
  return Error::success();
}

static std::string escape(StringRef path) {
  std::string escaped;
  for (char c : path) {
    if (c == ' ' || c == '#' || c == '\\')
      escaped += '\\';
    if (c == '$')
      escaped += '$';
    escaped += c;
  }
  return escaped;
}

std::string driver::makeDependencyRule(ArrayRef<std::string> outputs, ArrayRef<std::string> inputs) {
  std::string rule;
  for (const std::string &output : outputs)
    rule += (rule.empty() ? "" : " ") + escape(output);
  rule += ":";
  for (const std::string &input : inputs)
    rule += " \\\n  " + escape(input);
  return rule + "\n";
}
