//===- nnc-train.cpp - The trainer's main ---------------------------------===//

#include "Library.h"
#include "Options.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

#include <csignal>

using namespace llvm;
using namespace nnc::trainer;

/// The signal that asked to stop; 0: none.
static volatile std::sig_atomic_t stopSignal = 0;

/// The first signal lets training save what it has; the next ends the process.
static void stopOnSignals() {
  struct sigaction action = {};
  action.sa_handler = [](int signal) { stopSignal = signal; };
  action.sa_flags = SA_RESETHAND;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

static ExitCode complain(Error error, ExitCode code) {
  errs() << "nnc-train: " << toString(std::move(error)) << "\n";
  return code;
}

static std::string describe(const Library &library, const DataSet &set, const DataSet *heldOut,
                            const Settings &settings) {
  const Signature &signature = library.getSignature();
  int64_t batch = getBatch(settings, signature, set.getSize());
  std::string line;
  raw_string_ostream(line) << signature.network << ", " << library.getParameterCount() << " weights, "
                           << signature.optimizer << "; " << set.getSize() << " examples in batches of " << batch
                           << (heldOut ? ", " + std::to_string(heldOut->getSize()) + " held out" : "");
  return line;
}

static StringRef describe(Outcome outcome) {
  switch (outcome) {
  case Outcome::Finished:
    return "done";
  case Outcome::Converged:
    return "converged";
  case Outcome::Stopped:
    return "stopped; go on with -resume";
  }
  llvm_unreachable("every outcome is described");
}

/// Trains, once everything that the user named has been read.
static ExitCode train(Library &library, const DataSet &set, const DataSet *heldOut, const Options &options) {
  const Settings &settings = options.settings;
  if (heldOut && !findPairing(library.getSignature(), settings.output))
    return complain(createStringError("no output can be compared with the labels; leave -held-out away"),
                    ExitCode::InputOutput);
  if (settings.showsLayers && !library.recordsLayers())
    return complain(createStringError("-layers needs a library that was made with nnc -gradient-stats"),
                    ExitCode::InputOutput);
  std::vector<int64_t> longest = set.getLongest();
  if (heldOut)
    for (auto [own, other] : zip(longest, heldOut->getLongest()))
      own = std::max(own, other);
  int64_t chunk = getChunk(settings, getBatch(settings, library.getSignature(), set.getSize()));
  Expected<std::unique_ptr<Learner>> learner = library.makeLearner(chunk, longest, settings.seed, options.weights);
  if (!learner)
    return complain(learner.takeError(), ExitCode::InputOutput);

  Progress progress(outs(), sys::Process::StandardOutIsDisplayed(),
                    static_cast<int>(sys::Process::StandardOutColumns()));
  progress.print(describe(library, set, heldOut, settings));
  stopOnSignals();
  Expected<Outcome> outcome =
      Trainer(**learner, set, heldOut, settings, progress, [] { return stopSignal != 0; }).run();
  if (!outcome)
    return complain(outcome.takeError(), ExitCode::Failed);
  progress.print(describe(*outcome));
  return *outcome == Outcome::Stopped ? static_cast<ExitCode>(128 + stopSignal) : ExitCode::Success;
}

static ExitCode run(const Options &options) {
  Expected<Library> library = Library::open(options.library, options.network, options.train, options.threads);
  if (!library)
    return complain(library.takeError(), ExitCode::InputOutput);
  Expected<DataSet> set = DataSet::read(options.data, library->getSignature());
  if (!set)
    return complain(set.takeError(), ExitCode::InputOutput);
  if (options.heldOut.empty())
    return train(*library, *set, nullptr, options);
  Expected<DataSet> heldOut = DataSet::read(options.heldOut, library->getSignature());
  if (!heldOut)
    return complain(heldOut.takeError(), ExitCode::InputOutput);
  return train(*library, *set, &*heldOut, options);
}

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  Options options;
  if (std::optional<ExitCode> code = parseOptions(argc, argv, options))
    return static_cast<int>(*code);
  ExitCode code = run(options);
  outs().clear_error(); // where nobody can read it, training has still gone well
  return static_cast<int>(code);
}
