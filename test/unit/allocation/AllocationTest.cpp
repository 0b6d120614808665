//===- AllocationTest.cpp - No call allocates -----------------------------===//
//
// Once a context is made, calls on it neither allocate nor free: the first, which
// prepares the weights and sets the state, no more than the others.
//
//===----------------------------------------------------------------------===//

#include "Allocation.h"
#include "Library.h"

#include "bag.h"
#include "lenet5.h"
#include "tagger.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

using namespace nnc::test;

namespace {

/// With one thread there is no pool, with two there is.
class Inference : public testing::TestWithParam<int> {};

} // namespace

INSTANTIATE_TEST_SUITE_P(, Inference, testing::Values(1, 2));

//===----------------------------------------------------------------------===//
// The counter
//===----------------------------------------------------------------------===//

/// What is counted here is what all other tests rely on.
TEST(Allocation, IsCountedInTheRuntime) {
  nnc_model *model = nullptr;
  EXPECT_GE(countIn([&] { return lenet5_create(nullptr, &model); }), 1) << "aligned_alloc";
  const std::string path = testing::TempDir() + "nnc-allocation.safetensors";
  ASSERT_EQ(nnc_model_save(model, path.c_str()), NNC_OK);
  EXPECT_GE(countIn([&] { return nnc_model_load(model, path.c_str()); }), 2) << "malloc and free";
  std::remove(path.c_str());
  lenet5_destroy(model);
}

/// Each is volatile, so that none is left out as without effect.
TEST(Allocation, IsCountedOfEveryFunction) {
  void *(*volatile callNew)(size_t) = ::operator new;
  void (*volatile callDelete)(void *) = ::operator delete;
  void *(*volatile callMalloc)(size_t) = std::malloc;
  void *(*volatile callCalloc)(size_t, size_t) = std::calloc;
  void *(*volatile callRealloc)(void *, size_t) = std::realloc;
  void *(*volatile callAligned)(size_t, size_t) = std::aligned_alloc;
  int (*volatile callPosix)(void **, size_t, size_t) = posix_memalign;
  void (*volatile callFree)(void *) = std::free;
  void *memory = nullptr;
  auto count = [](auto call) {
    int64_t before = countAllocations();
    call();
    return countAllocations() - before;
  };
  EXPECT_EQ(count([&] { memory = callNew(1); }), 1);
  EXPECT_EQ(count([&] { callDelete(memory); }), 1);
  EXPECT_EQ(count([&] { memory = callMalloc(1); }), 1);
  EXPECT_EQ(count([&] { callFree(memory); }), 1);
  EXPECT_EQ(count([&] { memory = callCalloc(1, 1); }), 1);
  EXPECT_EQ(count([&] { memory = callRealloc(memory, 100); }), 1);
  callFree(memory);
  EXPECT_EQ(count([&] { memory = callAligned(64, 64); }), 1);
  callFree(memory);
  EXPECT_EQ(count([&] { EXPECT_EQ(callPosix(&memory, 64, 64), 0); }), 1);
  callFree(memory);
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// Convolutions, pooling and dense layers, for one image and for the most.
TEST_P(Inference, Lenet5) {
  constexpr int64_t most = 64;
  Library lenet5(Use::Inference, lenet5_network, GetParam(), most);
  std::vector<float> image(most * LENET5_IMAGE_SIZE), digit(most * LENET5_DIGIT_SIZE), logits(digit.size());
  for (int64_t batch : {most, int64_t(1), most})
    EXPECT_EQ(
        countIn([&] { return lenet5_infer(lenet5.getContext(), batch, image.data(), digit.data(), logits.data()); }), 0)
        << batch;
}

/// A loop over time, for sequences of one and of different lengths; then by steps.
TEST_P(Inference, Tagger) {
  constexpr int64_t batch = 33, length = 77, inputs = 8, tags = 10;
  Library tagger(Use::Inference, tagger_network, GetParam(), batch, {length});
  nnc_context *context = tagger.getContext();
  std::vector<float> x(batch * length * inputs), y(batch * length * tags);
  std::vector<int32_t> lengths(batch, 3);
  EXPECT_EQ(countIn([&] { return tagger_infer(context, batch, length, nullptr, x.data(), y.data()); }), 0);
  EXPECT_EQ(countIn([&] { return tagger_infer(context, batch, length, lengths.data(), x.data(), y.data()); }), 0);
  EXPECT_EQ(countIn([&] { return tagger_infer(context, 1, 1, nullptr, x.data(), y.data()); }), 0);
  for (int64_t size : {int64_t(1), batch}) {
    EXPECT_EQ(countIn([&] { return tagger_reset(context); }), 0);
    EXPECT_EQ(countIn([&] { return tagger_step(context, size, x.data(), y.data()); }), 0);
  }
}

/// A step can be the first call of a context.
TEST_P(Inference, TaggerStepFirst) {
  Library tagger(Use::Inference, tagger_network, GetParam(), /*maxBatch=*/1, {1});
  float x[8] = {}, y[10];
  EXPECT_EQ(countIn([&] { return tagger_step(tagger.getContext(), 1, x, y); }), 0);
}

/// Gathered rows and their mean over a free dimension.
TEST_P(Inference, Bag) {
  constexpr int64_t batch = 17, items = 40;
  Library bag(Use::Inference, bag_network, GetParam(), batch, {items});
  std::vector<int32_t> lit(batch * items, 5), lengths(batch, 7);
  std::vector<float> y(batch * 10), logits(y.size());
  auto infer = [&](int64_t size, const int32_t *ragged) {
    return bag_infer(bag.getContext(), size, items, ragged, lit.data(), y.data(), logits.data());
  };
  EXPECT_EQ(countIn([&] { return infer(batch, nullptr); }), 0);
  EXPECT_EQ(countIn([&] { return infer(batch, lengths.data()); }), 0);
  EXPECT_EQ(countIn([&] { return infer(1, nullptr); }), 0);
}

/// Weights that are set between calls are prepared in the next one.
TEST_P(Inference, NewWeights) {
  Library lenet5(Use::Inference, lenet5_network, GetParam(), /*maxBatch=*/1);
  nnc_weight_info info;
  ASSERT_EQ(nnc_weight_at(&lenet5_network, 0, &info), NNC_OK);
  std::vector<float> weight(info.count), image(LENET5_IMAGE_SIZE), digit(LENET5_DIGIT_SIZE), logits(LENET5_LOGITS_SIZE);
  nnc_model *model = lenet5.getModel();
  EXPECT_EQ(countIn([&] { return nnc_weight_read(model, info.name, weight.data(), info.count); }), 0);
  EXPECT_EQ(countIn([&] { return nnc_weight_write(model, info.name, weight.data(), info.count); }), 0);
  EXPECT_EQ(countIn([&] { return lenet5_infer(lenet5.getContext(), 1, image.data(), digit.data(), logits.data()); }),
            0);
}

/// Nor does a call that is refused, whose message has its place in the context.
TEST_P(Inference, RefusedCalls) {
  Library lenet5(Use::Inference, lenet5_network, GetParam(), /*maxBatch=*/1);
  std::vector<float> image(2 * LENET5_IMAGE_SIZE), digit(2 * LENET5_DIGIT_SIZE), logits(digit.size());
  nnc_context *context = lenet5.getContext();
  auto infer = [&](int64_t batch, const float *input) {
    return lenet5_infer(context, batch, input, digit.data(), logits.data());
  };
  EXPECT_EQ(countIn([&] { return infer(2, image.data()); }, NNC_INVALID_ARGUMENT), 0);
  EXPECT_EQ(countIn([&] { return infer(1, nullptr); }, NNC_INVALID_ARGUMENT), 0);
}
