//===- HistoryTest.cpp - Lines that survive crashes and full disks --------===//

#include "tools/trainer/History.h"
#include "Files.h"

#include <gtest/gtest.h>

#include <csignal>
#include <sys/resource.h>

using namespace nnc::test;
using namespace nnc::trainer;
using llvm::json::Object;

namespace {

Object makeCheckpoint(int64_t epoch, int64_t step) {
  return Object{{"event", "checkpoint"}, {"epoch", epoch}, {"step", step}};
}

/// A history with checkpoints of steps 5 and 9, and a line behind each.
void writeSample(const std::string &path) {
  History history = llvm::cantFail(History::create(path));
  llvm::cantFail(history.append(Object{{"event", "start"}, {"seed", "1"}}));
  for (int64_t step : {5, 9}) {
    llvm::cantFail(history.append(makeCheckpoint(0, step)));
    llvm::cantFail(history.append(Object{{"event", "loss"}, {"loss", 0.1 * static_cast<double>(step)}}));
  }
}

} // namespace

TEST(History, GivesBackTheSameNumbers) {
  Folder folder;
  double third = 1.0 / 3;
  {
    History history = llvm::cantFail(History::create(folder / "h"));
    llvm::cantFail(history.append(Object{{"event", "loss"}, {"loss", third}}));
    llvm::cantFail(history.flush());
  }
  std::vector<Object> events = llvm::cantFail(readHistory(folder / "h"));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(getEvent(events[0]), "loss");
  EXPECT_EQ(events[0].getNumber("loss"), third) << "to the last bit";
}

// What came after the checkpoint will happen again.
TEST(History, ResumesBehindACheckpoint) {
  Folder folder;
  writeSample(folder / "h");
  {
    History history = llvm::cantFail(History::resume(folder / "h", 0, 5));
    EXPECT_EQ(history.getEvents().size(), 2u);
    llvm::cantFail(history.append(Object{{"event", "epoch"}}));
  }
  std::vector<Object> events = llvm::cantFail(readHistory(folder / "h"));
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(getEvent(events[2]), "epoch");
}

// A process that is killed leaves any prefix of what it wrote.
TEST(History, ResumesFromALineThatIsCutOff) {
  Folder folder;
  writeSample(folder / "h");
  std::string whole = readText(folder / "h");
  size_t checkpoint = whole.find("\n", whole.find("\"step\":5")) + 1;
  for (size_t size = checkpoint; size < whole.size(); ++size) {
    writeText(folder / "cut", whole.substr(0, size));
    History history = llvm::cantFail(History::resume(folder / "cut", 0, 5));
    EXPECT_EQ(history.getEvents().size(), 2u) << size;
    EXPECT_EQ(readText(folder / "cut"), whole.substr(0, checkpoint)) << size;
  }
}

TEST(History, SaysWhichCheckpointIsMissing) {
  Folder folder;
  writeSample(folder / "h");
  EXPECT_EQ(getError(History::resume(folder / "h", 0, 6)), folder / "h" + ": has no checkpoint of step 6");
  EXPECT_EQ(getError(History::resume(folder / "h", 1, 5)), folder / "h" + ": has no checkpoint of step 5");
  EXPECT_EQ(getError(History::resume(folder / "none", 0, 5)), folder / "none" + ": No such file or directory");
  std::string before = readText(folder / "h");
  writeSample(folder / "h");
  EXPECT_EQ(readText(folder / "h"), before) << "nothing was removed";
}

// The file ends in a whole line, and has all of them once there is room again.
TEST(History, SurvivesAFullDisk) {
  Folder folder;
  History history = llvm::cantFail(History::create(folder / "h"));
  llvm::cantFail(history.append(makeCheckpoint(0, 1)));
  std::string first = readText(folder / "h");

  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = before;
  limit.rlim_cur = first.size() + 5;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::string error = llvm::toString(history.append(makeCheckpoint(0, 2)));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);

  EXPECT_EQ(error, folder / "h" + ": File too large");
  EXPECT_EQ(readText(folder / "h"), first);
  llvm::cantFail(history.append(makeCheckpoint(0, 3)));
  std::vector<Object> events = llvm::cantFail(readHistory(folder / "h"));
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[1].getInteger("step"), 2);
}
