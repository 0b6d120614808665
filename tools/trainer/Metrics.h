//===- Metrics.h - How good answers are -----------------------------------===//

#ifndef NNC_TOOLS_TRAINER_METRICS_H
#define NNC_TOOLS_TRAINER_METRICS_H

#include "Learner.h"

#include <optional>

namespace nnc::trainer {

/// How good the answers to a data set are. Padding behind an example's end does
/// not count.
struct Metrics {
  /// -log of the probability that the output gives the label, mean over all
  /// labels; of outputs that are scores, probabilities or their logarithms.
  std::optional<double> crossEntropy;

  /// Mean of the squared differences; for labels that are not classes.
  std::optional<double> meanSquaredError;

  /// Share of labels whose class the output gives, or scores highest.
  std::optional<double> accuracy;

  /// Share of examples all of whose labels are right; for labels of sequences.
  std::optional<double> exact;

  /// What should fall: cross entropy, else the squared error, else the share that
  /// is wrong.
  double getLoss() const;
};

/// A label and the output that answers it, as indices into the signature.
struct Pairing {
  size_t label, output;
};

/// Finds the output that a label of the network is compared with: a label of
/// classes with the first output of the same classes, or of a score for each; any
/// other with the first output of its shape. `output` names the one to take; empty:
/// the first that fits. Nothing when there is none.
std::optional<Pairing> findPairing(const Signature &signature, llvm::StringRef output = "");

/// Sums up the answers to one batch after the other.
class MetricsCounter {
public:
  MetricsCounter(const Signature &signature, const Pairing &pairing);

  void add(Batch &batch, const Outputs &outputs);
  Metrics get() const;

private:
  bool addExample(const float *scores, const int32_t *chosen, const void *labels, int64_t labelCount);
  bool addScores(const float *scores, int32_t label);
  void addFloats(const float *answer, const float *label, int64_t count);

  const Argument &label, &output;
  size_t labelColumn, outputIndex;
  int64_t labels = 0, right = 0, examples = 0, exact = 0;
  double squares = 0;
  /// The cross entropy under each reading of the scores, and whether all of them
  /// can be read so.
  double fromProbabilities = 0, fromLogarithms = 0, fromLogits = 0;
  bool areProbabilities = true, areLogarithms = true;
};

/// Runs the learner on a whole data set, in batches of up to `batch` examples.
llvm::Expected<Metrics> evaluate(Learner &learner, const DataSet &set, const Pairing &pairing, int64_t batch);

} // namespace nnc::trainer

#endif // NNC_TOOLS_TRAINER_METRICS_H
