//===- Workers.cpp - Jobs in processes of their own -----------------------===//
//
// A child writes one byte, 0 for a result and 1 for an error, then the bytes of
// it, to a pipe, and ends. The parent reads all pipes at once, so that no child
// waits for it.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/Workers.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Signals.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace nnc::emit;

using Clock = std::chrono::steady_clock;

namespace {

/// A process at work.
struct Worker {
  size_t job;
  pid_t process;
  int pipe;
  Clock::time_point deadline;
  std::string bytes;
};

} // namespace

//===----------------------------------------------------------------------===//
// The child
//===----------------------------------------------------------------------===//

static void writeAll(int file, llvm::StringRef bytes) {
  while (!bytes.empty()) {
    ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      _exit(1);
    bytes = bytes.drop_front(written);
  }
}

/// Ends with the parent, by the default action of every signal, and within its
/// memory.
static void confine(const WorkerLimits &limits, pid_t parent) {
  llvm::sys::unregisterHandlers();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(1);
  rlimit core{0, 0};
  setrlimit(RLIMIT_CORE, &core);
#ifndef __SANITIZE_ADDRESS__ // which reserves more than any limit
  rlimit space{limits.addressSpace, limits.addressSpace};
  setrlimit(RLIMIT_AS, &space);
#endif
}

[[noreturn]] static void runChild(int pipe, size_t job, llvm::function_ref<llvm::Expected<std::string>(size_t)> work) {
  llvm::Expected<std::string> result = work(job);
  if (result) {
    writeAll(pipe, llvm::StringRef("\0", 1));
    writeAll(pipe, *result);
  } else {
    writeAll(pipe, "\1");
    writeAll(pipe, llvm::toString(result.takeError()));
  }
  close(pipe);
  // Not exit: what the parent registered for its own end is not the child's.
  _exit(0);
}

//===----------------------------------------------------------------------===//
// The parent
//===----------------------------------------------------------------------===//

namespace {

class Pool {
public:
  Pool(size_t count, llvm::function_ref<llvm::Expected<std::string>(size_t)> work, const WorkerLimits &limits)
      : work(work), limits(limits), results(count) {}

  std::vector<llvm::Expected<std::string>> run() {
    size_t processes = limits.processes ? limits.processes : std::max(1u, std::thread::hardware_concurrency());
    for (size_t next = 0; next < results.size() || !workers.empty();) {
      while (next < results.size() && workers.size() < processes)
        start(next++);
      wait();
    }
    std::vector<llvm::Expected<std::string>> all;
    for (std::optional<llvm::Expected<std::string>> &result : results)
      all.push_back(std::move(*result));
    return all;
  }

private:
  void start(size_t job);
  void wait();
  bool read(Worker &worker);
  void finish(Worker &worker, bool timedOut);
  void fail(size_t job, const llvm::Twine &message) { results[job].emplace(llvm::createStringError(message)); }

  llvm::function_ref<llvm::Expected<std::string>(size_t)> work;
  const WorkerLimits &limits;
  std::vector<std::optional<llvm::Expected<std::string>>> results;
  std::vector<Worker> workers;
};

} // namespace

void Pool::start(size_t job) {
  int ends[2];
  if (pipe(ends) != 0)
    return fail(job, llvm::Twine("no pipe can be made: ") + std::strerror(errno));
  pid_t parent = getpid();
  pid_t process = fork();
  if (process == 0) {
    close(ends[0]);
    confine(limits, parent);
    runChild(ends[1], job, work);
  }
  close(ends[1]);
  if (process < 0) {
    close(ends[0]);
    return fail(job, llvm::Twine("no process can be made: ") + std::strerror(errno));
  }
  workers.push_back({job, process, ends[0], Clock::now() + limits.time, {}});
}

/// Reads what there is; false at the end.
bool Pool::read(Worker &worker) {
  char buffer[1 << 16];
  ssize_t size = ::read(worker.pipe, buffer, sizeof buffer);
  if (size > 0)
    worker.bytes.append(buffer, size);
  return size > 0 || (size < 0 && (errno == EINTR || errno == EAGAIN));
}

/// Waits until a worker writes, ends, or has had its time.
void Pool::wait() {
  if (workers.empty())
    return;
  std::vector<pollfd> files;
  Clock::time_point first = workers.front().deadline;
  for (Worker &worker : workers) {
    files.push_back({worker.pipe, POLLIN, 0});
    first = std::min(first, worker.deadline);
  }
  auto left = std::chrono::ceil<std::chrono::milliseconds>(first - Clock::now()).count();
  poll(files.data(), files.size(), static_cast<int>(std::max<int64_t>(left, 0)));
  std::vector<Worker> busy;
  for (auto [index, worker] : llvm::enumerate(workers)) {
    bool ended = files[index].revents != 0 && !read(worker);
    bool timedOut = !ended && Clock::now() >= worker.deadline;
    if (ended || timedOut)
      finish(worker, timedOut);
    else
      busy.push_back(std::move(worker));
  }
  workers = std::move(busy);
}

void Pool::finish(Worker &worker, bool timedOut) {
  if (timedOut)
    kill(worker.process, SIGKILL);
  close(worker.pipe);
  int status = 0;
  while (waitpid(worker.process, &status, 0) < 0 && errno == EINTR)
    ;
  if (timedOut)
    return fail(worker.job, "took more than " + llvm::Twine(limits.time.count()) + " seconds");
  if (WIFSIGNALED(status))
    return fail(worker.job, llvm::Twine("crashed: ") + strsignal(WTERMSIG(status)));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || worker.bytes.empty())
    return fail(worker.job, "ended without a result");
  if (worker.bytes.front() != 0)
    return fail(worker.job, llvm::StringRef(worker.bytes).drop_front());
  results[worker.job].emplace(worker.bytes.substr(1));
}

std::vector<llvm::Expected<std::string>>
nnc::emit::runInProcesses(size_t count, llvm::function_ref<llvm::Expected<std::string>(size_t)> work,
                          const WorkerLimits &limits) {
  return Pool(count, work, limits).run();
}
