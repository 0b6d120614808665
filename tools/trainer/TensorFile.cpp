//===- TensorFile.cpp - A safetensors file, read ------------------------------===//
//
// Eight bytes give the length of the header, a JSON object with type, shape and
// place of each tensor; the data follows.
//
//===----------------------------------------------------------------------===//

#include "TensorFile.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/xxhash.h"

#include <limits>

using namespace llvm;
using namespace nnc::trainer;

/// Bounds what a hostile header can cost.
static constexpr uint64_t MaxHeader = 1 << 20;
static constexpr int MaxNesting = 8;

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

/// Bytes of an element, or 0 for a type that is not known.
static int64_t getSize(StringRef type) {
  static const std::pair<StringRef, int64_t> sizes[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},
                                                        {"U64", 8}, {"I32", 4}, {"U32", 4}, {"I16", 2},  {"U16", 2},
                                                        {"I8", 1},  {"U8", 1},  {"BOOL", 1}};
  for (const auto &[name, size] : sizes)
    if (name == type)
      return size;
  return 0;
}

int64_t Tensor::getCount() const {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

/// Hands every element of type T to `take`, until it gives false.
template <typename T> static bool forEach(StringRef bytes, function_ref<bool(T)> take) {
  for (size_t at = 0; at < bytes.size(); at += sizeof(T))
    if (!take(support::endian::read<T>(bytes.data() + at, endianness::little)))
      return false;
  return true;
}

/// Appends every element to `values`. Gives false, and the value that does not
/// fit, when there is one.
template <typename T, typename To> static bool appendAll(StringRef bytes, std::vector<To> &values, std::string &bad) {
  return forEach<T>(bytes, [&](T value) {
    if constexpr (std::is_integral_v<To>) {
      using Limits = std::numeric_limits<To>;
      bool fits = std::is_signed_v<T>
                      ? static_cast<int64_t>(value) >= Limits::min() && static_cast<int64_t>(value) <= Limits::max()
                      : static_cast<uint64_t>(value) <= static_cast<uint64_t>(Limits::max());
      if (!fits) {
        bad = std::to_string(value);
        return false;
      }
    }
    values.push_back(static_cast<To>(value));
    return true;
  });
}

/// The same for a tensor of integers or truth values. Nothing when it has
/// others.
template <typename To>
static std::optional<bool> appendInts(const Tensor &tensor, std::vector<To> &values, std::string &bad) {
  StringRef type = tensor.type, bytes = tensor.bytes;
  if (type == "I64")
    return appendAll<int64_t>(bytes, values, bad);
  if (type == "U64")
    return appendAll<uint64_t>(bytes, values, bad);
  if (type == "I32")
    return appendAll<int32_t>(bytes, values, bad);
  if (type == "U32")
    return appendAll<uint32_t>(bytes, values, bad);
  if (type == "I16")
    return appendAll<int16_t>(bytes, values, bad);
  if (type == "U16")
    return appendAll<uint16_t>(bytes, values, bad);
  if (type == "I8")
    return appendAll<int8_t>(bytes, values, bad);
  if (type == "U8" || type == "BOOL")
    return appendAll<uint8_t>(bytes, values, bad);
  return std::nullopt;
}

Expected<std::vector<float>> Tensor::readFloats() const {
  std::vector<float> values;
  values.reserve(getCount());
  std::string bad;
  if (type == "F32")
    appendAll<float>(bytes, values, bad);
  else if (type == "F64")
    appendAll<double>(bytes, values, bad);
  else if (!appendInts(*this, values, bad))
    return createStringError("is of type " + type + ", which is not read as numbers; write F32");
  return values;
}

Expected<std::vector<int32_t>> Tensor::readInts() const {
  std::vector<int32_t> values;
  values.reserve(getCount());
  std::string bad;
  std::optional<bool> fits = appendInts(*this, values, bad);
  if (!fits)
    return createStringError("is of type " + type + ", not of integers");
  if (!*fits)
    return createStringError("has the value " + bad + ", which is no 32-bit integer");
  return values;
}

//===----------------------------------------------------------------------===//
// The file
//===----------------------------------------------------------------------===//

/// Whether brackets nest deeper than a header's do, which the parser of JSON
/// would follow by recursion.
static bool nestsTooDeep(StringRef text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (!quoted && (text[i] == '{' || text[i] == '[') && ++depth > MaxNesting)
      return true;
    else if (!quoted && (text[i] == '}' || text[i] == ']'))
      --depth;
  }
  return false;
}

static std::optional<std::vector<int64_t>> getNaturals(const json::Array *array) {
  if (!array)
    return std::nullopt;
  std::vector<int64_t> numbers;
  for (const json::Value &value : *array) {
    std::optional<int64_t> number = value.getAsInteger();
    if (!number || *number < 0)
      return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

/// A tensor from its entry in the header; none when the entry contradicts itself
/// or the data.
static std::optional<Tensor> readTensor(const json::Object &entry, StringRef data) {
  std::optional<StringRef> type = entry.getString("dtype");
  std::optional<std::vector<int64_t>> shape = getNaturals(entry.getArray("shape"));
  std::optional<std::vector<int64_t>> place = getNaturals(entry.getArray("data_offsets"));
  if (!type || !shape || !place || place->size() != 2 || entry.size() != 3)
    return std::nullopt;
  int64_t bytes = getSize(*type);
  for (int64_t extent : *shape)
    if (MulOverflow(bytes, extent, bytes))
      return std::nullopt;
  int64_t begin = (*place)[0], end = (*place)[1];
  if (bytes == 0 && getSize(*type) == 0)
    return std::nullopt;
  if (begin > end || end > static_cast<int64_t>(data.size()) || end - begin != bytes)
    return std::nullopt;
  return Tensor{type->str(), std::move(*shape), data.slice(begin, end)};
}

Error TensorFile::readHeader(StringRef text, StringRef data) {
  if (nestsTooDeep(text))
    return createStringError("the header nests too deep");
  Expected<json::Value> header = json::parse(text);
  if (!header) {
    consumeError(header.takeError());
    return createStringError("the header is not JSON");
  }
  const json::Object *entries = header->getAsObject();
  if (!entries)
    return createStringError("the header is not an object");
  for (const auto &[key, value] : *entries) {
    StringRef name = key;
    if (name == "__metadata__")
      continue;
    const json::Object *entry = value.getAsObject();
    std::optional<Tensor> tensor = entry ? readTensor(*entry, data) : std::nullopt;
    if (!tensor)
      return createStringError("tensor " + name + " is bad: its type, shape and place do not fit together");
    tensors[name] = std::move(*tensor);
  }
  return Error::success();
}

Expected<TensorFile> TensorFile::open(StringRef path) {
  sys::fs::file_status status;
  bool isDevice = !sys::fs::status(path, status) && (status.type() == sys::fs::file_type::character_file ||
                                                     status.type() == sys::fs::file_type::block_file);
  if (isDevice) // which may have no end
    return createStringError(path + ": is a device, not a file");
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer =
      MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return createStringError(buffer.getError(), path + ": " + buffer.getError().message());
  TensorFile file;
  file.buffer = std::move(*buffer);
  StringRef bytes = file.buffer->getBuffer();
  if (bytes.size() < 8)
    return createStringError(path + ": is no safetensors file: it has " + Twine(bytes.size()) + " bytes");
  uint64_t length = support::endian::read64le(bytes.data());
  if (length > MaxHeader || length > bytes.size() - 8)
    return createStringError(path + ": is no safetensors file, or cut off: its header would have " + Twine(length) +
                             " bytes");
  if (Error error = file.readHeader(bytes.substr(8, length), bytes.substr(8 + length)))
    return createStringError(path + ": " + toString(std::move(error)));
  return file;
}

const Tensor *TensorFile::find(StringRef name) const {
  auto found = tensors.find(name);
  return found == tensors.end() ? nullptr : &found->second;
}

std::vector<std::string> TensorFile::getNames() const {
  std::vector<std::string> names;
  for (const auto &entry : tensors)
    names.push_back(entry.getKey().str());
  sort(names);
  return names;
}

uint64_t TensorFile::getFingerprint() const { return xxh3_64bits(buffer->getBuffer()); }
