//===- Library.cpp - Objects -> archive or shared library -----------------===//

#include "compiler/emit/Library.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace nnc::emit;

bool nnc::emit::isStream(StringRef path) {
  sys::fs::file_status status;
  return !sys::fs::status(path, status) && sys::fs::exists(status) &&
         status.type() != sys::fs::file_type::regular_file && status.type() != sys::fs::file_type::directory_file;
}

static Error writeStream(StringRef path, StringRef bytes) {
  std::error_code error;
  raw_fd_ostream os(path, error, sys::fs::CD_OpenExisting, sys::fs::FA_Write, sys::fs::OF_None);
  if (!error) {
    os << bytes;
    os.flush();
    error = os.error();
    os.clear_error();
  }
  return error ? createFileError(path, error) : Error::success();
}

Error nnc::emit::writeFile(StringRef path, StringRef bytes) {
  if (isStream(path))
    return writeStream(path, bytes);
  SmallString<128> target; // a link stays one
  if (sys::fs::is_symlink_file(path) && !sys::fs::real_path(path, target))
    path = target;
  auto temporary = sys::fs::TempFile::create(path + ".%%%%%%%%.tmp");
  if (!temporary)
    return createFileError(path, temporary.takeError());
  raw_fd_ostream os(temporary->FD, /*shouldClose=*/false);
  os << bytes;
  os.flush();
  if (std::error_code error = os.error()) {
    os.clear_error();
    consumeError(temporary->discard());
    return createFileError(path, error);
  }
  // Temporary files are private; what a user asked for is as any new file.
  (void)sys::fs::setPermissions(temporary->FD, static_cast<sys::fs::perms>(0666 & ~sys::fs::getUmask()));
  if (Error error = temporary->keep(path))
    return createFileError(path, std::move(error));
  return Error::success();
}

Expected<std::string> nnc::emit::makeArchive(ArrayRef<Member> members) {
  std::vector<NewArchiveMember> list;
  for (const Member &member : members)
    list.emplace_back(MemoryBufferRef(member.bytes, member.name));
  auto archive = writeArchiveToBuffer(list, SymtabWritingMode::NormalSymtab, object::Archive::K_GNU,
                                      /*Deterministic=*/true, /*Thin=*/false);
  if (!archive)
    return archive.takeError();
  return (*archive)->getBuffer().str();
}

//===----------------------------------------------------------------------===//
// Shared libraries
//===----------------------------------------------------------------------===//

std::string nnc::emit::findRuntimeFolder(StringRef executableFolder) {
  for (StringRef relative : split(NNC_RUNTIME_FOLDERS, ':')) {
    SmallString<128> folder(executableFolder);
    sys::path::append(folder, relative);
    sys::path::remove_dots(folder, /*remove_dot_dot=*/true);
    if (sys::fs::exists(folder + "/libnnc_runtime.so") || sys::fs::exists(folder + "/libnnc_runtime.a"))
      return folder.str().str();
  }
  return "";
}

namespace {

/// A file that is there as long as this.
class TemporaryFile {
public:
  static Expected<TemporaryFile> create(StringRef suffix, StringRef text) {
    SmallString<128> path;
    if (std::error_code error = sys::fs::createTemporaryFile("nnc", suffix, path))
      return createFileError(path, error);
    TemporaryFile file(path);
    std::error_code error;
    raw_fd_ostream os(path, error);
    if (!error) {
      os << text;
      os.close();
      error = os.error();
      os.clear_error();
    }
    if (error)
      return createFileError(path, error);
    return file;
  }

  StringRef getPath() const { return path; }

private:
  explicit TemporaryFile(StringRef path) : path(path.str()), remover(std::make_unique<FileRemover>(path)) {}
  std::string path;
  std::unique_ptr<FileRemover> remover;
};

} // namespace

Error nnc::emit::linkShared(StringRef path, StringRef archive, StringRef network, StringRef runtimeFolder) {
  auto compiler = sys::findProgramByName("cc");
  if (!compiler)
    return createStringError(compiler.getError(), "-shared needs the system's compiler, cc, to link");
  auto objects = TemporaryFile::create("a", archive);
  auto script = TemporaryFile::create("map", ("{ global: " + network + "_*; local: *; };\n").str());
  auto messages = TemporaryFile::create("txt", "");
  for (auto *file : {&objects, &script, &messages})
    if (!*file)
      return file->takeError();

  SmallString<128> output;
  sys::fs::createUniquePath(path + ".%%%%%%%%.tmp", output, /*MakeAbsolute=*/false);
  FileRemover remover(output); // it is gone by then, unless something fails
  std::string soname = ("-Wl,-soname," + sys::path::filename(path)).str();
  std::string version = ("-Wl,--version-script=" + script->getPath()).str();
  std::string search = ("-L" + runtimeFolder).str(), rpath = ("-Wl,-rpath," + runtimeFolder).str();
  SmallVector<StringRef> arguments{*compiler, "-shared", "-o", output, soname, version};
  arguments.append({"-Wl,--whole-archive", objects->getPath(), "-Wl,--no-whole-archive"});
  if (!runtimeFolder.empty())
    arguments.append({search, rpath});
  arguments.append({"-lnnc_runtime", "-lpthread", "-lm"});

  std::optional<StringRef> redirects[] = {StringRef(), messages->getPath(), messages->getPath()};
  if (sys::ExecuteAndWait(*compiler, arguments, /*Env=*/std::nullopt, redirects) != 0) {
    auto text = MemoryBuffer::getFile(messages->getPath());
    return createStringError("cc cannot link " + path + (text ? ":\n" + (*text)->getBuffer().rtrim() : Twine()));
  }
  if (std::error_code error = sys::fs::rename(output, path))
    return createFileError(path, error);
  return Error::success();
}
