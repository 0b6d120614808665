//===- Trainer.h - The loop of training -----------------------------------===//
//
// A run has a folder:
//
//   checkpoint.safetensors   what the run goes on from: weights, optimizer, step
//   history.jsonl            what happened (History.h)
//   history.svg              the same as a picture
//   best.safetensors         the weights of the best epoch
//   weights.safetensors      the weights at the end
//   profile.txt, .json       how long kernels took, where the library measures it
//
// A run that is resumed gives the same bits as one that was never stopped: the
// order of examples depends on seed and epoch alone, and a checkpoint is matched
// with the line of the history that says where in the epoch it was made.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_TOOLS_TRAINER_TRAINER_H
#define NNC_TOOLS_TRAINER_TRAINER_H

#include "History.h"
#include "Learner.h"
#include "Metrics.h"
#include "Progress.h"

#include <functional>

namespace nnc::trainer {

struct Settings {
  std::string folder;            ///< of the run; made when it is not there
  bool resume = false;           ///< go on from the folder's checkpoint
  int64_t epochs = 10;           ///< in all, those before a resume included
  int64_t patience = 0;          ///< stop after so many epochs without improvement; 0: never
  double improvement = 1e-3;     ///< share by which the loss must fall to count as one
  int64_t batch = 0;             ///< examples of a step; 0: as the program says
  int64_t chunk = 0;             ///< most examples of a call; 0: as many as a step has, up to DefaultChunk
  uint64_t seed = 0;             ///< of the order of examples
  int64_t lossLines = 20;        ///< "loss" events of an epoch
  double checkpointSeconds = 60; ///< between checkpoints within an epoch
  bool showsLayers = false;      ///< print after each epoch what its last step found in each layer
  std::string output;            ///< the output that is compared with the labels; empty: the first that fits
};

/// A step of more examples than this is taken in several calls, so that a full
/// batch needs no more memory than a part of it.
constexpr int64_t DefaultChunk = 256;

/// Examples of a step, and the most of a call, as settings, program and data say.
int64_t getBatch(const Settings &settings, const Signature &signature, int64_t examples);
int64_t getChunk(const Settings &settings, int64_t batch);

/// Why training ended.
enum class Outcome { Finished, Converged, Stopped };

/// How a loss has fallen from epoch to epoch.
struct Convergence {
  double best = 0;
  int64_t epochs = 0;    ///< seen
  int64_t sinceBest = 0; ///< epochs without improvement

  /// Takes an epoch's loss. Gives whether it is the least so far.
  bool add(double loss, double improvement);
};

class Trainer {
public:
  /// `heldOut` may be null. `shouldStop` is asked after every step; what was
  /// learned is saved before training ends.
  Trainer(Learner &learner, const DataSet &train, const DataSet *heldOut, Settings settings, Progress &progress,
          std::function<bool()> shouldStop);

  llvm::Expected<Outcome> run();

private:
  /// Where the running epoch stands.
  struct Position {
    int64_t examples = 0; ///< seen
    double lossSum = 0;   ///< over them
    double lineSum = 0;   ///< over those since the last "loss" event
    int64_t lineExamples = 0;
    double seconds = 0;
  };

  llvm::Error begin();
  llvm::Error resume();
  llvm::json::Object describeRun() const;
  llvm::Error checkSameRun(const llvm::json::Object &start) const;

  llvm::Expected<bool> runEpoch();
  llvm::Error endEpoch();
  llvm::Expected<double> takeStep(llvm::ArrayRef<int64_t> examples);
  void logLoss();
  void logLayers();
  void show(double started);
  void saveCheckpoint();
  void savePlot();
  llvm::Error saveWeights(llvm::StringRef file);
  bool hasConverged() const;
  std::string getPath(llvm::StringRef file) const;

  /// Prints what could not be saved; training goes on, and tries again.
  void warn(llvm::Error error);
  void record(llvm::json::Object event);

  Learner &learner;
  const DataSet &train, *heldOut;
  Settings settings;
  Progress &progress;
  std::function<bool()> shouldStop;
  int64_t batchSize, chunk;
  std::optional<Pairing> pairing;
  std::optional<History> history;
  Convergence convergence;
  Position position;
  Batch batch;
  double lastCheckpoint = 0, examplesPerSecond = 0;
  int64_t resumedAt = 0; ///< examples of the epoch that were seen before this process began
  bool isSaved = true;   ///< whether the last checkpoint could be written
};

} // namespace nnc::trainer

#endif // NNC_TOOLS_TRAINER_TRAINER_H
