//===- TrainMistakesTest.cpp - Training that is asked for wrongly ---------===//

#include "Training.h"

using namespace nnc::test;

using Floats = std::vector<float>;

TEST(Train, RefusesNullPointers) {
  nnc_context *context = nullptr;
  int64_t length = 1;
  float value;
  EXPECT_EQ(nnc_training_create(nullptr, nullptr, 1, &length, &context), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_train_step(nullptr, 0, 1, &length, nullptr, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_train_gradients(nullptr, 0, 0, 1, &length, nullptr, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_train_update(nullptr, 0), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_gradient_read(nullptr, 0, "start", &value, 1), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_gradients_add(nullptr, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_training_set_epoch(nullptr, 0), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_training_seed(nullptr, 0), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_training_save(nullptr, "x"), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_training_load(nullptr, "x"), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_training_step(nullptr), 0);
  EXPECT_EQ(nnc_training_epoch(nullptr), 0);
  EXPECT_EQ(nnc_training_examples(nullptr), 0);
  EXPECT_EQ(nnc_training_memory_size(nullptr, 1, &length), 0u);
  Trainer trainer;
  EXPECT_EQ(nnc_train_step(trainer.context.get(), 0, 1, &length, nullptr, nullptr), NNC_INVALID_ARGUMENT);
  void *arguments[] = {&value, nullptr, &value};
  EXPECT_EQ(nnc_train_step(trainer.context.get(), 0, 1, &length, nullptr, arguments), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "train_gradients: label is null");
}

TEST(Train, LabelsMustBeInRange) {
  Trainer trainer;
  for (int32_t label : {-1, 20, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(trainer.step({{1, 2}, {3, 4}}, {{0, 19}, {0, label}}), NNC_INVALID_ARGUMENT);
    EXPECT_EQ(trainer.error(),
              "train_gradients: label of example 1 is " + std::to_string(label) + ", it must be 0 to 19");
    EXPECT_EQ(trainer.gradients({{1}}, {{label}}), NNC_INVALID_ARGUMENT);
  }
  EXPECT_EQ(nnc_training_step(trainer.context.get()), 0);
}

TEST(Train, SizesMustBeThoseOfTheContext) {
  Trainer trainer;
  EXPECT_EQ(trainer.step({{1}, {1}, {1}, {1}, {1}}, {{0}, {0}, {0}, {0}, {0}}), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "train_gradients: the batch is 5, the context was made for 1 to 4");
  EXPECT_EQ(trainer.step({{1, 1, 1, 1, 1, 1, 1, 1, 1}}, {{0, 0, 0, 0, 0, 0, 0, 0, 0}}), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "train_gradients: T is 9, the context was made for 1 to 8");
}

TEST(Train, NeedsAContextThatTrains) {
  Trainer trainer;
  Context training = makeContext(trainer.model);
  std::swap(training, trainer.context);
  EXPECT_EQ(trainer.step({{3}}, {{1}}), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "the context cannot train: nnc_training_create makes one that can");
  EXPECT_EQ(trainer.update(), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_gradients_add(training.get(), trainer.context.get()), NNC_INVALID_ARGUMENT);
  EXPECT_STREQ(nnc_context_error(training.get()), "the other context cannot train");
  EXPECT_EQ(nnc_training_save(trainer.context.get(), "x"), NNC_INVALID_ARGUMENT);
}

TEST(Train, NeedsATrainBlock) {
  Trainer trainer;
  for (int32_t train : {-1, 2})
    EXPECT_EQ(trainer.update(train), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "fake has no train block 2, but 2 of them");
  nnc_network network = getFakeNetwork();
  network.train_count = 0;
  Model model = makeModel(network);
  nnc_context *context = nullptr;
  int64_t length = 1;
  EXPECT_EQ(nnc_training_create(model.get(), nullptr, 1, &length, &context), NNC_INVALID_ARGUMENT);
  EXPECT_STREQ(nnc_model_error(model.get()), "network fake has no train block");
  EXPECT_EQ(nnc_training_memory_size(&network, 1, &length), 0u);
}

TEST(Train, UpdateNeedsGradients) {
  Trainer trainer;
  EXPECT_EQ(trainer.update(), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "train: there are no gradients since the last update");
  ASSERT_EQ(trainer.step({{3}}, {{1}}), NNC_OK);
  EXPECT_EQ(trainer.update(), NNC_INVALID_ARGUMENT);
  ASSERT_EQ(trainer.gradients({{3}}, {{1}}), NNC_OK);
  EXPECT_EQ(trainer.update(Whole), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "whole: the gradients of 1 examples are those of train");
  EXPECT_EQ(trainer.gradients({{3}}, {{1}}, /*accumulate=*/true, Whole), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.update(), NNC_OK);
}

TEST(Train, SaysWhenAKernelFails) {
  nnc_network network = getFakeNetwork();
  std::vector<nnc_function> functions(network.functions, network.functions + network.function_count);
  network.functions = functions.data();
  Trainer trainer(makeModel(network));
  ASSERT_EQ(trainer.gradients({{3}}, {{1}}), NNC_OK);
  functions[TrainGradients].run = functions[TrainUpdate].run = [](const nnc_frame *) -> int32_t { return 1; };
  EXPECT_EQ(trainer.gradients({{3}}, {{1}}, /*accumulate=*/true), NNC_INTERNAL);
  EXPECT_EQ(trainer.error(), "train_gradients: dense (fake.nn:7): failed");
  EXPECT_EQ(trainer.update(), NNC_INTERNAL);
  EXPECT_EQ(trainer.error(), "train_update: dense (fake.nn:7): failed");
}

TEST(Gradients, AreReadByName) {
  Trainer trainer;
  float value[20];
  auto read = [&](const char *weight, int64_t count) {
    return nnc_gradient_read(trainer.context.get(), Train, weight, value, count);
  };
  EXPECT_EQ(read("start", 1), NNC_INVALID_ARGUMENT) << "there are none";
  ASSERT_EQ(trainer.gradients({{3}}, {{1}}), NNC_OK);
  EXPECT_EQ(read("start", 1), NNC_OK);
  EXPECT_EQ(read("none", 1), NNC_NOT_FOUND);
  EXPECT_EQ(trainer.error(), "network fake has no weight none");
  EXPECT_EQ(read("start", 2), NNC_SHAPE_MISMATCH);
  EXPECT_EQ(read("mean", 20), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "weight mean is a running statistic: it has no gradient");
  EXPECT_EQ(nnc_gradient_read(trainer.context.get(), Train, "start", nullptr, 1), NNC_INVALID_ARGUMENT);
}

TEST(Gradients, OfOthersMustFit) {
  Trainer trainer, other;
  auto add = [&](Trainer &from) { return nnc_gradients_add(trainer.context.get(), from.context.get()); };
  EXPECT_EQ(add(other), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "the other context has no gradients");
  EXPECT_EQ(add(trainer), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "the other context is the same");
  EXPECT_EQ(nnc_gradients_add(trainer.context.get(), nullptr), NNC_INVALID_ARGUMENT);
  nnc_network network = getFakeNetwork();
  Trainer stranger(makeModel(network));
  EXPECT_EQ(add(stranger), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "the other context is of another network");
  ASSERT_EQ(trainer.gradients({{3}}, {{1}}), NNC_OK);
  ASSERT_EQ(other.gradients({{3}}, {{1}}, /*accumulate=*/false, Whole), NNC_OK);
  EXPECT_EQ(add(other), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "the gradients here are of train, the other context's of whole");
}

TEST(Train, EpochMustNotBeNegative) {
  Trainer trainer;
  EXPECT_EQ(nnc_training_set_epoch(trainer.context.get(), -1), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "the epoch is -1: it must be at least 0");
}

TEST(Run, RefusesFunctionsThatTrain) {
  Trainer trainer;
  float value = 0;
  void *arguments[] = {&value, &value, &value};
  int64_t length = 1;
  for (int32_t function : {TrainGradients, TrainUpdate})
    EXPECT_EQ(nnc_run(trainer.context.get(), function, 1, &length, nullptr, arguments), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "train_update trains: nnc_train_step runs it");
}
