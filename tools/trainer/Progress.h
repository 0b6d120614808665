//===- Progress.h - Where training stands, for who watches ----------------===//

#ifndef NNC_TOOLS_TRAINER_PROGRESS_H
#define NNC_TOOLS_TRAINER_PROGRESS_H

#include "llvm/ADT/Twine.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <string>

namespace nnc::trainer {

/// What is shown of a running epoch.
struct Standing {
  int64_t epoch = 1, epochs = 1;  ///< the running one, counted from 1, and how many there will be
  int64_t done = 0, examples = 1; ///< of this epoch
  double loss = 0;                ///< mean of this epoch so far
  double rate = 0;                ///< the optimizer's
  double examplesPerSecond = 0;
};

/// One line of at most `width` characters: a bar, loss, rate, examples a second,
/// and the time left of this epoch and of all.
std::string formatStanding(const Standing &standing, int width);

/// "4:07", "1:23:45", "2 d 3 h"; "-" when it is not known.
std::string formatDuration(double seconds);

/// Seconds of a clock that only goes forward.
double getSeconds();

/// Shows a standing on a terminal, on one line that is overwritten ten times a
/// second. Elsewhere only whole lines are printed.
class Progress {
public:
  Progress(llvm::raw_ostream &os, bool terminal, int width) : os(os), terminal(terminal), width(width) {}
  ~Progress() { clear(); }

  void show(const Standing &standing);

  /// Prints a line that stays.
  void print(const llvm::Twine &line);

private:
  void clear();

  llvm::raw_ostream &os;
  bool terminal;
  int width;
  bool shown = false;
  double last = 0;
};

} // namespace nnc::trainer

#endif // NNC_TOOLS_TRAINER_PROGRESS_H
