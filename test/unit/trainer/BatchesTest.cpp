//===- BatchesTest.cpp - The order of examples, and padding ---------------===//

#include "tools/trainer/Batches.h"
#include "Files.h"

#include <gtest/gtest.h>

#include <numeric>

using namespace nnc::test;
using namespace nnc::trainer;

namespace {

template <typename T> std::vector<T> get(Batch &batch, size_t column, size_t count) {
  const T *values = static_cast<const T *>(batch.getData(column));
  return {values, values + count};
}

DataSet readSet(const std::map<std::string, Given> &tensors, const Signature &signature) {
  Folder folder;
  writeTensors(folder / "set", tensors);
  return llvm::cantFail(DataSet::read(folder / "set", signature));
}

/// Names of 2, 0 and 3 letters.
DataSet makeSet() {
  return readSet({{"name", {{5}, Ints{1, 2, 3, 4, 1}}},
                  {"x", {{5, 2}, Floats{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}},
                  {"label", {{3}, Ints{2, 0, 1}}},
                  {"T.lengths", {{3}, Ints{2, 0, 3}}}},
                 makeNames());
}

} // namespace

TEST(Shuffle, IsAPermutation) {
  for (int64_t size : {0, 1, 2, 100}) {
    std::vector<int64_t> order = shuffle(size, 7, 3), sorted = order, all(size);
    std::sort(sorted.begin(), sorted.end());
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(sorted, all);
  }
}

TEST(Shuffle, DependsOnSeedAndEpochAlone) {
  EXPECT_EQ(shuffle(50, 1, 2), shuffle(50, 1, 2));
  EXPECT_NE(shuffle(50, 1, 2), shuffle(50, 1, 3));
  EXPECT_NE(shuffle(50, 1, 2), shuffle(50, 2, 2));
  EXPECT_NE(shuffle(50, 1, 2), shuffle(50, 2, 1)) << "seed and epoch are not just added";
}

// The order is part of what a checkpoint means: it must not change.
TEST(Shuffle, IsTheSameOnEveryMachine) { EXPECT_EQ(shuffle(8, 1, 0), (std::vector<int64_t>{4, 1, 7, 5, 3, 0, 6, 2})); }

// Over many seeds each element is equally often at each place.
TEST(Shuffle, IsUniform) {
  int counts[4][4] = {};
  for (int seed = 0; seed < 4000; ++seed) {
    std::vector<int64_t> order = shuffle(4, seed, 0);
    for (int place = 0; place < 4; ++place)
      ++counts[place][order[place]];
  }
  for (auto &row : counts)
    for (int count : row)
      EXPECT_NEAR(count, 1000, 120);
}

// A shorter example is followed by zeros, whatever the batch before held.
TEST(Batches, PadToTheLongest) {
  DataSet set = makeSet();
  Batch batch;
  batch.fill(set, {2});
  EXPECT_EQ(batch.getLengths().vec(), std::vector<int64_t>{3});
  EXPECT_EQ(batch.getRagged()[0], nullptr) << "one length is no padding";
  batch.fill(set, {2, 0, 1});
  EXPECT_EQ(batch.getSize(), 3);
  EXPECT_EQ(batch.getLengths().vec(), std::vector<int64_t>{3});
  EXPECT_EQ(std::vector<int32_t>(batch.getRagged()[0], batch.getRagged()[0] + 3), (Ints{3, 2, 0}));
  EXPECT_EQ(get<int32_t>(batch, 0, 9), (Ints{3, 4, 1, 1, 2, 0, 0, 0, 0}));
  EXPECT_EQ(get<float>(batch, 1, 18), (Floats{4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(get<int32_t>(batch, 2, 3), (Ints{1, 2, 0}));
}

// A call takes lengths of at least 1, even when all examples are empty.
TEST(Batches, OfEmptyExamplesHaveOneStep) {
  DataSet set = makeSet();
  Batch batch;
  batch.fill(set, {1});
  EXPECT_EQ(batch.getLengths().vec(), std::vector<int64_t>{1});
  ASSERT_NE(batch.getRagged()[0], nullptr);
  EXPECT_EQ(batch.getRagged()[0][0], 0);
}

// In two dimensions each row of an example is padded.
TEST(Batches, PadEveryFreeDimension) {
  Signature signature;
  signature.freeDims = {{"T", 0}, {"W", 0}};
  signature.inputs = {makeArgument("x", {"T", "W"})};
  DataSet set =
      readSet({{"x", {{5}, Floats{1, 2, 3, 4, 5}}}, {"T.lengths", {{2}, Ints{1, 2}}}, {"W.lengths", {{2}, Ints{3, 1}}}},
              signature);
  Batch batch;
  batch.fill(set, {0, 1});
  EXPECT_EQ(batch.getLengths().vec(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(get<float>(batch, 0, 12), (Floats{1, 2, 3, 0, 0, 0, 4, 0, 0, 5, 0, 0}));
}
