//===- DeviceCode.cpp - The part of a kernel that a device runs -----------===//
//
// Halide puts the code for a device in a buffer of the module, which its code for the
// host hands to the runtime.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/DeviceCode.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"

#include <cstring>
#include <deque>

using namespace llvm;
using namespace nnc::emit;

/// The end of the name of the buffer.
static constexpr StringLiteral suffix = "_gpu_source_kernels";

static bool isDeviceCode(const Halide::Buffer<> &buffer) { return StringRef(buffer.name()).ends_with(suffix); }

std::string nnc::emit::getDeviceCode(const Halide::Module &module) {
  for (const Halide::Buffer<> &buffer : module.buffers())
    if (isDeviceCode(buffer)) {
      StringRef bytes(static_cast<const char *>(buffer.data()), buffer.size_in_bytes());
      return bytes.take_until([](char c) { return c == 0; }).str();
    }
  return "";
}

bool nnc::emit::hasAssembler() { return sys::findProgramByName("ptxas") && sys::findProgramByName("fatbinary"); }

namespace {

/// Files that are gone when their user is.
class TemporaryFiles {
public:
  Expected<std::string> make(StringRef suffix) {
    SmallString<128> path;
    if (std::error_code error = sys::fs::createTemporaryFile("nnc", suffix, path))
      return createStringError(error, "no temporary file can be made");
    removers.emplace_back(path);
    return path.str().str();
  }

private:
  std::deque<FileRemover> removers;
};

} // namespace

/// Runs one of NVIDIA's programs and gives what it says; its complaint is the error's.
static Expected<std::string> run(StringRef name, ArrayRef<std::string> arguments, TemporaryFiles &files) {
  auto program = sys::findProgramByName(name);
  if (!program)
    return createStringError(program.getError(), name + " is not found");
  auto complaint = files.make("txt");
  if (!complaint)
    return complaint.takeError();
  SmallVector<StringRef> words{name};
  words.append(arguments.begin(), arguments.end());
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(*complaint), StringRef(*complaint)};
  int status = sys::ExecuteAndWait(*program, words, std::nullopt, redirects);
  auto text = MemoryBuffer::getFile(*complaint);
  if (status == 0)
    return text ? (*text)->getBuffer().str() : "";
  return createStringError(name + " failed: " + (text ? (*text)->getBuffer().trim() : StringRef("no message")));
}

static Error write(StringRef path, StringRef bytes) {
  std::error_code error;
  raw_fd_ostream os(path, error);
  if (!error) {
    os << bytes;
    os.close();
    error = os.error();
    os.clear_error();
  }
  return error ? createFileError(path, error) : Error::success();
}

/// The binary of PTX for these architectures.
static Expected<std::string> assemble(StringRef ptx, const std::vector<std::string> &architectures) {
  TemporaryFiles files;
  auto source = files.make("ptx"), binary = files.make("fatbin");
  if (!source || !binary)
    return joinErrors(source.takeError(), binary.takeError());
  if (Error error = write(*source, ptx))
    return error;
  std::vector<std::string> images{"--create=" + *binary, "-64"};
  for (const std::string &architecture : architectures) {
    auto cubin = files.make("cubin");
    if (!cubin)
      return cubin.takeError();
    if (Error error = run("ptxas", {"-arch=" + architecture, "-o", *cubin, *source}, files).takeError())
      return error;
    images.push_back("--image3=kind=elf,sm=" + architecture.substr(3) + ",file=" + *cubin);
  }
  images.push_back("--image3=kind=ptx,sm=80,file=" + *source);
  if (Error error = run("fatbinary", images, files).takeError())
    return error;
  auto bytes = MemoryBuffer::getFile(*binary, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!bytes)
    return createFileError(*binary, bytes.getError());
  return (*bytes)->getBuffer().str();
}

std::vector<std::string> nnc::emit::getKnownArchitectures() {
  TemporaryFiles files;
  auto help = run("ptxas", {"--help"}, files);
  if (!help) {
    consumeError(help.takeError());
    return {};
  }
  std::vector<std::string> known;
  for (StringRef word : split(*help, '\''))
    if (StringRef number = word; number.consume_front("sm_") && all_of(number, isAlnum) && !is_contained(known, word))
      known.push_back(word.str());
  return known;
}

/// The number before a word: of "Used 40 registers" that before " registers".
static int64_t getNumberBefore(StringRef line, StringRef word) {
  StringRef before = line.take_front(line.find(word));
  int64_t number = 0;
  if (before.size() < line.size())
    before.rsplit(' ').second.getAsInteger(10, number);
  return number;
}

Expected<std::vector<DeviceResources>> nnc::emit::getDeviceResources(StringRef ptx, const std::string &architecture) {
  TemporaryFiles files;
  auto source = files.make("ptx"), cubin = files.make("cubin");
  if (!source || !cubin)
    return joinErrors(source.takeError(), cubin.takeError());
  if (Error error = write(*source, ptx))
    return error;
  auto text = run("ptxas", {"-v", "-arch=" + architecture, "-o", *cubin, *source}, files);
  if (!text)
    return text.takeError();
  std::vector<DeviceResources> functions;
  for (StringRef line : split(*text, '\n')) {
    if (line.contains("Compiling entry function"))
      functions.push_back({line.split('\'').second.split('\'').first.str()});
    if (functions.empty())
      continue;
    functions.back().registers += getNumberBefore(line, " registers");
    functions.back().shared += getNumberBefore(line, " bytes smem");
    functions.back().spills += getNumberBefore(line, " bytes spill stores");
    functions.back().spills += getNumberBefore(line, " bytes spill loads");
  }
  return functions;
}

Expected<Halide::Module> nnc::emit::assembleDeviceCode(const Halide::Module &module,
                                                       const std::vector<std::string> &architectures) {
  Expected<std::string> binary = assemble(getDeviceCode(module), architectures);
  if (!binary)
    return binary.takeError();
  Halide::Module result(module.name(), module.target());
  for (const Halide::Internal::LoweredFunc &function : module.functions())
    result.append(function);
  for (const Halide::Buffer<> &buffer : module.buffers()) {
    if (!isDeviceCode(buffer)) {
      result.append(buffer);
      continue;
    }
    Halide::Buffer<uint8_t> code(static_cast<int>(binary->size()), buffer.name());
    std::memcpy(code.data(), binary->data(), binary->size());
    result.append(code);
  }
  return result;
}
