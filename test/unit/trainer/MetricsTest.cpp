//===- MetricsTest.cpp - How good answers are -----------------------------===//

#include "tools/trainer/Metrics.h"
#include "Files.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace nnc::test;
using namespace nnc::trainer;

namespace {

template <typename T> std::vector<char> getBytes(const std::vector<T> &values) {
  std::vector<char> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// The metrics of one batch that holds a whole data set.
Metrics count(const Signature &signature, const std::map<std::string, Given> &tensors, const Outputs &outputs) {
  Folder folder;
  writeTensors(folder / "set", tensors);
  DataSet set = llvm::cantFail(DataSet::read(folder / "set", signature));
  std::vector<int64_t> all;
  for (int64_t i = 0; i < set.getSize(); ++i)
    all.push_back(i);
  Batch batch;
  batch.fill(set, all);
  std::optional<Pairing> pairing = findPairing(signature);
  EXPECT_TRUE(pairing);
  MetricsCounter counter(signature, *pairing);
  counter.add(batch, outputs);
  return counter.get();
}

/// x -> y[3], label : class[3], two examples with the labels 0 and 2.
Signature makeClassifier() {
  Signature signature;
  signature.inputs = {makeArgument("x", {"1"})};
  signature.labels = {makeArgument("label", {}, 3)};
  signature.outputs = {makeArgument("y", {"3"})};
  return signature;
}

Metrics classify(const Floats &scores) {
  return count(makeClassifier(), {{"x", {{2, 1}, Floats(2)}}, {"label", {{2}, Ints{0, 2}}}}, {getBytes(scores)});
}

} // namespace

TEST(Metrics, ReadProbabilities) {
  Metrics metrics = classify({0.5f, 0.25f, 0.25f, 0.5f, 0.25f, 0.25f});
  EXPECT_NEAR(*metrics.crossEntropy, (std::log(2) + std::log(4)) / 2, 1e-6);
  EXPECT_EQ(metrics.accuracy, 0.5);
  EXPECT_EQ(metrics.exact, std::nullopt) << "there is one label an example";
  EXPECT_EQ(metrics.getLoss(), *metrics.crossEntropy);
}

TEST(Metrics, ReadLogarithmsOfProbabilities) {
  auto l = [](double p) { return static_cast<float>(std::log(p)); };
  Metrics metrics = classify({l(0.5), l(0.25), l(0.25), l(0.25), l(0.25), l(0.5)});
  EXPECT_NEAR(*metrics.crossEntropy, std::log(2), 1e-6);
  EXPECT_EQ(metrics.accuracy, 1);
}

TEST(Metrics, ReadScores) {
  Metrics metrics = classify({1000, 0, 0, 0, 0, 0});
  EXPECT_NEAR(*metrics.crossEntropy, std::log(3) / 2, 1e-6);
  EXPECT_EQ(metrics.accuracy, 0.5) << "of equals the first is chosen";
}

// A probability of 0 is a large loss, not an infinite one.
TEST(Metrics, StayFinite) { EXPECT_NEAR(*classify({0, 1, 0, 0, 1, 0}).crossEntropy, 87.3, 0.1); }

// Three labels and one: what is behind an example's end does not count.
TEST(Metrics, OfSequencesLeaveOutPadding) {
  Signature signature;
  signature.freeDims = {{"T", 0}};
  signature.inputs = {makeArgument("x", {"T"})};
  signature.labels = {makeArgument("label", {"T"}, 2)};
  signature.outputs = {makeArgument("y", {"T", "2"})};
  Floats y = {0, 1, 0, 1, 1, 0, /*second:*/ 1, 0, 0, 0, 0, 0};
  Metrics metrics =
      count(signature, {{"x", {{4}, Floats(4)}}, {"label", {{4}, Ints{1, 1, 1, 0}}}, {"T.lengths", {{2}, Ints{3, 1}}}},
            {getBytes(y)});
  EXPECT_EQ(metrics.accuracy, 0.75);
  EXPECT_EQ(metrics.exact, 0.5);
}

TEST(Metrics, CompareClassesWithClasses) {
  Signature signature = makeClassifier();
  signature.outputs = {makeArgument("y", {}, 3)};
  Metrics metrics =
      count(signature, {{"x", {{2, 1}, Floats(2)}}, {"label", {{2}, Ints{0, 2}}}}, {getBytes(Ints{1, 2})});
  EXPECT_EQ(metrics.accuracy, 0.5);
  EXPECT_EQ(metrics.crossEntropy, std::nullopt);
  EXPECT_EQ(metrics.getLoss(), 0.5);
}

TEST(Metrics, CompareNumbersWithNumbers) {
  Signature signature = makeClassifier();
  signature.labels = {makeArgument("wanted", {"2"})};
  signature.outputs = {makeArgument("y", {"2"})};
  Metrics metrics =
      count(signature, {{"x", {{1, 1}, Floats(1)}}, {"wanted", {{1, 2}, Floats{1, 2}}}}, {getBytes(Floats{2, 4})});
  EXPECT_EQ(metrics.meanSquaredError, 2.5);
  EXPECT_EQ(metrics.accuracy, std::nullopt);
  EXPECT_EQ(metrics.getLoss(), 2.5);
}

TEST(Pairing, TakesTheFirstOutputThatFitsOrTheNamedOne) {
  Signature signature = makeClassifier();
  signature.outputs = {makeArgument("h", {"4"}), makeArgument("y", {"3"}), makeArgument("logits", {"3"})};
  EXPECT_EQ(findPairing(signature)->output, 1u);
  EXPECT_EQ(findPairing(signature, "logits")->output, 2u);
  EXPECT_FALSE(findPairing(signature, "h"));
  EXPECT_FALSE(findPairing(signature, "nothing"));
}
