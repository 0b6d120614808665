//===- TrainTest.cpp - Steps, gradients, updates --------------------------===//

#include "Training.h"

#include <cmath>
#include <limits>
#include <thread>

using namespace nnc::test;

using Floats = std::vector<float>;

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

// One example: bias[1] is 1/2, x is 3, so that the loss is 25/4 and the gradient -5.
TEST(Train, StepMovesTheWeights) {
  Trainer trainer;
  ASSERT_EQ(trainer.step({{3}}, {{1}}), NNC_OK) << trainer.error();
  EXPECT_EQ(trainer.loss, 6.25f);
  Floats bias(20, 0.5f);
  bias[1] += 0.5f * 5;
  EXPECT_EQ(readWeight(trainer.model, "dense.bias"), bias);
  EXPECT_EQ(nnc_training_step(trainer.context.get()), 1);
  EXPECT_EQ(nnc_training_examples(trainer.context.get()), 0);
}

// The gradient of a mean, what the optimizer keeps, and the rate of each step.
TEST(Train, StepsFollowMomentumAndTheRate) {
  Trainer trainer;
  float bias = 0.5f, slot = 0;
  for (int step = 0; step < 5; ++step) {
    nnc_training_set_epoch(trainer.context.get(), step / 3);
    ASSERT_EQ(trainer.step({{3}, {1}}, {{1}, {1}}), NNC_OK) << trainer.error();
    slot = slot / 2 + (2 * (bias - 3) + 2 * (bias - 1)) / 2;
    bias -= (step < 2 ? 0.5f : 0.25f) / static_cast<float>(1 + step / 3) * slot;
    EXPECT_EQ(readWeight(trainer.model, "dense.bias")[1], bias) << step;
  }
  EXPECT_EQ(nnc_training_epoch(trainer.context.get()), 1);
  EXPECT_EQ(nnc_training_step(trainer.context.get()), 5);
}

// A sum, two slots, and corrections of 1 - beta^step.
TEST(Train, EachTrainBlockHasItsOwnOptimizer) {
  Trainer trainer;
  ASSERT_EQ(trainer.step({{3}}, {{2}}), NNC_OK);
  float bias = readWeight(trainer.model, "dense.bias")[2], slot0 = 0, slot1 = 0;
  for (int step = 1; step <= 3; ++step) {
    ASSERT_EQ(trainer.step({{3}, {1}}, {{2}, {2}}, Whole), NNC_OK);
    float gradient = 2 * (bias - 3) + 2 * (bias - 1);
    EXPECT_EQ(trainer.loss, (bias - 3) * (bias - 3) + (bias - 1) * (bias - 1));
    slot0 = slot0 / 2 + gradient / 2;
    slot1 = slot1 * 3 / 4 + gradient * gradient / 4;
    float deviation = std::sqrt(slot1 / static_cast<float>(1 - std::pow(0.75, step))) + 1;
    bias -= 0.125f * slot0 / static_cast<float>(1 - std::pow(0.5, step)) / deviation;
    EXPECT_EQ(readWeight(trainer.model, "dense.bias")[2], bias) << step;
  }
  EXPECT_EQ(nnc_training_step(trainer.context.get()), 4);
}

// Weights that infer prepared are prepared anew.
TEST(Train, InferenceSeesTheNewWeights) {
  Trainer trainer;
  EXPECT_EQ(trainer.infer(1), 1);
  ASSERT_EQ(trainer.step({{3}}, {{0}}), NNC_OK);
  EXPECT_EQ(trainer.infer(1), 6) << "a context that trains can infer too";
  Context other = makeContext(trainer.model);
  std::swap(other, trainer.context);
  EXPECT_EQ(trainer.infer(1), 6);
}

// Past an example's end neither input nor label matters.
TEST(Train, TakesExamplesOfDifferentLengths) {
  Trainer trainer;
  trainer.lengths = {2, 0};
  float nan = std::numeric_limits<float>::quiet_NaN();
  ASSERT_EQ(trainer.step({{3, 3, nan}, {nan, nan, nan}}, {{1, 2, -7}, {99, 20, -1}}), NNC_OK) << trainer.error();
  EXPECT_EQ(trainer.loss, 6.25f);
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

TEST(Gradients, AreThoseOfTheMean) {
  Trainer trainer;
  ASSERT_EQ(trainer.gradients({{3}, {1}}, {{1}, {2}}), NNC_OK);
  Floats expected(20);
  expected[1] = -2.5f;
  expected[2] = -0.5f;
  EXPECT_EQ(trainer.readGradient("dense.bias"), expected);
  EXPECT_EQ(nnc_training_examples(trainer.context.get()), 2);
  EXPECT_EQ(readWeight(trainer.model, "dense.bias"), Floats(20, 0.5f)) << "the weights are as they were";
}

TEST(Gradients, OrOfTheSum) {
  Trainer trainer;
  ASSERT_EQ(trainer.gradients({{3}, {1}}, {{1}, {2}}, /*accumulate=*/false, Whole), NNC_OK);
  EXPECT_EQ(trainer.readGradient("dense.bias", Whole)[1], -5);
}

// Each of a different number of examples; what an earlier one left is replaced.
TEST(Gradients, OfPartsAddUpToThoseOfTheWhole) {
  Trainer parts, whole;
  ASSERT_EQ(parts.gradients({{8}}, {{8}}), NNC_OK);
  ASSERT_EQ(parts.gradients({{3}}, {{1}}), NNC_OK);
  ASSERT_EQ(parts.gradients({{1}, {5}}, {{1}, {2}}, /*accumulate=*/true), NNC_OK);
  ASSERT_EQ(parts.gradients({{7}}, {{0}}, /*accumulate=*/true), NNC_OK);
  ASSERT_EQ(whole.gradients({{3}, {1}, {5}, {7}}, {{1}, {1}, {2}, {0}}), NNC_OK);
  EXPECT_EQ(parts.readGradient("dense.bias"), whole.readGradient("dense.bias"));
  EXPECT_EQ(parts.readGradient("conv.kernel"), whole.readGradient("conv.kernel"));
  EXPECT_EQ(parts.update(), NNC_OK);
  EXPECT_EQ(whole.update(), NNC_OK);
  EXPECT_EQ(readWeight(parts.model, "dense.bias"), readWeight(whole.model, "dense.bias"));
  EXPECT_EQ(readWeight(parts.model, "mean")[0], ((0.0f + 3) / 2 + 6) / 2 + 7) << "in the order of the calls";
  EXPECT_EQ(readWeight(whole.model, "mean")[0], 16);
}

// Without any yet, there is nothing to add to.
TEST(Gradients, MayBeAccumulatedFromTheFirst) {
  Trainer trainer;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(trainer.gradients({{3}}, {{1}}, /*accumulate=*/true), NNC_OK) << trainer.error();
    EXPECT_EQ(trainer.readGradient("dense.bias")[1], -5);
  }
  EXPECT_EQ(nnc_training_examples(trainer.context.get()), 3);
}

TEST(Gradients, LeaveRunningStatisticsToTheUpdate) {
  Trainer trainer;
  ASSERT_EQ(trainer.gradients({{3}}, {{1}}), NNC_OK);
  ASSERT_EQ(trainer.gradients({{4}}, {{1}}), NNC_OK);
  EXPECT_EQ(readWeight(trainer.model, "mean")[0], 0);
  ASSERT_EQ(trainer.update(), NNC_OK);
  EXPECT_EQ(readWeight(trainer.model, "mean")[0], 4);
}

TEST(Gradients, OfTwoContextsAreAdded) {
  Trainer first, whole;
  Trainer second(first.model);
  ASSERT_EQ(second.gradients({{1}, {5}}, {{1}, {2}}), NNC_OK);
  ASSERT_EQ(nnc_gradients_add(first.context.get(), second.context.get()), NNC_OK) << "to none";
  ASSERT_EQ(second.gradients({{3}, {7}}, {{1}, {0}}), NNC_OK);
  ASSERT_EQ(nnc_gradients_add(first.context.get(), second.context.get()), NNC_OK) << first.error();
  EXPECT_EQ(nnc_training_examples(second.context.get()), 0);
  ASSERT_EQ(whole.gradients({{3}, {1}, {5}, {7}}, {{1}, {1}, {2}, {0}}), NNC_OK);
  EXPECT_EQ(first.readGradient("dense.bias"), whole.readGradient("dense.bias"));
  ASSERT_EQ(first.update(), NNC_OK);
  ASSERT_EQ(whole.update(), NNC_OK);
  EXPECT_EQ(readWeight(first.model, "dense.bias"), readWeight(whole.model, "dense.bias"));
  EXPECT_EQ(readWeight(first.model, "mean")[0], 6) << "of the other's first";
}

// As data-parallel training does: everyone its share at once, then one update.
TEST(Gradients, AreComputedOnSeveralThreads) {
  Trainer first, alone;
  Trainer second(first.model);
  for (int round = 0; round < 20; ++round) {
    std::thread thread([&] { EXPECT_EQ(second.gradients({{1}, {5}}, {{1}, {2}}), NNC_OK); });
    EXPECT_EQ(first.gradients({{3}, {7}}, {{1}, {0}}), NNC_OK);
    thread.join();
    ASSERT_EQ(nnc_gradients_add(first.context.get(), second.context.get()), NNC_OK);
    ASSERT_EQ(first.update(), NNC_OK);
    ASSERT_EQ(alone.gradients({{3}, {7}}, {{1}, {0}}), NNC_OK);
    ASSERT_EQ(alone.gradients({{1}, {5}}, {{1}, {2}}, /*accumulate=*/true), NNC_OK);
    ASSERT_EQ(alone.update(), NNC_OK);
  }
  EXPECT_EQ(readWeight(first.model, "dense.bias"), readWeight(alone.model, "dense.bias"));
}

// Other numbers in each call; the same again from the same seed.
TEST(Gradients, DrawRandomNumbersFromTheSeed) {
  auto draw = [](Trainer &trainer) {
    Floats drawn;
    for (int i = 0; i < 8; ++i) {
      EXPECT_EQ(trainer.gradients({{3}}, {{1}}), NNC_OK);
      drawn.push_back(trainer.readGradient("start")[0]);
    }
    return drawn;
  };
  Trainer trainer, other;
  Floats first = draw(trainer);
  EXPECT_GT(std::set<float>(first.begin(), first.end()).size(), 4u);
  EXPECT_NE(draw(trainer), first);
  EXPECT_EQ(draw(other), first);
  ASSERT_EQ(nnc_training_seed(trainer.context.get(), 1), NNC_OK);
  EXPECT_NE(draw(trainer), first);
  ASSERT_EQ(nnc_training_seed(trainer.context.get(), 0), NNC_OK);
  EXPECT_EQ(draw(trainer), first);
}

//===----------------------------------------------------------------------===//
// Losses that are not finite
//===----------------------------------------------------------------------===//

TEST(Train, LossThatIsNotFiniteLeavesEverythingAsItWas) {
  Trainer trainer, other;
  ASSERT_EQ(trainer.step({{3}}, {{1}}), NNC_OK);
  ASSERT_EQ(other.step({{3}}, {{1}}), NNC_OK);
  Floats before = readWeights(trainer.model);
  float nan = std::numeric_limits<float>::quiet_NaN();
  for (float x : {std::numeric_limits<float>::infinity(), nan, std::copysign(nan, -1.0f), 1e30f}) {
    EXPECT_EQ(trainer.step({{x}}, {{1}}), NNC_NUMERIC);
    EXPECT_FALSE(std::isfinite(trainer.loss));
    EXPECT_EQ(trainer.error(),
              std::isnan(trainer.loss) ? "train_gradients: the loss is nan" : "train_gradients: the loss is inf");
    EXPECT_EQ(readWeights(trainer.model), before);
    EXPECT_EQ(nnc_training_step(trainer.context.get()), 1);
  }
  EXPECT_EQ(trainer.update(), NNC_INVALID_ARGUMENT) << "and there is nothing to update by";
  ASSERT_EQ(trainer.step({{2}}, {{1}}), NNC_OK);
  ASSERT_EQ(other.step({{2}}, {{1}}), NNC_OK);
  EXPECT_EQ(readWeight(trainer.model, "dense.bias"), readWeight(other.model, "dense.bias"));
  EXPECT_EQ(readWeight(trainer.model, "mean"), readWeight(other.model, "mean"));
}

TEST(Gradients, ThatCannotBeAddedLeaveThoseThatAreThere) {
  Trainer trainer;
  ASSERT_EQ(trainer.gradients({{3}}, {{1}}), NNC_OK);
  EXPECT_EQ(trainer.gradients({{1e30f}}, {{1}}, /*accumulate=*/true), NNC_NUMERIC);
  EXPECT_EQ(nnc_training_examples(trainer.context.get()), 1);
  EXPECT_EQ(trainer.readGradient("dense.bias")[1], -5);
  ASSERT_EQ(trainer.update(), NNC_OK);
  EXPECT_EQ(readWeight(trainer.model, "mean")[0], 3);
}

TEST(Train, RateThatIsNotFiniteLeavesTheWeights) {
  nnc_network network = getFakeNetwork();
  nnc_train train = network.trains[0];
  train.rate = [](double step, double) { return 1 / step; };
  network.trains = &train;
  network.train_count = 1;
  Trainer trainer(makeModel(network));
  Floats before = readWeights(trainer.model);
  EXPECT_EQ(trainer.step({{3}}, {{1}}), NNC_NUMERIC);
  EXPECT_EQ(trainer.error(), "train: the rate is inf at step 0 of epoch 0");
  EXPECT_EQ(readWeights(trainer.model), before);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

// Those that infer pay nothing.
TEST(Train, TakesMemoryInContextsThatTrainAlone) {
  nnc_network network = getFakeNetwork();
  int64_t length = 8;
  size_t with = nnc_context_memory_size(&network, 4, &length),
         training = nnc_training_memory_size(&network, 4, &length);
  EXPECT_GE(training, with + 3 * network.trainable_size + 2 * network.weights_size);
  network.function_count = 3;
  network.train_count = 0;
  size_t without = nnc_context_memory_size(&network, 4, &length);
  EXPECT_LE(with, without + 64) << "but for a place in the list of functions";
}

// The fake functions compute in their callers' buffers, and go through all steps at once.
TEST(Train, SaysInHowMuchWorkspaceItComputes) {
  int64_t length = 5, steps = 0, none = 0;
  EXPECT_EQ(nnc_training_workspace_size(&getFakeNetwork(), Train, 4, &length, &steps), 0u);
  EXPECT_EQ(steps, 5);
  steps = -1;
  for (int32_t train : {-1, 2})
    EXPECT_EQ(nnc_training_workspace_size(&getFakeNetwork(), train, 4, &length, &steps), 0u);
  EXPECT_EQ(nnc_training_workspace_size(&getFakeNetwork(), Train, 0, &length, &steps), 0u);
  EXPECT_EQ(nnc_training_workspace_size(&getFakeNetwork(), Train, 4, &none, &steps), 0u);
  EXPECT_EQ(nnc_training_workspace_size(nullptr, Train, 4, &length, &steps), 0u);
  EXPECT_EQ(steps, -1);
}

TEST(Train, LivesInTheCallersMemory) {
  Trainer trainer, other;
  int64_t length = 8;
  nnc_context_options options = {};
  options.memory_size = nnc_training_memory_size(&getFakeNetwork(), 4, &length);
  options.memory = std::aligned_alloc(64, options.memory_size);
  std::memset(options.memory, 0xff, options.memory_size); // What was there must not matter.
  nnc_context *made = nullptr;
  ASSERT_EQ(nnc_training_create(trainer.model.get(), &options, 4, &length, &made), NNC_OK);
  trainer.context.reset(made);
  for (Trainer *each : {&trainer, &other}) {
    ASSERT_EQ(each->gradients({{3}}, {{1}}), NNC_OK);
    ASSERT_EQ(each->gradients({{4}}, {{2}}, /*accumulate=*/true), NNC_OK);
    ASSERT_EQ(each->update(), NNC_OK);
  }
  EXPECT_EQ(readWeights(trainer.model), readWeights(other.model));
  options.memory_size -= 1;
  EXPECT_EQ(nnc_training_create(trainer.model.get(), &options, 4, &length, &made), NNC_OUT_OF_MEMORY);
  trainer.context.reset();
  std::free(options.memory);
}
