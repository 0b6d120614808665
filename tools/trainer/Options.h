//===- Options.h - What the user asks nnc-train for -----------------------===//

#ifndef NNC_TOOLS_TRAINER_OPTIONS_H
#define NNC_TOOLS_TRAINER_OPTIONS_H

#include "Trainer.h"

namespace nnc::trainer {

/// What nnc-train ends with. A run that a signal stopped ends with 128 + its
/// number, as shells have it.
enum class ExitCode {
  Success = 0,
  Failed = 1,     ///< the loss is not finite, or what was learned could not be saved
  WrongUsage = 2, ///< the command line
  InputOutput = 3 ///< the library or a data set cannot be read, or do not fit together
};

/// The command line.
struct Options {
  std::string library; ///< a shared library that nnc wrote
  std::string network; ///< in the library; empty: the one that the file is named after
  std::string train;   ///< the train block; empty: the first
  std::string data, heldOut, weights;
  int threads = 0; ///< 0: one a processor
  Settings settings;
};

/// Reads the command line. Gives an exit code instead when there is nothing to
/// train.
std::optional<ExitCode> parseOptions(int argc, char **argv, Options &options);

} // namespace nnc::trainer

#endif // NNC_TOOLS_TRAINER_OPTIONS_H
