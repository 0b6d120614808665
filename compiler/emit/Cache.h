//===- Cache.h - Kernels compiled before ----------------------------------===//

#ifndef NNC_COMPILER_EMIT_CACHE_H
#define NNC_COMPILER_EMIT_CACHE_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>
#include <string>

namespace nnc::emit {

/// Bytes by key, on disk. Any number of compilers may use one folder at once: an
/// entry is written beside its place and renamed. An entry holds its key and a
/// checksum; one that is damaged is as good as none. Nothing here is an error:
/// a folder that cannot be written caches nothing.
class Cache {
public:
  /// An empty folder: nothing is cached.
  explicit Cache(std::string folder) : folder(std::move(folder)) {}

  std::optional<std::string> read(llvm::StringRef key) const;
  void write(llvm::StringRef key, llvm::StringRef value) const;

  /// Removes the entries that have not been used for the longest time until at
  /// most `bytes` are left.
  void trim(uint64_t bytes) const;

  /// $XDG_CACHE_HOME/nnc, or ~/.cache/nnc; empty when there is no home.
  static std::string getDefaultFolder();

private:
  std::string getPath(llvm::StringRef key) const;

  std::string folder;
};

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_CACHE_H
