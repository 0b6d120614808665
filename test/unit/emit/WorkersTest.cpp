//===- WorkersTest.cpp - Jobs in processes of their own -------------------===//

#include "compiler/emit/Workers.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <thread>
#include <unistd.h>

using namespace nnc::emit;

/// The result, or the error's text behind "error: ".
static std::string getText(llvm::Expected<std::string> &result) {
  return result ? *result : "error: " + llvm::toString(result.takeError());
}

static std::string runOne(llvm::function_ref<llvm::Expected<std::string>()> work, WorkerLimits limits = {}) {
  auto results = runInProcesses(1, [&](size_t) { return work(); }, limits);
  return getText(results.front());
}

/// However many run at once, results are in the order of the jobs.
TEST(Workers, KeepsOrder) {
  for (unsigned processes : {1u, 3u, 0u}) {
    WorkerLimits limits;
    limits.processes = processes;
    auto results = runInProcesses(
        7,
        [](size_t job) -> llvm::Expected<std::string> {
          usleep((7 - job) * 1000);
          return "job " + std::to_string(job);
        },
        limits);
    ASSERT_EQ(results.size(), 7u);
    for (size_t job = 0; job < results.size(); ++job)
      EXPECT_EQ(getText(results[job]), "job " + std::to_string(job));
  }
}

/// No jobs, no processes.
TEST(Workers, NoJobs) {
  EXPECT_TRUE(runInProcesses(0, [](size_t) -> llvm::Expected<std::string> { return "never"; }, {}).empty());
}

/// A result may hold any bytes, more than a pipe does, or none.
TEST(Workers, AnyBytes) {
  std::string large(10 << 20, '\0');
  for (size_t i = 0; i < large.size(); ++i)
    large[i] = static_cast<char>(i * 7);
  EXPECT_EQ(runOne([&]() -> llvm::Expected<std::string> { return large; }), large);
  EXPECT_EQ(runOne([]() -> llvm::Expected<std::string> { return ""; }), "");
}

/// What a job changes in its memory, the parent and the other jobs do not see.
TEST(Workers, MemoryIsItsOwn) {
  int counter = 0;
  auto results =
      runInProcesses(3, [&](size_t) -> llvm::Expected<std::string> { return std::to_string(++counter); }, {});
  for (auto &result : results)
    EXPECT_EQ(getText(result), "1");
  EXPECT_EQ(counter, 0);
}

/// An error comes back with its text, and the others' results with it.
TEST(Workers, OneFails) {
  auto results = runInProcesses(2,
                                [](size_t job) -> llvm::Expected<std::string> {
                                  if (job == 0)
                                    return llvm::createStringError("no such tile");
                                  return "fine";
                                },
                                {});
  EXPECT_EQ(getText(results[0]), "error: no such tile");
  EXPECT_EQ(getText(results[1]), "fine");
}

TEST(Workers, Crash) {
  std::string text = runOne([]() -> llvm::Expected<std::string> {
    raise(SIGSEGV);
    return "";
  });
  EXPECT_EQ(text, "error: crashed: Segmentation fault");
}

TEST(Workers, Exit) {
  std::string text = runOne([]() -> llvm::Expected<std::string> { _exit(0); });
  EXPECT_EQ(text, "error: ended without a result");
}

/// A job that does not end is ended.
TEST(Workers, TimeLimit) {
  WorkerLimits limits;
  limits.time = std::chrono::seconds(1);
  std::string text = runOne(
      []() -> llvm::Expected<std::string> {
        for (;;)
          pause();
      },
      limits);
  EXPECT_EQ(text, "error: took more than 1 seconds");
}

/// A job that takes all memory fails alone.
TEST(Workers, MemoryLimit) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer reserves more than any limit";
#endif
  WorkerLimits limits;
  limits.addressSpace = uint64_t(2) << 30;
  std::string text = runOne(
      []() -> llvm::Expected<std::string> {
        void *memory = std::malloc(size_t(4) << 30);
        return memory ? "enough" : "too little";
      },
      limits);
  EXPECT_EQ(text, "too little");
}
