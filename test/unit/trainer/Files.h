//===- Files.h - Folders and data sets of a test's own --------------------===//

#ifndef NNC_TEST_UNIT_TRAINER_FILES_H
#define NNC_TEST_UNIT_TRAINER_FILES_H

#include "tools/trainer/DataSet.h"

#include <map>
#include <string>
#include <variant>
#include <vector>

namespace nnc::test {

/// A folder that goes when the test ends.
class Folder {
public:
  Folder();
  ~Folder();
  std::string operator/(const std::string &name) const { return path + "/" + name; }

  std::string path;
};

using Floats = std::vector<float>;
using Ints = std::vector<int32_t>;

/// A tensor to write.
struct Given {
  std::vector<int64_t> shape;
  std::variant<Floats, Ints, std::vector<uint8_t>, std::vector<int64_t>> values;
};

std::string readText(const std::string &path);
void writeText(const std::string &path, const std::string &text);
void writeTensors(const std::string &path, const std::map<std::string, Given> &tensors);

/// A safetensors file with this header and data.
std::string makeFile(const std::string &header, const std::string &data);

/// An argument of this shape: "T" or "W" are free dimensions 0 and 1, others are
/// extents.
trainer::Argument makeArgument(const std::string &name, const std::vector<std::string> &shape, int64_t classes = 0);

/// name[T <= 9] : class[5], x[T][2] -> scores[3], label : class[3].
trainer::Signature makeNames();

/// The error's text, or "" when there is none.
template <typename T> std::string getError(llvm::Expected<T> value) {
  return value ? "" : llvm::toString(value.takeError());
}

} // namespace nnc::test

#endif // NNC_TEST_UNIT_TRAINER_FILES_H
