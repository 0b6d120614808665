//===- ProfileTest.cpp - How long kernels take -----------------------------===//
//
// A whole library is measured by test/emit/profile.test.
//
//===----------------------------------------------------------------------===//

#include "Training.h"

using namespace nnc::test;

TEST(Profile, NetworkThatIsNotMeasuredSaysSo) {
  Trainer trainer;
  nnc_group_profile group;
  EXPECT_EQ(nnc_profile_count(&getFakeNetwork()), 0);
  EXPECT_EQ(nnc_profile_at(trainer.context.get(), 0, &group), NNC_UNSUPPORTED);
  EXPECT_NE(trainer.error().find("without -profile"), std::string::npos) << trainer.error();
  EXPECT_EQ(nnc_profile_clear(trainer.context.get()), NNC_UNSUPPORTED);
  EXPECT_EQ(nnc_profile_write_trace(trainer.context.get(), "trace.json"), NNC_UNSUPPORTED);
  EXPECT_EQ(nnc_profile_write_table(trainer.context.get(), "table.txt"), NNC_UNSUPPORTED);
}

TEST(Profile, NullsAreInvalid) {
  nnc_group_profile group;
  EXPECT_EQ(nnc_profile_count(nullptr), 0);
  EXPECT_EQ(nnc_profile_at(nullptr, 0, &group), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_profile_clear(nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_profile_write_trace(nullptr, "trace.json"), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_profile_write_table(nullptr, "table.txt"), NNC_INVALID_ARGUMENT);
}
