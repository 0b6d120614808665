//===- Library.h - Objects -> archive or shared library -------------------===//

#ifndef NNC_COMPILER_EMIT_LIBRARY_H
#define NNC_COMPILER_EMIT_LIBRARY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace nnc::emit {

/// An object of a library.
struct Member {
  std::string name; ///< "lenet5_dense0_avx2.o"
  std::string bytes;
};

/// Whether a path is that of a device or a pipe, which no file may take the place of.
bool isStream(llvm::StringRef path);

/// Writes a file beside its place and renames it: there is the old file or the
/// new one, whole. To a stream the bytes are written.
llvm::Error writeFile(llvm::StringRef path, llvm::StringRef bytes);

/// The bytes of a static library, which depend on its members alone.
llvm::Expected<std::string> makeArchive(llvm::ArrayRef<Member> members);

/// Links a static library's objects to a shared library at `path` with the
/// system's `cc`. It exports what begins with the network's name, and finds the
/// runtime in `runtimeFolder`, or where the system looks when that is empty.
llvm::Error linkShared(llvm::StringRef path, llvm::StringRef archive, llvm::StringRef network,
                       llvm::StringRef runtimeFolder);

/// The folder of libnnc_runtime that belongs to this compiler, given the folder
/// of its executable; empty when there is none.
std::string findRuntimeFolder(llvm::StringRef executableFolder);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_LIBRARY_H
