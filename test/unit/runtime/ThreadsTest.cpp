//===- ThreadsTest.cpp - Parallel loops -----------------------------------===//

#include "FakeNetwork.h"

#include <gtest/gtest.h>

#include <immintrin.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <set>
#include <thread>

using namespace nnc::test;

namespace {

/// Sets the number of threads for one test.
struct Threads {
  explicit Threads(int count) { EXPECT_EQ(nnc_set_threads(count), NNC_OK); }
  ~Threads() { nnc_set_threads(0); }
};

/// A loop that notes what it did.
struct Loop {
  explicit Loop(int size, int64_t work = 100000000) : visits(size), tasks{work, nullptr, nullptr} {}

  int run(int min = 0) {
    first = min;
    auto *closure = reinterpret_cast<uint8_t *>(this);
    return nnc_kernel_parallel_for(&tasks, &Loop::visit, min, static_cast<int>(visits.size()), closure);
  }

  static int visit(void *user, int index, uint8_t *closure) {
    Loop &loop = *reinterpret_cast<Loop *>(closure);
    EXPECT_EQ(user, &loop.tasks);
    ++loop.visits[index - loop.first];
    for (++loop.arrived; loop.arrived < loop.together;)
      std::this_thread::yield();
    if ((_mm_getcsr() & 0x8040) != 0x8040)
      loop.keepsDenormals = true;
    if (loop.notesThreads) {
      std::lock_guard<std::mutex> guard(loop.lock);
      loop.threads.insert(std::this_thread::get_id());
    }
    return index - loop.first == loop.failing ? 7 : 0;
  }

  bool visitedAllOnce() const {
    for (const std::atomic<int> &count : visits)
      if (count != 1)
        return false;
    return true;
  }

  std::vector<std::atomic<int>> visits;
  nnc_tasks tasks;
  int first = 0, failing = -1;
  int together = 0; ///< how many tasks wait for each other, which takes as many threads
  std::atomic<int> arrived{0};
  std::atomic<bool> keepsDenormals{false};
  bool notesThreads = true;
  std::mutex lock;
  std::set<std::thread::id> threads;
};

} // namespace

//===----------------------------------------------------------------------===//
// How many
//===----------------------------------------------------------------------===//

static int runAll(void *, int (*)(void *, int), void *, int) { return 0; }

TEST(Threads, KernelsAreToldOfThoseThatTheirWorkIsWorth) {
  Threads threads(3);
  nnc_tasks large{100000000, nullptr, nullptr}, some{100000, nullptr, nullptr}, little{10, nullptr, nullptr};
  EXPECT_EQ(nnc_kernel_threads(&large), 3);
  EXPECT_EQ(nnc_kernel_threads(&some), 2);
  EXPECT_EQ(nnc_kernel_threads(&little), 1);
  nnc_set_threads(1);
  EXPECT_EQ(nnc_kernel_threads(&large), 1);
  large.parallel_for = runAll; // of the caller's own
  EXPECT_GT(nnc_kernel_threads(&large), 100);
}

TEST(Threads, CountIsWhatWasSet) {
  EXPECT_GE(nnc_threads(), 1);
  Threads threads(3);
  EXPECT_EQ(nnc_threads(), 3);
  EXPECT_EQ(nnc_set_threads(-1), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_threads(), 3);
  EXPECT_EQ(nnc_set_threads(1000000), NNC_OK);
  EXPECT_EQ(nnc_threads(), 256) << "the most that the pool has room for";
}

TEST(Threads, OneRunsInTheCaller) {
  Threads threads(1);
  Loop loop(100);
  EXPECT_EQ(loop.run(), 0);
  EXPECT_TRUE(loop.visitedAllOnce());
  EXPECT_EQ(loop.threads, std::set<std::thread::id>{std::this_thread::get_id()});
}

TEST(Threads, LittleWorkStaysInTheCaller) {
  Threads threads(4);
  Loop loop(100, /*work=*/1000);
  EXPECT_EQ(loop.run(), 0);
  EXPECT_TRUE(loop.visitedAllOnce());
  EXPECT_EQ(loop.threads, std::set<std::thread::id>{std::this_thread::get_id()});
}

TEST(Threads, EachTakesPart) {
  Threads threads(4);
  Loop loop(4);
  loop.together = 4;
  EXPECT_EQ(loop.run(), 0);
  EXPECT_TRUE(loop.visitedAllOnce());
  EXPECT_EQ(loop.threads.size(), 4u);
}

TEST(Threads, CountMayChangeBetweenLoops) {
  for (int count : {4, 1, 2, 8, 3, 3, 1, 5}) {
    Threads threads(count);
    Loop loop(count);
    loop.together = count;
    EXPECT_EQ(loop.run(), 0);
    EXPECT_TRUE(loop.visitedAllOnce());
    EXPECT_EQ(loop.threads.size(), static_cast<size_t>(count));
  }
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

TEST(Loop, VisitsEachIndexOnce) {
  Threads threads(3);
  for (int size = 0; size < 20; ++size)
    for (int min : {0, 5, -3}) {
      Loop loop(size);
      EXPECT_EQ(loop.run(min), 0);
      EXPECT_TRUE(loop.visitedAllOnce()) << size << " from " << min;
    }
}

// Long enough apart that workers sleep, and close enough that they spin.
/// What a loop read last is in the cache when the next one of the same kernel begins.
TEST(Loop, GoesTheOtherWayEachTime) {
  Threads threads(1);
  auto note = [](void *, int index, uint8_t *closure) {
    reinterpret_cast<std::vector<int> *>(closure)->push_back(index);
    return 0;
  };
  auto run = [&] {
    std::vector<int> order;
    nnc_tasks tasks{};
    EXPECT_EQ(nnc_kernel_parallel_for(&tasks, note, 3, 4, reinterpret_cast<uint8_t *>(&order)), 0);
    return order;
  };
  std::vector<int> forward{3, 4, 5, 6}, backward{6, 5, 4, 3};
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(run(), forward);
    EXPECT_EQ(run(), backward);
  }
}

TEST(Loop, WakesSleepingWorkers) {
  Threads threads(3);
  for (int i = 0; i < 200; ++i) {
    Loop loop(16);
    EXPECT_EQ(loop.run(), 0);
    EXPECT_TRUE(loop.visitedAllOnce());
    if (i % 20 == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// Too little work to wake anyone for: the caller takes what it handed to sleepers.
TEST(Loop, NeedsNoSleepers) {
  Threads threads(3);
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    Loop loop(16, /*work=*/200000);
    EXPECT_EQ(loop.run(), 0);
    EXPECT_TRUE(loop.visitedAllOnce());
  }
}

// Workers are kept off the caller's processor; the caller goes where it likes.
TEST(Loop, LeavesTheCallersProcessorsAlone) {
  Threads threads(3);
  cpu_set_t before, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  for (int i = 0; i < 5; ++i) {
    Loop loop(16);
    EXPECT_EQ(loop.run(), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST(Loop, GivesTheResultOfATaskThatFails) {
  for (int count : {1, 4})
    for (int failing : {0, 31, 63}) {
      Threads threads(count);
      Loop loop(64);
      loop.failing = failing;
      EXPECT_EQ(loop.run(), 7);
      Loop next(64);
      EXPECT_EQ(next.run(), 0) << "the next loop knows nothing of it";
    }
}

TEST(Loop, InsideAnotherRunsAlone) {
  Threads threads(4);
  std::atomic<int> good{0};
  nnc_tasks tasks = {100000000, nullptr, nullptr};
  auto outer = [](void *, int, uint8_t *closure) {
    Loop loop(32);
    EXPECT_EQ(loop.run(), 0);
    EXPECT_EQ(loop.threads.size(), 1u);
    *reinterpret_cast<std::atomic<int> *>(closure) += loop.visitedAllOnce();
    return 0;
  };
  EXPECT_EQ(nnc_kernel_parallel_for(&tasks, outer, 0, 8, reinterpret_cast<uint8_t *>(&good)), 0);
  EXPECT_EQ(good, 8);
}

TEST(Loop, ManyCallersShareThePool) {
  Threads threads(3);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([] {
      for (int i = 0; i < 300; ++i) {
        Loop loop(24);
        EXPECT_EQ(loop.run(), 0);
        EXPECT_TRUE(loop.visitedAllOnce());
      }
    });
  for (std::thread &caller : callers)
    caller.join();
}

//===----------------------------------------------------------------------===//
// How floats are rounded
//===----------------------------------------------------------------------===//

TEST(Loop, FlushesDenormalsAndPutsTheModeBack) {
  unsigned before = _mm_getcsr();
  for (int count : {1, 4}) {
    Threads threads(count);
    Loop loop(64);
    EXPECT_EQ(loop.run(), 0);
    EXPECT_FALSE(loop.keepsDenormals);
    EXPECT_EQ(_mm_getcsr(), before);
  }
}

//===----------------------------------------------------------------------===//
// Threads of the caller's
//===----------------------------------------------------------------------===//

namespace {

/// A parallel_for that makes a thread for each half.
struct OwnThreads {
  static int run(void *user, nnc_task task, void *data, int count) {
    ++static_cast<OwnThreads *>(user)->loops;
    std::atomic<int> code{0};
    auto half = [&](int begin, int end) {
      for (int i = begin; i < end; ++i)
        if (int result = task(data, i))
          code = result;
    };
    std::thread first(half, 0, count / 2), second(half, count / 2, count);
    first.join();
    second.join();
    return code;
  }
  std::atomic<int> loops{0};
};

} // namespace

TEST(OwnThreads, RunTheLoops) {
  OwnThreads own;
  Loop loop(64);
  loop.tasks.parallel_for = OwnThreads::run;
  loop.tasks.parallel_user = &own;
  EXPECT_EQ(loop.run(-7), 0);
  EXPECT_TRUE(loop.visitedAllOnce());
  EXPECT_FALSE(loop.keepsDenormals);
  EXPECT_EQ(loop.threads.count(std::this_thread::get_id()), 0u);
  loop.failing = 50;
  EXPECT_EQ(loop.run(), 7);
  EXPECT_EQ(own.loops, 2);
}

TEST(OwnThreads, ReachKernelsAndInitializersByTheModelsOptions) {
  OwnThreads own;
  nnc_model_options options = {};
  options.parallel_for = OwnThreads::run;
  options.parallel_user = &own;
  nnc_model *made = nullptr;
  ASSERT_EQ(nnc_model_create(&getFakeNetwork(), &options, &made), NNC_OK);
  Model model(made);
  EXPECT_GT(own.loops, 0);
  EXPECT_EQ(readWeights(model), readWeights(makeModel())) << "the same, whoever draws them";
  own.loops = 0;
  Context context = makeContext(model);
  std::vector<float> x(4, 5), y(4);
  void *arguments[] = {x.data(), y.data()};
  int64_t length = 1;
  EXPECT_EQ(nnc_run(context.get(), Infer, 4, &length, nullptr, arguments), NNC_OK);
  EXPECT_EQ(y, x);
  EXPECT_EQ(own.loops, 1);
}

//===----------------------------------------------------------------------===//
// Processes
//===----------------------------------------------------------------------===//

// The threads of the pool are not in the child: it makes its own.
TEST(Loop, GoesOnInAForkedChild) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer starts no threads in a forked child";
#endif
  Threads threads(3);
  Loop before(16);
  EXPECT_EQ(before.run(), 0);
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Loop loop(3);
    loop.together = 3;
    bool good = loop.run() == 0 && loop.visitedAllOnce() && loop.threads.size() == 3;
    _exit(good ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  Loop after(16);
  EXPECT_EQ(after.run(), 0);
  EXPECT_TRUE(after.visitedAllOnce());
}
