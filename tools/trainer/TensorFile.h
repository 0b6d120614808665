//===- TensorFile.h - A safetensors file, read --------------------------------===//

#ifndef NNC_TOOLS_TRAINER_TENSORFILE_H
#define NNC_TOOLS_TRAINER_TENSORFILE_H

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace nnc::trainer {

/// A tensor of a file, row-major.
struct Tensor {
  std::string type; ///< "F32", "I32", …
  std::vector<int64_t> shape;
  llvm::StringRef bytes;

  int64_t getCount() const;

  /// All elements as floats: from F64, F32 and every type of integers and truth
  /// values. An error names the type that it cannot read.
  llvm::Expected<std::vector<float>> readFloats() const;

  /// All elements as int32_t: from every type of integers and truth values. An
  /// error names the first value that does not fit.
  llvm::Expected<std::vector<int32_t>> readInts() const;
};

class TensorFile {
public:
  /// Reads the header and checks all of it; errors begin with the path. The data
  /// stays on the disk until it is looked at.
  static llvm::Expected<TensorFile> open(llvm::StringRef path);

  /// The tensor of this name, or null.
  const Tensor *find(llvm::StringRef name) const;

  std::vector<std::string> getNames() const;

  /// A number that another content most likely does not have.
  uint64_t getFingerprint() const;

private:
  llvm::Error readHeader(llvm::StringRef text, llvm::StringRef data);

  std::unique_ptr<llvm::MemoryBuffer> buffer;
  llvm::StringMap<Tensor> tensors;
};

} // namespace nnc::trainer

#endif // NNC_TOOLS_TRAINER_TENSORFILE_H
