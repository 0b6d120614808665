//===- StatisticsTest.cpp - What training records --------------------------===//
//
// The values are compared with PyTorch's by test/conformance/run_recorded.py; here is
// what a network says that records nothing.
//
//===----------------------------------------------------------------------===//

#include "Training.h"

using namespace nnc::test;

TEST(Statistics, NetworkWithoutThemSaysSo) {
  Trainer trainer;
  ASSERT_EQ(trainer.step({{3}}, {{1}}), NNC_OK) << trainer.error();
  nnc_layer_statistics layer;
  EXPECT_EQ(nnc_statistics_count(&getFakeNetwork(), Train), 0);
  EXPECT_EQ(nnc_statistics_at(trainer.context.get(), Train, 0, &layer), NNC_UNSUPPORTED);
  EXPECT_NE(trainer.error().find("without -gradient-stats"), std::string::npos) << trainer.error();
  EXPECT_EQ(nnc_first_not_finite(trainer.context.get(), Train, &layer), NNC_UNSUPPORTED);
  int64_t length = 1;
  EXPECT_EQ(nnc_gradient_flow(trainer.context.get(), Train, 1, &length, nullptr, nullptr), NNC_UNSUPPORTED);
  nnc_train_info info;
  ASSERT_EQ(nnc_train_at(&getFakeNetwork(), Train, &info), NNC_OK);
  EXPECT_EQ(info.flow, -1);
}

TEST(Statistics, ArgumentsAreChecked) {
  nnc_layer_statistics layer;
  int64_t length = 1;
  EXPECT_EQ(nnc_statistics_count(nullptr, 0), 0);
  EXPECT_EQ(nnc_statistics_count(&getFakeNetwork(), -1), 0);
  EXPECT_EQ(nnc_statistics_at(nullptr, 0, 0, &layer), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_first_not_finite(nullptr, 0, &layer), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_gradient_flow(nullptr, 0, 1, &length, nullptr, nullptr), NNC_INVALID_ARGUMENT);
  Trainer trainer;
  EXPECT_EQ(nnc_statistics_at(trainer.context.get(), 99, 0, &layer), NNC_INVALID_ARGUMENT);
}
