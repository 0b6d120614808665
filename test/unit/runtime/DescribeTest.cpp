//===- DescribeTest.cpp - What a network says of itself -------------------===//

#include "FakeNetwork.h"

#include <gtest/gtest.h>

using namespace nnc::test;

// What a program needs that trains any network.
TEST(Describe, TrainBlocks) {
  const nnc_network &network = getFakeNetwork();
  EXPECT_STREQ(nnc_network_name(&network), "fake");
  ASSERT_EQ(nnc_train_count(&network), 2);
  nnc_train_info info;
  ASSERT_EQ(nnc_train_at(&network, Whole, &info), NNC_OK);
  EXPECT_STREQ(info.name, "whole");
  EXPECT_STREQ(info.optimizer, "adam");
  EXPECT_EQ(info.gradients, WholeGradients);
  EXPECT_EQ(info.reduce_sum, 1);
  EXPECT_EQ(info.batch, NNC_BATCH_FULL);
  ASSERT_EQ(nnc_train_at(&network, Train, &info), NNC_OK);
  EXPECT_EQ(info.batch, NNC_BATCH_MINI);
  EXPECT_EQ(info.batch_size, 4);
}

TEST(Describe, FunctionsAndTheirArguments) {
  const nnc_network &network = getFakeNetwork();
  ASSERT_EQ(nnc_function_count(&network), 7);
  nnc_function_info function;
  ASSERT_EQ(nnc_function_at(&network, Step, &function), NNC_OK);
  EXPECT_EQ(function.is_step, 1);
  ASSERT_EQ(nnc_function_at(&network, TrainGradients, &function), NNC_OK);
  EXPECT_STREQ(function.name, "train_gradients");
  EXPECT_EQ(function.argument_count, 3);
  EXPECT_EQ(function.is_step, 0);
  nnc_argument_info argument;
  ASSERT_EQ(nnc_argument_at(&network, TrainGradients, 1, &argument), NNC_OK);
  EXPECT_STREQ(argument.name, "label");
  EXPECT_EQ(argument.element, NNC_CLASS);
  EXPECT_EQ(argument.classes, 20);
  EXPECT_EQ(argument.is_output, 0);
  ASSERT_EQ(argument.rank, 2);
  int64_t lengths[] = {6};
  EXPECT_EQ(nnc_extent_length(&argument.extents[0], 3, lengths), 3);
  EXPECT_EQ(nnc_extent_length(&argument.extents[1], 3, lengths), 6);
  ASSERT_EQ(nnc_argument_at(&network, TrainGradients, 2, &argument), NNC_OK);
  EXPECT_EQ(argument.is_output, 1);
  EXPECT_EQ(argument.rank, 0);
}

TEST(Describe, LengthsBehindWindows) {
  int64_t lengths[] = {9, 3};
  nnc_extent fixed = {-1, 5, 0, 1}, window = {1, 0, -4, 2}, empty = {2, 0, -4, 1};
  EXPECT_EQ(nnc_extent_length(&fixed, 7, lengths), 5);
  EXPECT_EQ(nnc_extent_length(&window, 7, lengths), 2);
  EXPECT_EQ(nnc_extent_length(&empty, 7, lengths), 0);
}

TEST(Describe, FreeDimensions) {
  ASSERT_EQ(nnc_free_dim_count(&getFakeNetwork()), 1);
  nnc_free_dim_info info;
  ASSERT_EQ(nnc_free_dim_at(&getFakeNetwork(), 0, &info), NNC_OK);
  EXPECT_STREQ(info.name, "T");
  EXPECT_EQ(info.bound, maxT);
}

TEST(Describe, RefusesWhatIsOutOfRange) {
  const nnc_network &network = getFakeNetwork();
  nnc_train_info train;
  nnc_function_info function;
  nnc_argument_info argument;
  nnc_free_dim_info dim;
  for (int32_t index : {-1, 7}) {
    EXPECT_EQ(nnc_train_at(&network, index, &train), NNC_INVALID_ARGUMENT);
    EXPECT_EQ(nnc_function_at(&network, index, &function), NNC_INVALID_ARGUMENT);
    EXPECT_EQ(nnc_argument_at(&network, index, 0, &argument), NNC_INVALID_ARGUMENT);
    EXPECT_EQ(nnc_argument_at(&network, 0, index, &argument), NNC_INVALID_ARGUMENT);
    EXPECT_EQ(nnc_free_dim_at(&network, index, &dim), NNC_INVALID_ARGUMENT);
  }
  EXPECT_EQ(nnc_train_at(&network, 0, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_function_at(&network, 0, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_argument_at(&network, 0, 0, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_free_dim_at(&network, 0, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_train_count(nullptr) + nnc_function_count(nullptr) + nnc_free_dim_count(nullptr), 0);
  EXPECT_EQ(nnc_network_name(nullptr), nullptr);
  EXPECT_EQ(nnc_train_at(nullptr, 0, &train), NNC_INVALID_ARGUMENT);
}
