//===- History.h - What happened in training, as lines of JSON ------------===//
//
// One event a line, each with the field "event":
//
//   start       what is trained, on what, how
//   loss        the mean loss of the examples since the last such line
//   epoch       the end of an epoch: its mean loss, and the held-out set
//   checkpoint  where the trainer stands; written before the checkpoint itself,
//               which holds the same step, so that the two can be matched
//
//===----------------------------------------------------------------------===//

#ifndef NNC_TOOLS_TRAINER_HISTORY_H
#define NNC_TOOLS_TRAINER_HISTORY_H

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <string>
#include <vector>

namespace nnc::trainer {

/// The type of an event; "" when it has none.
llvm::StringRef getEvent(const llvm::json::Object &event);

/// Every event of a history file. What follows a line that is not whole, as a
/// process that was killed may leave, is not given.
llvm::Expected<std::vector<llvm::json::Object>> readHistory(llvm::StringRef path);

/// A history file that is written to.
class History {
public:
  /// Begins an empty one; what was there is gone.
  static llvm::Expected<History> create(llvm::StringRef path);

  /// Goes on behind the last "checkpoint" event with these numbers; what came
  /// later is removed. An error when there is none.
  static llvm::Expected<History> resume(llvm::StringRef path, int64_t epoch, int64_t step);

  History(History &&other);
  History &operator=(History &&) = delete;
  ~History();

  /// Adds a line. When the disk takes no more, the file ends in a whole line, and
  /// the next call writes what is missing.
  llvm::Error append(llvm::json::Object event);

  /// Waits until the disk has every line.
  llvm::Error flush();

  const std::vector<llvm::json::Object> &getEvents() const { return events; }

private:
  History(llvm::StringRef path, int file) : path(path), file(file) {}
  llvm::Error writePending();

  std::string path;
  int file;
  int64_t size = 0;    ///< of the whole lines in the file
  std::string pending; ///< lines that are not in the file yet
  std::vector<llvm::json::Object> events;
};

} // namespace nnc::trainer

#endif // NNC_TOOLS_TRAINER_HISTORY_H
