//===- FileTest.cpp - Safetensors files -----------------------------------===//

#include "Files.h"
#include "SmallFiles.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>

using namespace nnc::test;

//===----------------------------------------------------------------------===//
// Files that are good
//===----------------------------------------------------------------------===//

TEST(File, SavedWeightsAreLoadedAgain) {
  Folder folder;
  Model saved = makeModel(getFakeNetwork(), 1), loaded = makeModel(getFakeNetwork(), 2);
  ASSERT_EQ(nnc_model_save(saved.get(), (folder / "a").c_str()), NNC_OK) << nnc_model_error(saved.get());
  ASSERT_EQ(nnc_model_load(loaded.get(), (folder / "a").c_str()), NNC_OK) << nnc_model_error(loaded.get());
  EXPECT_EQ(readWeights(loaded), readWeights(saved));
  std::string bytes = readFile(folder / "a");
  Model third = makeModel(getFakeNetwork(), 3);
  ASSERT_EQ(nnc_model_load_memory(third.get(), bytes.data(), bytes.size()), NNC_OK);
  EXPECT_EQ(readWeights(third), readWeights(saved));
}

TEST(File, IsWrittenByteForByteLikeThis) {
  Folder folder;
  Small small;
  ASSERT_EQ(small.load(makeFile(goodHeader, goodData)), NNC_OK);
  ASSERT_EQ(nnc_model_save(small.model.get(), (folder / "a").c_str()), NNC_OK);
  std::string header = R"({"__metadata__":{"network":"small"},)" + entryA + "," + entryB + "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(readFile(folder / "a"), makeFile(header, goodData));
}

TEST(File, MayBePaddedReorderedAndSayMore) {
  Small small;
  std::string header = R"({ "__metadata__" : { "by" : "\u00e9\ud83d\ude00\n" } , "b": { "data_offsets" : [ 0 , 12 ],
    "shape": [ 1 , 3 ], "dtype": "F32" },"nnc.step":{"dtype":"I64","shape":[],"data_offsets":[20,28]},)"
                       R"("\u0061":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}}   )";
  std::string data = getBytes(Floats{5, 6, 7, 3, 4}) + std::string(8, '\1');
  ASSERT_EQ(small.load(makeFile(header, data)), NNC_OK) << small.error();
  EXPECT_EQ(small.values(), goodValues);
}

// Doubles, halves and bfloats: 1.5 and -2 are exact in all.
TEST(File, MayHoldNarrowerAndWiderFloats) {
  auto load = [](const char *type, const std::string &data) {
    Small small;
    std::string size = std::to_string(data.size()), half = std::to_string(data.size() / 5 * 2);
    std::string header = std::string(R"({"a":{"dtype":")") + type + R"(","shape":[2],"data_offsets":[0,)" + half +
                         R"(]},"b":{"dtype":")" + type + R"(","shape":[1,3],"data_offsets":[)" + half + "," + size +
                         "]}}";
    EXPECT_EQ(small.load(makeFile(header, data)), NNC_OK) << type << ": " << small.error();
    return small.values();
  };
  Floats expected = {1.5, -2, 0, 1, 0.25};
  EXPECT_EQ(load("F64", getBytes(std::vector<double>{1.5, -2, 0, 1, 0.25})), expected);
  EXPECT_EQ(load("F32", getBytes(expected)), expected);
  EXPECT_EQ(load("F16", getBytes(std::vector<uint16_t>{0x3e00, 0xc000, 0, 0x3c00, 0x3400})), expected);
  EXPECT_EQ(load("BF16", getBytes(std::vector<uint16_t>{0x3fc0, 0xc000, 0, 0x3f80, 0x3e80})), expected);
}

TEST(File, OfTheLibraryIsWhatAModelStartsFrom) {
  std::string bytes = makeFile(goodHeader, goodData);
  nnc_network network = getSmallNetwork();
  network.embedded = bytes.data();
  network.embedded_size = static_cast<int64_t>(bytes.size());
  Small small;
  small.model = makeModel(network);
  EXPECT_EQ(small.values(), goodValues);
  network.embedded_size -= 1;
  nnc_model *model = nullptr;
  EXPECT_EQ(nnc_model_create(&network, nullptr, &model), NNC_BAD_FILE);
  EXPECT_EQ(model, nullptr);
}

TEST(File, NextCallComputesWithItsWeights) {
  Folder folder;
  Model model = makeModel(), other = makeModel();
  Floats bias(20, 8), x = {1}, y = {0};
  ASSERT_EQ(nnc_weight_write(other.get(), "dense.bias", bias.data(), 20), NNC_OK);
  ASSERT_EQ(nnc_model_save(other.get(), (folder / "a").c_str()), NNC_OK);
  Context context = makeContext(model);
  void *arguments[] = {x.data(), y.data()};
  int64_t length = 1;
  ASSERT_EQ(nnc_run(context.get(), Infer, 1, &length, nullptr, arguments), NNC_OK);
  ASSERT_EQ(nnc_model_load(model.get(), (folder / "a").c_str()), NNC_OK);
  ASSERT_EQ(nnc_run(context.get(), Infer, 1, &length, nullptr, arguments), NNC_OK);
  EXPECT_EQ(y, Floats{16});
}

//===----------------------------------------------------------------------===//
// The file system
//===----------------------------------------------------------------------===//

TEST(File, RefusesNullPointers) {
  Small small;
  EXPECT_EQ(nnc_model_load(nullptr, "x"), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_model_load(small.model.get(), nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_model_load_memory(nullptr, "x", 1), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_model_load_memory(small.model.get(), nullptr, 1), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_model_save(nullptr, "x"), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_model_save(small.model.get(), nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_model_save(small.model.get(), ""), NNC_INVALID_ARGUMENT);
}

TEST(File, ThatDoesNotExistIsNotFound) {
  Folder folder;
  Small small;
  std::string path = folder / "none";
  EXPECT_EQ(nnc_model_load(small.model.get(), path.c_str()), NNC_NOT_FOUND);
  EXPECT_EQ(small.error(), path + ": No such file or directory");
  EXPECT_EQ(nnc_model_save(small.model.get(), (folder / "none/at/all").c_str()), NNC_NOT_FOUND);
}

TEST(File, MustBeARegularFile) {
  Folder folder;
  Small small;
  EXPECT_EQ(nnc_model_load(small.model.get(), folder.path.c_str()), NNC_IO_ERROR);
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(nnc_model_load(small.model.get(), (folder / "pipe").c_str()), NNC_IO_ERROR);
}

TEST(File, ReplacesAnOlderOneAndLeavesNothingBeside) {
  Folder folder;
  Small small;
  writeFile(folder / "a", "old");
  ASSERT_EQ(nnc_model_save(small.model.get(), (folder / "a").c_str()), NNC_OK);
  EXPECT_EQ(nnc_model_load(small.model.get(), (folder / "a").c_str()), NNC_OK);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()), 1);
}

// A folder cannot be replaced by a file.
TEST(File, LeavesNothingBesideWhenItCannotBeWritten) {
  Folder folder;
  Small small;
  fs::create_directory(folder / "taken");
  EXPECT_EQ(nnc_model_save(small.model.get(), (folder / "taken").c_str()), NNC_IO_ERROR);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()), 1);
  EXPECT_EQ(nnc_model_save(small.model.get(), std::string(5000, 'x').c_str()), NNC_IO_ERROR);
}

TEST(File, InTheWorkingFolderNeedsNoSlash) {
  Folder folder;
  Small small;
  fs::path before = fs::current_path();
  fs::current_path(folder.path);
  EXPECT_EQ(nnc_model_save(small.model.get(), "a"), NNC_OK) << small.error();
  EXPECT_EQ(nnc_model_load(small.model.get(), "a"), NNC_OK) << small.error();
  fs::current_path(before);
}

// However much of the new file the disk takes, the old one stays, and nothing
// beside it.
TEST(File, StaysWholeWhenTheDiskIsFull) {
  Folder folder;
  Small small;
  writeFile(folder / "a", "old");
  ASSERT_EQ(nnc_model_save(small.model.get(), (folder / "new").c_str()), NNC_OK);
  const size_t size = readFile(folder / "new").size();
  fs::remove(folder / "new");
  for (size_t room = 0; room < size; ++room) {
    SmallDisk disk(room);
    ASSERT_EQ(nnc_model_save(small.model.get(), (folder / "a").c_str()), NNC_IO_ERROR) << room;
    EXPECT_EQ(small.error(), (folder / "a") + ": File too large");
  }
  EXPECT_EQ(readFile(folder / "a"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()), 1);
}

// As someone to whom the folder does not belong, since root may write anywhere.
TEST(File, StaysWholeInAFolderThatMayNotBeWritten) {
  Folder folder;
  Small small;
  writeFile(folder / "a", "old");
  fs::permissions(folder.path, fs::perms(0555));
  const bool isRoot = geteuid() == 0;
  if (isRoot) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  nnc_status status = nnc_model_save(small.model.get(), (folder / "a").c_str());
  if (isRoot) {
    ASSERT_EQ(seteuid(0), 0);
  }
  fs::permissions(folder.path, fs::perms(0755));
  EXPECT_EQ(status, NNC_IO_ERROR);
  EXPECT_EQ(small.error(), (folder / "a") + ": Permission denied");
  EXPECT_EQ(readFile(folder / "a"), "old");
}
