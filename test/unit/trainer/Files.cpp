//===- Files.cpp - Folders and data sets of a test's own ------------------===//

#include "Files.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

using namespace nnc;
using namespace nnc::test;
namespace fs = std::filesystem;

Folder::Folder() {
  path = (fs::temp_directory_path() / "nnc-trainer-XXXXXX").string();
  EXPECT_NE(mkdtemp(path.data()), nullptr);
}

Folder::~Folder() { fs::remove_all(path); }

std::string nnc::test::readText(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void nnc::test::writeText(const std::string &path, const std::string &text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string nnc::test::makeFile(const std::string &header, const std::string &data) {
  uint64_t length = header.size();
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>(length >> (8 * i));
  return bytes + header + data;
}

void nnc::test::writeTensors(const std::string &path, const std::map<std::string, Given> &tensors) {
  static const char *const types[] = {"F32", "I32", "U8", "I64"};
  llvm::json::Object header;
  std::string data;
  for (const auto &[name, given] : tensors) {
    auto begin = static_cast<int64_t>(data.size());
    std::visit(
        [&](const auto &values) {
          data.append(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(values[0]));
        },
        given.values);
    header[name] = llvm::json::Object{{"dtype", types[given.values.index()]},
                                      {"shape", given.shape},
                                      {"data_offsets", {begin, static_cast<int64_t>(data.size())}}};
  }
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(std::move(header));
  writeText(path, makeFile(text, data));
}

trainer::Argument nnc::test::makeArgument(const std::string &name, const std::vector<std::string> &shape,
                                          int64_t classes) {
  trainer::Argument argument;
  argument.name = name;
  argument.classes = classes;
  argument.element = classes ? trainer::Element::Int : trainer::Element::Float;
  for (const std::string &extent : shape) {
    trainer::Dim dim;
    if (extent == "T" || extent == "W")
      dim.free = extent == "W";
    else
      dim.size = std::stoll(extent);
    argument.shape.push_back(dim);
  }
  return argument;
}

trainer::Signature nnc::test::makeNames() {
  trainer::Signature signature;
  signature.network = "names";
  signature.train = "train";
  signature.freeDims = {{"T", 9}};
  signature.inputs = {makeArgument("name", {"T"}, 5), makeArgument("x", {"T", "2"})};
  signature.labels = {makeArgument("label", {}, 3)};
  signature.outputs = {makeArgument("scores", {"3"})};
  return signature;
}
