//===- BadFileTest.cpp - Safetensors files that are refused ---------------===//

#include "Files.h"
#include "SmallFiles.h"

#include <cstring>
#include <random>

using namespace nnc::test;

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
