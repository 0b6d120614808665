//===- Workers.h - Jobs in processes of their own -------------------------===//

#ifndef NNC_COMPILER_EMIT_WORKERS_H
#define NNC_COMPILER_EMIT_WORKERS_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <chrono>
#include <string>
#include <vector>

namespace nnc::emit {

/// What a job may take before it is ended.
struct WorkerLimits {
  unsigned processes = 0; ///< at once; 0: one a processor
  std::chrono::seconds time{60};
  uint64_t addressSpace = uint64_t(8) << 30; ///< bytes
};

/// Runs work(0) … work(count - 1), each in a process forked from this one, and
/// gives what they return, in order. Each sees this process's memory as it is
/// now and nothing of the others, so results do not depend on their order.
///
/// A job that throws, crashes, or exceeds a limit becomes an error that says so.
/// To be called while this process has one thread.
std::vector<llvm::Expected<std::string>>
runInProcesses(size_t count, llvm::function_ref<llvm::Expected<std::string>(size_t)> work, const WorkerLimits &limits);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_WORKERS_H
