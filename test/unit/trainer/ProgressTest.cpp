//===- ProgressTest.cpp - The line that is watched ------------------------===//

#include "tools/trainer/Progress.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace nnc::trainer;

TEST(Progress, DurationsAreReadable) {
  EXPECT_EQ(formatDuration(0), "0:00");
  EXPECT_EQ(formatDuration(247), "4:07");
  EXPECT_EQ(formatDuration(59.6), "1:00");
  EXPECT_EQ(formatDuration(5025), "1:23:45");
  EXPECT_EQ(formatDuration(3600 * 51), "2 d 3 h");
  EXPECT_EQ(formatDuration(INFINITY), "-");
  EXPECT_EQ(formatDuration(NAN), "-");
}

TEST(Progress, SaysWhereTrainingStands) {
  Standing standing{2, 5, 300, 600, 0.12345, 0.01, 100};
  EXPECT_EQ(formatStanding(standing, 0),
            "epoch 2/5 [############............]  50 %  loss 0.1235  rate 0.01  100/s  left 0:03, in all 0:21");
  EXPECT_EQ(formatStanding(standing, 12), "epoch 2/5 [#");
  standing.examplesPerSecond = 0;
  EXPECT_NE(formatStanding(standing, 0).find("left -, in all -"), std::string::npos);
}

// A file gets whole lines alone; a terminal gets its line wiped before another.
TEST(Progress, DrawsOnTerminalsAlone) {
  std::string text;
  llvm::raw_string_ostream os(text);
  {
    Progress progress(os, /*terminal=*/false, 80);
    progress.show({});
    progress.print("done");
  }
  EXPECT_EQ(text, "done\n");
  text.clear();
  {
    Progress progress(os, /*terminal=*/true, 20);
    progress.show({});
    progress.show({}); // too soon to be drawn again
    progress.print("done");
  }
  EXPECT_EQ(text, "\repoch 1/1 [........\x1b[K\r\x1b[Kdone\n");
}
