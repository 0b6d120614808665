//===- DataSetTest.cpp - Data sets, good and wrong ------------------------===//

#include "Files.h"

#include <gtest/gtest.h>

#include <random>

using namespace nnc::test;
using nnc::trainer::DataSet;
using nnc::trainer::Signature;

namespace {

/// Three names of 2, 0 and 3 letters.
std::map<std::string, Given> makeGood() {
  return {{"name", {{5}, Ints{0, 1, 2, 3, 4}}},
          {"x", {{5, 2}, Floats{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}},
          {"label", {{3}, std::vector<uint8_t>{2, 0, 1}}},
          {"T.lengths", {{3}, Ints{2, 0, 3}}}};
}

class DataSetTest : public testing::Test {
protected:
  /// The error that these tensors give, without the path that it begins with.
  std::string getErrorOf(const std::map<std::string, Given> &tensors, const Signature &signature = makeNames()) {
    writeTensors(folder / "set", tensors);
    std::string text = getError(DataSet::read(folder / "set", signature));
    std::string lead = folder / "set" + ": ";
    EXPECT_EQ(text.substr(0, lead.size()), lead);
    return text.substr(lead.size());
  }

  DataSet read(const std::map<std::string, Given> &tensors, const Signature &signature = makeNames()) {
    writeTensors(folder / "set", tensors);
    llvm::Expected<DataSet> set = DataSet::read(folder / "set", signature);
    if (!set) {
      ADD_FAILURE() << llvm::toString(set.takeError());
      return {};
    }
    return std::move(*set);
  }

  Folder folder;
};

} // namespace

TEST_F(DataSetTest, HasExamplesOfTheirOwnLengths) {
  DataSet set = read(makeGood());
  EXPECT_EQ(set.getSize(), 3);
  EXPECT_EQ(set.getLengths(0).vec(), (Ints{2, 0, 3}));
  EXPECT_EQ(set.getLongest(), std::vector<int64_t>{3});
  ASSERT_EQ(set.getColumns().size(), 3u);
  EXPECT_EQ(set.getColumns()[0].starts, (std::vector<int64_t>{0, 2, 2, 5}));
  EXPECT_EQ(set.getColumns()[0].ints, (Ints{0, 1, 2, 3, 4}));
  EXPECT_EQ(set.getColumns()[1].starts, (std::vector<int64_t>{0, 4, 4, 10}));
  EXPECT_EQ(set.getColumns()[2].ints, (Ints{2, 0, 1})) << "from bytes";
}

// Without lengths a tensor says itself how long all examples are.
TEST_F(DataSetTest, MayBeOfOneLength) {
  auto tensors = makeGood();
  tensors.erase("T.lengths");
  tensors["name"] = {{3, 2}, Ints{0, 1, 2, 3, 4, 0}};
  tensors["x"] = {{3, 2, 2}, Floats(12, 1.5f)};
  DataSet set = read(tensors);
  EXPECT_EQ(set.getLengths(0).vec(), (Ints{2, 2, 2}));
  EXPECT_EQ(set.getColumns()[1].starts, (std::vector<int64_t>{0, 4, 8, 12}));
}

// Sentences of words: an example has T x W elements.
TEST_F(DataSetTest, MayHaveTwoFreeDimensions) {
  Signature signature;
  signature.freeDims = {{"T", 0}, {"W", 0}};
  signature.inputs = {makeArgument("x", {"T", "W"})};
  DataSet set =
      read({{"x", {{8}, Floats(8)}}, {"T.lengths", {{2}, Ints{2, 1}}}, {"W.lengths", {{2}, Ints{3, 2}}}}, signature);
  EXPECT_EQ(set.getColumns()[0].starts, (std::vector<int64_t>{0, 6, 8}));
}

TEST_F(DataSetTest, IntegersMayStandForFloats) {
  auto tensors = makeGood();
  tensors["x"] = {{5, 2}, std::vector<uint8_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 255}};
  EXPECT_EQ(read(tensors).getColumns()[1].floats.back(), 255);
}

TEST_F(DataSetTest, NamesWhatIsMissingAndWhatIsTooMuch) {
  auto tensors = makeGood();
  tensors.erase("label");
  EXPECT_EQ(getErrorOf(tensors), "there is no tensor label; there are: T.lengths, name, x");
  tensors = makeGood();
  tensors["lable"] = tensors["label"];
  EXPECT_EQ(getErrorOf(tensors), "network names has no input or label lable");
  tensors = makeGood();
  tensors.erase("T.lengths");
  EXPECT_EQ(getErrorOf(tensors), "there is no tensor T.lengths, and name is [5] without dimension T");
}

TEST_F(DataSetTest, NamesTheExampleWhoseClassDoesNotExist) {
  auto tensors = makeGood();
  tensors["name"] = {{5}, Ints{0, 1, 2, 5, 4}};
  EXPECT_EQ(getErrorOf(tensors), "name: example 2 has class 5; there are 0 to 4");
  tensors["name"] = {{5}, Ints{0, -1, 2, 3, 4}};
  EXPECT_EQ(getErrorOf(tensors), "name: example 0 has class -1; there are 0 to 4");
  tensors["name"] = {{5}, std::vector<int64_t>{0, 1, 2, 3, int64_t(1) << 32}};
  EXPECT_EQ(getErrorOf(tensors), "name has the value 4294967296, which is no 32-bit integer");
  tensors["name"] = {{5}, Floats(5)};
  EXPECT_EQ(getErrorOf(tensors), "name is of type F32, not of integers");
}

TEST_F(DataSetTest, NamesShapesThatDoNotFit) {
  auto tensors = makeGood();
  tensors["x"] = {{4, 2}, Floats(8)};
  EXPECT_EQ(getErrorOf(tensors), "x is [4, 2], and should be [5, 2] by the lengths");
  tensors["x"] = {{5, 3}, Floats(15)};
  EXPECT_EQ(getErrorOf(tensors), "x is [5, 3], and should be [5, 2] by the lengths");
  tensors = makeGood();
  tensors["label"] = {{2}, Ints{0, 1}};
  EXPECT_EQ(getErrorOf(tensors), "label has 2 examples, T.lengths has 3");
  tensors["label"] = {{}, Ints{0}};
  EXPECT_EQ(getErrorOf(tensors), "label has no dimension for the examples");
}

TEST_F(DataSetTest, NamesLengthsThatTheNetworkDoesNotTake) {
  auto tensors = makeGood();
  tensors["T.lengths"] = {{3}, Ints{2, -1, 4}};
  EXPECT_EQ(getErrorOf(tensors), "T.lengths: example 1 is -1 long; the network takes 0 to 9");
  tensors["T.lengths"] = {{3}, Ints{2, 0, 10}};
  EXPECT_EQ(getErrorOf(tensors), "T.lengths: example 2 is 10 long; the network takes 0 to 9");
  tensors["T.lengths"] = {{3, 1}, Ints{2, 0, 3}};
  EXPECT_EQ(getErrorOf(tensors), "T.lengths is [3, 1], not [examples]");
  tensors["T.lengths"] = {{0}, Ints{}};
  EXPECT_EQ(getErrorOf(tensors), "T.lengths has no examples");
}

// Lengths whose product is beyond every number are refused, not counted.
TEST_F(DataSetTest, RefusesLengthsThatOverflow) {
  Signature signature;
  signature.freeDims = {{"T", 0}, {"W", 0}};
  signature.inputs = {makeArgument("x", {"T", "W", "4"})};
  std::string text = getErrorOf({{"x", {{1, 4}, Floats(4)}},
                                 {"T.lengths", {{2}, Ints{INT32_MAX, INT32_MAX}}},
                                 {"W.lengths", {{2}, Ints{INT32_MAX, INT32_MAX}}}},
                                signature);
  EXPECT_EQ(text.substr(0, 30), "x is [1, 4], and should be [14");
}

TEST_F(DataSetTest, SaysWhyAFileCannotBeRead) {
  EXPECT_EQ(getError(DataSet::read(folder / "none", makeNames())), folder / "none" + ": No such file or directory");
  EXPECT_EQ(getError(DataSet::read("/dev/zero", makeNames())), "/dev/zero: is a device, not a file");
  writeText(folder / "a", "1234");
  EXPECT_EQ(getError(DataSet::read(folder / "a", makeNames())),
            folder / "a" + ": is no safetensors file: it has 4 bytes");
  for (const std::string &header : {std::string("{"), std::string("[]"), std::string(20, '['), std::string("")}) {
    writeText(folder / "a", makeFile(header, ""));
    EXPECT_NE(getError(DataSet::read(folder / "a", makeNames())), "") << header;
  }
}

TEST_F(DataSetTest, RefusesTensorsThatContradictThemselves) {
  for (const char *entry :
       {R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})", R"({"dtype":"F32","shape":[2],"data_offsets":[4,12]})",
        R"({"dtype":"F99","shape":[2],"data_offsets":[0,8]})", R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})",
        R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})", R"({"dtype":"F32","shape":[2],"data_offsets":[0]})",
        R"({"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]})", R"({"dtype":"F32","shape":[2]})",
        "1"}) {
    writeText(folder / "a", makeFile(std::string("{\"x\":") + entry + "}", std::string(8, '\0')));
    EXPECT_EQ(getError(DataSet::read(folder / "a", makeNames())),
              folder / "a" + ": tensor x is bad: its type, shape and place do not fit together")
        << entry;
  }
}

// Whatever is done to a file, it is read or refused; nothing else happens.
TEST_F(DataSetTest, SurvivesMutations) {
  writeTensors(folder / "set", makeGood());
  const std::string good = readText(folder / "set");
  const std::string marks = "{}[]\",:\\0129-. ";
  std::mt19937 random(1);
  int read = 0, refused = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string mutated = good;
    for (int change = 0; change <= i % 3; ++change)
      mutated[random() % mutated.size()] = random() % 2 ? marks[random() % marks.size()] : static_cast<char>(random());
    if (i % 10 == 0)
      mutated.resize(random() % mutated.size());
    writeText(folder / "mutated", mutated);
    ++(getError(DataSet::read(folder / "mutated", makeNames())).empty() ? read : refused);
  }
  EXPECT_GT(read, 0);
  EXPECT_GT(refused, 500);
}
