//===- TrainingAllocationTest.cpp - No call that trains allocates ---------===//
//
// Gradients, sums of them, and what the optimizer keeps have their places from
// the start: the first step allocates no more than the others.
//
//===----------------------------------------------------------------------===//

#include "Library.h"

#include "char_rnn.h"
#include "lenet5.h"
#include "regularized.h"
#include "tagger.h"

#include <cmath>

using namespace nnc::test;

namespace {

/// With one thread there is no pool, with two there is.
class Training : public testing::TestWithParam<int> {};

} // namespace

INSTANTIATE_TEST_SUITE_P(, Training, testing::Values(1, 2));

/// Convolutions and Adam, whose memories the first step is the first to touch.
TEST_P(Training, Lenet5) {
  constexpr int64_t most = 32;
  Library lenet5(Use::Training, lenet5_network, GetParam(), most);
  nnc_context *context = lenet5.getContext();
  std::vector<float> image(most * LENET5_IMAGE_SIZE, 0.5f), digit(most * LENET5_DIGIT_SIZE), logits(digit.size());
  std::vector<int32_t> label(most, 3);
  float loss;
  for (int64_t batch : {most, int64_t(1), most}) {
    EXPECT_EQ(countIn([&] { return lenet5_train_step(context, batch, image.data(), label.data(), &loss); }), 0)
        << batch;
    // The weights have changed: what depends on them is prepared anew.
    EXPECT_EQ(countIn([&] { return lenet5_infer(context, batch, image.data(), digit.data(), logits.data()); }), 0)
        << batch;
  }
}

/// Gradients that are set, added up, taken over from another context, and read.
TEST_P(Training, GradientsAndUpdate) {
  Library lenet5(Use::Training, lenet5_network, GetParam(), /*maxBatch=*/4);
  nnc_context *context = lenet5.getContext(), *other = nullptr;
  ASSERT_EQ(lenet5_training_create(lenet5.getModel(), 4, &other), NNC_OK);
  std::vector<float> image(4 * LENET5_IMAGE_SIZE, 0.5f);
  std::vector<int32_t> label(4, 7);
  float loss;
  auto gradients = [&](nnc_context *target, bool accumulate) {
    return lenet5_train_gradients(target, accumulate, 4, image.data(), label.data(), &loss);
  };
  EXPECT_EQ(countIn([&] { return gradients(context, false); }), 0);
  EXPECT_EQ(countIn([&] { return gradients(context, true); }), 0);
  EXPECT_EQ(countIn([&] { return gradients(other, true); }), 0);
  EXPECT_EQ(countIn([&] { return nnc_gradients_add(context, other); }), 0);
  nnc_weight_info info;
  ASSERT_EQ(nnc_weight_at(&lenet5_network, 0, &info), NNC_OK);
  std::vector<float> values(info.count);
  EXPECT_EQ(countIn([&] { return nnc_gradient_read(context, 0, info.name, values.data(), info.count); }), 0);
  EXPECT_EQ(countIn([&] { return nnc_training_set_epoch(context, 3); }), 0);
  EXPECT_EQ(countIn([&] { return lenet5_train_update(context); }), 0);
  nnc_context_destroy(other);
}

/// A loop's tape, for sequences of one and of different lengths, and a norm to clip by.
TEST_P(Training, Tagger) {
  constexpr int64_t batch = 33, length = 77, inputs = 8;
  Library tagger(Use::Training, tagger_network, GetParam(), batch, {length});
  nnc_context *context = tagger.getContext();
  std::vector<float> x(batch * length * inputs, 0.25f);
  std::vector<int32_t> label(batch * length, 1), lengths(batch, 3);
  float loss;
  auto step = [&](int64_t size, int64_t steps, const int32_t *ragged) {
    return tagger_train_step(context, size, steps, ragged, x.data(), label.data(), &loss);
  };
  EXPECT_EQ(countIn([&] { return step(batch, length, nullptr); }), 0);
  EXPECT_EQ(countIn([&] { return step(batch, length, lengths.data()); }), 0);
  EXPECT_EQ(countIn([&] { return step(1, 1, nullptr); }), 0);
}

/// Classes as inputs, one example at a time.
TEST_P(Training, CharRnn) {
  Library names(Use::Training, char_rnn_network, GetParam(), /*maxBatch=*/1, {CHAR_RNN_MAX_T});
  std::vector<int32_t> name(CHAR_RNN_MAX_T, 20);
  const int32_t language = 2;
  float loss;
  for (int64_t length : {int64_t(7), int64_t(CHAR_RNN_MAX_T)})
    EXPECT_EQ(countIn([&] {
                return char_rnn_train_step(names.getContext(), 1, length, nullptr, name.data(), &language, &loss);
              }),
              0)
        << length;
}

/// Draws of dropout, and statistics that calls move and updates take over.
TEST_P(Training, Regularized) {
  constexpr int64_t most = 8;
  Library regularized(Use::Training, regularized_network, GetParam(), most);
  std::vector<float> image(most * REGULARIZED_IMAGE_SIZE), target(most * REGULARIZED_Y_SIZE, 1.0f);
  for (size_t i = 0; i < image.size(); ++i)
    image[i] = static_cast<float>(i % 7);
  float loss;
  for (int64_t batch : {most, int64_t(2)})
    EXPECT_EQ(countIn([&] {
                return regularized_train_step(regularized.getContext(), batch, image.data(), target.data(), &loss);
              }),
              0)
        << batch;
}

/// Nor do calls that are refused, or whose loss is not finite.
TEST_P(Training, RefusedCalls) {
  Library lenet5(Use::Training, lenet5_network, GetParam(), /*maxBatch=*/1);
  nnc_context *context = lenet5.getContext();
  std::vector<float> image(LENET5_IMAGE_SIZE, NAN);
  float loss;
  auto step = [&](int32_t label) { return lenet5_train_step(context, 1, image.data(), &label, &loss); };
  EXPECT_EQ(countIn([&] { return step(10); }, NNC_INVALID_ARGUMENT), 0);
  EXPECT_EQ(countIn([&] { return step(1); }, NNC_NUMERIC), 0);
  EXPECT_EQ(countIn([&] { return lenet5_train_update(context); }, NNC_INVALID_ARGUMENT), 0);
}
