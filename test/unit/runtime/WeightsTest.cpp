//===- WeightsTest.cpp - Weights by name, storage, start values -----------===//

#include "FakeNetwork.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numeric>

using namespace nnc::test;

//===----------------------------------------------------------------------===//
// By name
//===----------------------------------------------------------------------===//

TEST(Weights, ListSaysWhatTheNetworkDeclares) {
  EXPECT_EQ(nnc_weight_count(&getFakeNetwork()), 11);
  EXPECT_EQ(nnc_weight_count(nullptr), 0);
  nnc_weight_info info;
  ASSERT_EQ(nnc_weight_at(&getFakeNetwork(), 0, &info), NNC_OK);
  EXPECT_STREQ(info.name, "dense.kernel");
  ASSERT_EQ(info.rank, 2);
  EXPECT_EQ(info.shape[0], 20);
  EXPECT_EQ(info.shape[1], 6);
  EXPECT_EQ(info.count, 120);
  EXPECT_EQ(info.trainable, 1);
  ASSERT_EQ(nnc_weight_at(&getFakeNetwork(), 5, &info), NNC_OK);
  EXPECT_EQ(info.trainable, 0) << "a running statistic";
  ASSERT_EQ(nnc_weight_at(&getFakeNetwork(), 4, &info), NNC_OK);
  EXPECT_EQ(info.rank, 0);
  EXPECT_EQ(info.count, 1) << "a scalar is one element";
}

TEST(Weights, ListRefusesWhatIsOutOfRange) {
  nnc_weight_info info;
  EXPECT_EQ(nnc_weight_at(&getFakeNetwork(), -1, &info), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_weight_at(&getFakeNetwork(), 11, &info), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_weight_at(&getFakeNetwork(), 0, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_weight_at(nullptr, 0, &info), NNC_INVALID_ARGUMENT);
}

// However a weight is stored, and beside whatever others.
TEST(Weights, ReadGivesWhatWasWritten) {
  Model model = makeModel();
  float next = 1;
  for (int32_t i = 0; i < nnc_weight_count(&getFakeNetwork()); ++i) {
    nnc_weight_info info;
    nnc_weight_at(&getFakeNetwork(), i, &info);
    std::vector<float> values(info.count);
    for (float &value : values)
      value = next++;
    ASSERT_EQ(nnc_weight_write(model.get(), info.name, values.data(), info.count), NNC_OK);
  }
  std::vector<float> all = readWeights(model), expected(all.size());
  std::iota(expected.begin(), expected.end(), 1.0f);
  EXPECT_EQ(all, expected);
}

TEST(Weights, CallsSayWhatIsWrongWithTheirArguments) {
  Model model = makeModel();
  std::vector<float> values(20);
  EXPECT_EQ(nnc_weight_write(model.get(), "dense.weight", values.data(), 20), NNC_NOT_FOUND);
  EXPECT_STREQ(nnc_model_error(model.get()), "network fake has no weight dense.weight");
  EXPECT_EQ(nnc_weight_write(model.get(), "dense.bias", values.data(), 19), NNC_SHAPE_MISMATCH);
  EXPECT_STREQ(nnc_model_error(model.get()), "weight dense.bias has 20 elements, not 19");
  EXPECT_EQ(nnc_weight_read(model.get(), "mean", nullptr, 20), NNC_INVALID_ARGUMENT);
  EXPECT_STREQ(nnc_model_error(model.get()), "the values are null");
  EXPECT_EQ(nnc_weight_read(model.get(), nullptr, values.data(), 20), NNC_INVALID_ARGUMENT);
  EXPECT_STREQ(nnc_model_error(model.get()), "the weight's name is null");
  EXPECT_EQ(nnc_weight_read(nullptr, "mean", values.data(), 20), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_weight_write(nullptr, "mean", values.data(), 20), NNC_INVALID_ARGUMENT);
}

//===----------------------------------------------------------------------===//
// Storage
//===----------------------------------------------------------------------===//

namespace {

/// A model in memory of the test's own, in which its weights can be seen.
struct OpenModel {
  OpenModel() {
    options.memory_size = nnc_model_memory_size(&getFakeNetwork());
    options.memory = std::aligned_alloc(64, options.memory_size);
    nnc_model *made = nullptr;
    EXPECT_EQ(nnc_model_create(&getFakeNetwork(), &options, &made), NNC_OK);
    model.reset(made);
  }
  ~OpenModel() {
    model.reset();
    std::free(options.memory);
  }

  void write(const nnc_weight &weight, const std::vector<float> &values) {
    EXPECT_EQ(nnc_weight_write(model.get(), weight.name, values.data(), values.size()), NNC_OK);
  }

  nnc_model_options options = {};
  Model model;
};

} // namespace

/// The place of an element by the definition of nnc_storage_dim.
static int64_t getPlace(const nnc_weight &weight, int64_t element) {
  std::vector<int64_t> index(weight.rank);
  for (int32_t dim = weight.rank; dim-- > 0; element /= weight.shape[dim])
    index[dim] = element % weight.shape[dim];
  int64_t place = 0;
  for (int32_t s = 0; s < weight.storage_rank; ++s) {
    const nnc_storage_dim &dim = weight.storage[s];
    place = place * dim.extent + index[dim.dim] / dim.divisor % dim.extent;
  }
  return place;
}

/// Where the weights begin in a model's memory: where a value that is written lies.
static const char *findWeights(OpenModel &open) {
  const nnc_weight &start = getFakeNetwork().weights[4];
  const float mark = 12345.678f;
  open.write(start, {mark});
  const char *memory = static_cast<const char *>(open.options.memory);
  for (size_t at = 0; at < open.options.memory_size; at += 64)
    if (std::memcmp(memory + at, &mark, sizeof mark) == 0)
      return memory + at - start.offset;
  ADD_FAILURE() << "the weight is nowhere";
  return nullptr;
}

// Panels, blocks, transposes: every element where the definition says, and zeros
// between them, since kernels read the padding.
TEST(Weights, ElementsLieWhereTheStorageSays) {
  OpenModel open;
  const char *weights = findWeights(open);
  ASSERT_NE(weights, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(weights) % 64, 0u);
  for (int32_t i = 0; i < nnc_weight_count(&getFakeNetwork()); ++i) {
    const nnc_weight &weight = getFakeNetwork().weights[i];
    nnc_weight_info info;
    nnc_weight_at(&getFakeNetwork(), i, &info);
    std::vector<float> values(info.count), expected(weight.size / 4), stored(weight.size / 4);
    for (int64_t element = 0; element < info.count; ++element)
      expected[getPlace(weight, element)] = values[element] = 1.0f + element;
    open.write(weight, values);
    std::memcpy(stored.data(), weights + weight.offset, weight.size);
    EXPECT_EQ(stored, expected) << weight.name;
  }
}

//===----------------------------------------------------------------------===//
// Start values
//===----------------------------------------------------------------------===//

TEST(Weights, StartValuesDependOnTheSeedAlone) {
  EXPECT_EQ(readWeights(makeModel(getFakeNetwork(), 7)), readWeights(makeModel(getFakeNetwork(), 7)));
  EXPECT_NE(readWeights(makeModel(getFakeNetwork(), 7)), readWeights(makeModel(getFakeNetwork(), 8)));
  nnc_set_threads(1);
  std::vector<float> alone = readWeights(makeModel(getFakeNetwork(), 7));
  nnc_set_threads(4);
  EXPECT_EQ(readWeights(makeModel(getFakeNetwork(), 7)), alone) << "on more threads";
  nnc_set_threads(0);
}

TEST(Weights, StartValuesOfWeightsAreIndependent) {
  Model model = makeModel();
  std::vector<float> uniform = readWeight(model, "uniform"), glorot = readWeight(model, "glorot");
  double product = 0;
  for (size_t i = 0; i < uniform.size(); ++i)
    product += (uniform[i] - 2) / 4 * glorot[i] / 0.2;
  EXPECT_NEAR(product / uniform.size(), 0, 0.01);
}

TEST(Weights, ConstantIsTheSameEverywhere) {
  EXPECT_EQ(readWeight(makeModel(), "dense.bias"), std::vector<float>(20, 0.5f));
}

namespace {

struct Moments {
  double mean = 0, deviation = 0, least = INFINITY, most = -INFINITY;
};

} // namespace

static Moments getMoments(const std::vector<float> &values) {
  Moments moments;
  for (float value : values) {
    moments.mean += value / static_cast<double>(values.size());
    moments.least = std::min<double>(moments.least, value);
    moments.most = std::max<double>(moments.most, value);
  }
  for (float value : values)
    moments.deviation += (value - moments.mean) * (value - moments.mean) / static_cast<double>(values.size());
  moments.deviation = std::sqrt(moments.deviation);
  return moments;
}

TEST(Weights, UniformFillsItsRange) {
  Moments moments = getMoments(readWeight(makeModel(), "uniform"));
  EXPECT_GE(moments.least, -2);
  EXPECT_LT(moments.most, 6);
  EXPECT_NEAR(moments.mean, 2, 0.05);
  EXPECT_NEAR(moments.deviation, 8 / std::sqrt(12.0), 0.05);
}

// sqrt(6 / (100 + 50)) = 0.2.
TEST(Weights, GlorotIsUniformInARangeOfTheFans) {
  Moments moments = getMoments(readWeight(makeModel(), "glorot"));
  EXPECT_GE(moments.least, -0.2f);
  EXPECT_LE(moments.most, 0.2f);
  EXPECT_NEAR(moments.mean, 0, 0.002);
  EXPECT_NEAR(moments.deviation, 0.2 / std::sqrt(3.0), 0.002);
}

TEST(Weights, NormalHasItsDeviation) {
  Moments moments = getMoments(readWeight(makeModel(), "normal"));
  EXPECT_NEAR(moments.mean, 0, 0.005);
  EXPECT_NEAR(moments.deviation, 0.25, 0.005);
  EXPECT_GT(moments.most, 0.75) << "it has tails";
}

// sqrt(2 / 18) = 1/3, of 90 values.
TEST(Weights, HeIsNormalWithADeviationOfTheFanIn) {
  Moments moments = getMoments(readWeight(makeModel(), "conv.kernel"));
  EXPECT_NEAR(moments.mean, 0, 0.15);
  EXPECT_NEAR(moments.deviation, 1.0 / 3, 0.1);
}

/// Asserts that `count` vectors of n elements are orthonormal; element i of vector
/// v is at v * vectorStride + i * stride.
static void expectOrthonormal(const std::vector<float> &values, int count, int n, int vectorStride, int stride) {
  for (int u = 0; u < count; ++u)
    for (int v = 0; v < count; ++v) {
      double dot = 0;
      for (int i = 0; i < n; ++i)
        dot += static_cast<double>(values[u * vectorStride + i * stride]) * values[v * vectorStride + i * stride];
      EXPECT_NEAR(dot, u == v, 1e-5) << u << ", " << v;
    }
}

TEST(Weights, OrthogonalHasOrthonormalColumnsOrRows) {
  Model model = makeModel();
  expectOrthonormal(readWeight(model, "tall"), 4, 8, 1, 4);
  expectOrthonormal(readWeight(model, "wide"), 4, 8, 8, 1);
}
