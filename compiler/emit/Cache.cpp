//===- Cache.cpp - Kernels compiled before --------------------------------===//
//
// The file of an entry: `magic`, then the lengths of key and value and a checksum
// of both as 64-bit little-endian numbers, then key and value.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/Cache.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

#include <algorithm>
#include <vector>

using namespace llvm;
using namespace nnc::emit;

static constexpr StringLiteral magic = "nnc-kernel-1\n";
static constexpr StringLiteral extension = ".kernel";
static constexpr size_t headerSize = magic.size() + 3 * sizeof(uint64_t);

static uint64_t getChecksum(StringRef key, StringRef value) {
  return xxh3_64bits(arrayRefFromStringRef(key)) ^ xxh3_64bits(arrayRefFromStringRef(value)) * 3;
}

std::string Cache::getPath(StringRef key) const {
  XXH128_hash_t hash = xxh3_128bits(arrayRefFromStringRef(key));
  SmallString<128> path(folder);
  sys::path::append(path, utohexstr(hash.high64, /*LowerCase=*/true, 16) + utohexstr(hash.low64, true, 16) + extension);
  return path.str().str();
}

/// The value in a file's bytes when they are an entry of this key, whole.
static std::optional<std::string> decode(StringRef bytes, StringRef key) {
  if (bytes.size() < headerSize || !bytes.starts_with(magic))
    return std::nullopt;
  auto number = [&](size_t index) {
    return support::endian::read64le(bytes.data() + magic.size() + index * sizeof(uint64_t));
  };
  StringRef rest = bytes.drop_front(headerSize);
  if (number(0) != key.size() || !rest.consume_front(key) || number(1) != rest.size() ||
      number(2) != getChecksum(key, rest))
    return std::nullopt;
  return rest.str();
}

std::optional<std::string> Cache::read(StringRef key) const {
  if (folder.empty())
    return std::nullopt;
  std::string path = getPath(key);
  int file;
  if (sys::fs::openFileForRead(path, file))
    return std::nullopt;
  auto buffer = MemoryBuffer::getOpenFile(sys::fs::convertFDToNativeFile(file), path, /*FileSize=*/-1,
                                          /*RequiresNullTerminator=*/false);
  std::optional<std::string> value;
  if (buffer)
    value = decode((*buffer)->getBuffer(), key);
  // What is used stays: trim() goes by this time.
  if (value)
    (void)sys::fs::setLastAccessAndModificationTime(file, std::chrono::system_clock::now());
  sys::Process::SafelyCloseFileDescriptor(file);
  return value;
}

void Cache::write(StringRef key, StringRef value) const {
  if (folder.empty() || sys::fs::create_directories(folder))
    return;
  std::string path = getPath(key);
  auto temporary = sys::fs::TempFile::create(path + ".%%%%%%%%.tmp");
  if (!temporary)
    return consumeError(temporary.takeError());
  raw_fd_ostream os(temporary->FD, /*shouldClose=*/false);
  char numbers[3 * sizeof(uint64_t)];
  support::endian::write64le(numbers, key.size());
  support::endian::write64le(numbers + 8, value.size());
  support::endian::write64le(numbers + 16, getChecksum(key, value));
  os << magic << StringRef(numbers, sizeof numbers) << key << value;
  os.flush();
  bool failed = os.has_error();
  os.clear_error();
  consumeError(failed ? temporary->discard() : temporary->keep(path));
}

void Cache::trim(uint64_t bytes) const {
  struct Entry {
    sys::TimePoint<> used;
    uint64_t size;
    std::string path;
  };
  if (folder.empty())
    return;
  std::vector<Entry> entries;
  uint64_t total = 0;
  std::error_code error;
  for (sys::fs::directory_iterator entry(folder, error), end; entry != end && !error; entry.increment(error)) {
    StringRef path = entry->path();
    auto status = entry->status();
    if (!status || !(path.ends_with(extension) || path.ends_with(".tmp")))
      continue;
    entries.push_back({status->getLastModificationTime(), status->getSize(), path.str()});
    total += status->getSize();
  }
  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) { return a.used < b.used; });
  for (const Entry &entry : entries) {
    if (total <= bytes)
      return;
    sys::fs::remove(entry.path);
    total -= entry.size;
  }
}

std::string Cache::getDefaultFolder() {
  SmallString<128> folder;
  if (std::optional<std::string> base = sys::Process::GetEnv("XDG_CACHE_HOME"); base && sys::path::is_absolute(*base))
    folder = *base;
  else if (std::optional<std::string> home = sys::Process::GetEnv("HOME"); home && !home->empty()) {
    folder = *home;
    sys::path::append(folder, ".cache");
  } else
    return "";
  sys::path::append(folder, "nnc");
  return folder.str().str();
}
