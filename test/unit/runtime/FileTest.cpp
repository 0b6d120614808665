//===- FileTest.cpp - Safetensors files, good and hostile -----------------===//

#include "FakeNetwork.h"
#include "Files.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <random>

using namespace nnc::test;

namespace {

/// A network of two weights, a[2] and b[1][3], so that files can be written by hand.
const nnc_network &getSmallNetwork() {
  static const int64_t aShape[] = {2}, bShape[] = {1, 3};
  static const nnc_storage_dim aStorage[] = {{0, 1, 2}}, bStorage[] = {{1, 1, 3}, {0, 1, 1}};
  static const nnc_weight weights[] = {{"a", aShape, aStorage, 0, 8, 1, 0, 0, 0, 1, 1, NNC_INIT_CONSTANT, 1},
                                       {"b", bShape, bStorage, 64, 12, 2, 0, 0, 0, 2, 2, NNC_INIT_CONSTANT, 1}};
  static const nnc_network network = [] {
    nnc_network result = {};
    result.version = NNC_NETWORK_VERSION;
    result.isa_mask = 1 << NNC_ISA_AVX2;
    result.name = "small";
    result.weights = weights;
    result.weight_count = 2;
    result.weights_size = 128;
    return result;
  }();
  return network;
}

using Floats = std::vector<float>;

/// A model of the small network.
struct Small {
  nnc_status load(const std::string &bytes) {
    // Its own block, so that a read beyond it is seen.
    std::vector<char> block(bytes.begin(), bytes.end());
    block.reserve(1);
    return nnc_model_load_memory(model.get(), block.data(), block.size());
  }
  Floats values() {
    Floats result(5);
    EXPECT_EQ(nnc_weight_read(model.get(), "a", result.data(), 2), NNC_OK);
    EXPECT_EQ(nnc_weight_read(model.get(), "b", result.data() + 2, 3), NNC_OK);
    return result;
  }
  std::string error() { return nnc_model_error(model.get()); }

  Model model = makeModel(getSmallNetwork());
};

const Floats startValues = {1, 1, 2, 2, 2};

} // namespace

template <typename T> static std::string getBytes(const std::vector<T> &values) {
  return std::string(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(T));
}

/// A file with this header and data.
static std::string makeFile(const std::string &header, const std::string &data) {
  return getBytes(std::vector<uint64_t>{header.size()}) + header + data;
}

static const std::string goodData = getBytes(Floats{3, 4, 5, 6, 7});
static const std::string entryA = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
static const std::string entryB = R"("b":{"dtype":"F32","shape":[1,3],"data_offsets":[8,20]})";
static const std::string goodHeader = "{" + entryA + "," + entryB + "}";
static const Floats goodValues = {3, 4, 5, 6, 7};

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
// Files of other networks
//===----------------------------------------------------------------------===//

static void expectRefused(const std::string &header, const std::string &data, nnc_status status,
                          const std::string &message) {
  Small small;
  EXPECT_EQ(small.load(makeFile(header, data)), status) << header;
  EXPECT_EQ(small.error(), "safetensors in memory: " + message);
  EXPECT_EQ(small.values(), startValues) << "the model is as it was";
}

TEST(File, NamesAWeightThatItLacks) {
  expectRefused("{" + entryA + "}", goodData.substr(0, 8), NNC_MISSING_WEIGHT, "there is no weight b");
}

TEST(File, NamesAWeightThatTheNetworkLacks) {
  std::string more = R"(,"c":{"dtype":"F32","shape":[],"data_offsets":[20,24]}})";
  expectRefused("{" + entryA + "," + entryB + more, goodData + "1234", NNC_NOT_FOUND, "network small has no weight c");
}

TEST(File, NamesAWeightOfAnotherShape) {
  for (const char *shape : {"[3]", "[3,1]", "[1,3,1]"}) {
    std::string b = std::string(R"("b":{"dtype":"F32","shape":)") + shape + R"(,"data_offsets":[8,20]})";
    expectRefused("{" + entryA + "," + b + "}", goodData, NNC_SHAPE_MISMATCH,
                  std::string("weight b is ") + shape + ", not [1,3]");
  }
}

TEST(File, NamesAWeightOfAnotherType) {
  std::string b = R"("b":{"dtype":"I32","shape":[1,3],"data_offsets":[8,20]})";
  expectRefused("{" + entryA + "," + b + "}", goodData, NNC_BAD_FILE,
                "weight b is of type I32, not of F64, F32, F16 or BF16");
}

//===----------------------------------------------------------------------===//
// Files that are bad
//===----------------------------------------------------------------------===//

static void expectBad(const std::string &file) {
  Small small;
  EXPECT_EQ(small.load(file), NNC_BAD_FILE) << file;
  EXPECT_NE(small.error(), "");
  EXPECT_EQ(small.values(), startValues) << "the model is as it was";
}

/// An entry a with one field changed.
static std::string withField(const std::string &from, const std::string &to) {
  std::string entry = entryA;
  entry.replace(entry.find(from), from.size(), to);
  return makeFile("{" + entry + "," + entryB + "}", goodData);
}

// From memory and from the disk.
TEST(File, IsRefusedCutAtAnyByte) {
  Folder folder;
  Small small;
  std::string file = makeFile(goodHeader, goodData);
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_EQ(small.load(file.substr(0, size)), NNC_BAD_FILE) << size;
    writeFile(folder / "cut", file.substr(0, size));
    EXPECT_EQ(nnc_model_load(small.model.get(), (folder / "cut").c_str()), NNC_BAD_FILE) << size;
  }
  EXPECT_EQ(small.values(), startValues);
  EXPECT_EQ(small.load(file + "x"), NNC_BAD_FILE) << "and with a byte too many";
  EXPECT_EQ(small.load(file), NNC_OK);
}

TEST(File, IsRefusedWithAHostileLength) {
  for (uint64_t length : {UINT64_MAX, UINT64_MAX - 7, UINT64_C(1) << 63, UINT64_C(100000001), UINT64_C(0)})
    expectBad(getBytes(std::vector<uint64_t>{length}) + goodHeader + goodData);
}

TEST(File, IsRefusedWithAHeaderThatIsNotJson) {
  for (const char *header :
       {"", " {}", "[]", "{", "{]", "{\"a\"}", "{\"a\":}", "{\"a\":1}", "{,}", "{}{}", "\xef\xbb\xbf{}", "{'a':1}"})
    expectBad(makeFile(header, goodData));
  expectBad(makeFile(goodHeader + "x", goodData));
  expectBad(makeFile("{" + entryA + "," + entryB + ",}", goodData));
  expectBad(makeFile("{" + entryA + " " + entryB + "}", goodData));
}

TEST(File, IsRefusedWithBadStrings) {
  for (const char *name : {R"(\)", R"(\x)", R"(\u12)", R"(\u12g4)", R"(\u0000)", R"(\ud800)", R"(\ud800x)",
                           R"(\ud800\u0041)", R"(\udc00)", "\n", "\x01", "\xff", "\xc0\x80", "\xe0\x80\x80",
                           "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"})
    expectBad(
        makeFile(std::string(R"({"__metadata__":{")") + name + R"(":"x"},)" + entryA + "," + entryB + "}", goodData));
}

TEST(File, IsRefusedWithBadMetadata) {
  for (const char *metadata : {"1", "[]", "{\"x\":1}", "{\"x\"}", "{\"x\":\"y\",}", "{", "\"x\"", "null"})
    expectBad(makeFile(std::string(R"({"__metadata__":)") + metadata + "," + entryA + "," + entryB + "}", goodData));
  expectBad(makeFile(R"({"__metadata__":{},"__metadata__":{},)" + entryA + "," + entryB + "}", goodData));
}

TEST(File, IsRefusedWithBadNumbers) {
  for (const char *number : {"-2", "+2", "2.0", "2e0", "02", "", "\"2\"", "null", "9223372036854775808",
                             "18446744073709551618", "99999999999999999999999999", "0x2", "[2]"})
    expectBad(withField("[2]", std::string("[") + number + ",1]"));
}

TEST(File, IsRefusedWithShapesThatOverflow) {
  expectBad(withField("[2]", "[4611686018427387904,2]"));
  expectBad(withField("[2]", "[4611686018427387906]"));
  expectBad(withField("[2]", "[4294967296,4294967296]"));
  expectBad(withField("[2]", "[2,]"));
  expectBad(withField("[2]", "[0]"));
}

TEST(File, IsRefusedWithBadPlaces) {
  for (const char *place : {"[8,0]", "[0,9]", "[1,9]", "[0]", "[0,8,8]", "[]", "[0,9223372036854775807]", "[-8,0]",
                            "[8,16]", "[9223372036854775800,9223372036854775808]"})
    expectBad(withField("[0,8]", place));
}

TEST(File, IsRefusedWithMissingTwiceGivenAndUnknownFields) {
  expectBad(withField(R"("shape":[2],)", ""));
  expectBad(withField(R"("dtype":"F32",)", ""));
  expectBad(withField(R"(,"data_offsets":[0,8])", ""));
  expectBad(withField(R"("shape":[2],)", R"("shape":[2],"shape":[2],)"));
  expectBad(withField(R"("shape":[2],)", R"("shape":[2],"other":"x",)"));
  expectBad(withField("F32", "F31"));
  expectBad(withField("\"F32\"", "32"));
}

TEST(File, NamesATensorThatIsBad) {
  expectRefused("{" + entryA + R"(,"b":{"dtype":"F32","shape":[1,3],"data_offsets":[8,24]}})", goodData + "1234",
                NNC_BAD_FILE, "tensor b has 16 bytes, its shape says 12");
  expectRefused(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", goodData, NNC_BAD_FILE,
                "tensor a is bad at byte 29 of the header");
}

TEST(File, IsRefusedWithGapsOverlapsAndDoubles) {
  std::string gap = R"("b":{"dtype":"F32","shape":[1,3],"data_offsets":[12,24]})";
  expectBad(makeFile("{" + entryA + "," + gap + "}", goodData + "1234"));
  std::string overlap = R"("b":{"dtype":"F32","shape":[1,3],"data_offsets":[4,16]})";
  expectBad(makeFile("{" + entryA + "," + overlap + "}", goodData.substr(0, 16)));
  expectBad(makeFile("{" + entryA + "," + entryB + "}", goodData + "1234"));
  std::string twice = R"("nnc.x":{"dtype":"U8","shape":[0],"data_offsets":[20,20]})";
  expectBad(makeFile("{" + entryA + "," + entryB + "," + twice + "," + twice + "}", goodData));
}

// Whatever is done to a file, it is refused, or read; nothing else happens, and
// the model is unchanged or has the file's values.
TEST(File, SurvivesMutations) {
  std::mt19937 random(1);
  const std::string file = makeFile(goodHeader, goodData);
  const std::string marks = "{}[]\",:\\0129u-. ";
  for (int i = 0; i < 2000; ++i) {
    std::string mutated = file;
    for (int change = random() % 4 + 1; change > 0; --change) {
      size_t at = random() % mutated.size();
      switch (random() % 5) {
      case 0:
        mutated[at] = static_cast<char>(random());
        break;
      case 1:
        mutated[at] = marks[random() % marks.size()];
        break;
      case 2:
        mutated.erase(at, random() % 8 + 1);
        break;
      case 3:
        mutated.insert(at, mutated.substr(random() % mutated.size(), random() % 32));
        break;
      case 4:
        mutated[random() % 8] = static_cast<char>(random());
        break;
      }
      mutated += mutated.empty() ? "x" : "";
    }
    // The header's length again, so that what is behind it is reached.
    if (random() % 2 && mutated.size() > 8 + goodData.size()) {
      uint64_t length = mutated.size() - 8 - goodData.size();
      std::memcpy(mutated.data(), &length, sizeof length);
    }
    Small small;
    nnc_status status = small.load(mutated);
    if (status != NNC_OK) {
      EXPECT_EQ(small.values(), startValues) << i;
    }
    EXPECT_TRUE(status == NNC_OK || status == NNC_BAD_FILE || status == NNC_NOT_FOUND || status == NNC_MISSING_WEIGHT ||
                status == NNC_SHAPE_MISMATCH)
        << nnc_status_message(status);
  }
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
