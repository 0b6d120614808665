//===- Embed.cpp - Weights inside a library -------------------------------===//
//
// The library starts from what stands in the file, so that a wrong file would be
// found when it first runs; here it is found when it is made. The format: the
// length of a JSON header, the header, the bytes of the tensors
// (https://github.com/huggingface/safetensors).
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/Embed.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;
using namespace nnc::emit;

static Error complain(StringRef path, const Twine &message) { return createStringError(path + ": " + message); }

static std::string printShape(ArrayRef<int64_t> shape) {
  return "[" + join(map_range(shape, [](int64_t extent) { return std::to_string(extent); }), ", ") + "]";
}

/// Checks one entry of the header against the weight of its name.
static Error checkTensor(StringRef path, const Weight &weight, const json::Value *entry) {
  const json::Object *tensor = entry ? entry->getAsObject() : nullptr;
  if (!tensor)
    return complain(path, "has no weight " + weight.name);
  std::optional<StringRef> type = tensor->getString("dtype");
  if (!type || !is_contained({"F32", "F64", "F16", "BF16"}, *type))
    return complain(path, "weight " + weight.name + " is of type " + type.value_or("unknown") +
                              "; F32, F64, F16 and BF16 can be read");
  SmallVector<int64_t> shape;
  if (const json::Array *extents = tensor->getArray("shape"))
    for (const json::Value &extent : *extents)
      shape.push_back(extent.getAsInteger().value_or(-1));
  if (ArrayRef<int64_t>(shape) != weight.type.getShape())
    return complain(path, "weight " + weight.name + " has shape " + printShape(shape) + ", but the network's has " +
                              printShape(weight.type.getShape()));
  return Error::success();
}

Expected<EmbeddedFile> nnc::emit::openEmbedded(StringRef path, const Interface &interface) {
  auto file = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return createFileError(path, file.getError());
  StringRef bytes = (*file)->getBuffer();
  uint64_t length = bytes.size() < 8 ? ~uint64_t(0) : support::endian::read64le(bytes.data());
  if (length > bytes.size() - std::min<size_t>(8, bytes.size()))
    return complain(path, "is no safetensors file");
  Expected<json::Value> header = json::parse(bytes.substr(8, length));
  if (!header)
    return joinErrors(complain(path, "is no safetensors file"), header.takeError());
  const json::Object *tensors = header->getAsObject();
  if (!tensors)
    return complain(path, "is no safetensors file");
  for (const Weight &weight : interface.weights)
    if (Error error = checkTensor(path, weight, tensors->get(weight.name)))
      return error;
  for (const auto &[name, value] : *tensors) {
    StringRef tensor = name;
    bool isKnown = any_of(interface.weights, [&](const Weight &weight) { return weight.name == tensor; });
    if (!isKnown && tensor != "__metadata__" && !tensor.starts_with("nnc."))
      return complain(path, "has a weight " + tensor + ", which the network lacks");
  }
  SmallString<128> absolute(path);
  sys::fs::make_absolute(absolute);
  return EmbeddedFile{absolute.str().str(), static_cast<int64_t>(bytes.size())};
}
