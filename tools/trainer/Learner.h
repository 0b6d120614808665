//===- Learner.h - A network with its weights, in training ----------------===//
//
// What the loop of training needs of a network. Library.h has the one that runs
// a compiled library; tests have their own.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_TOOLS_TRAINER_LEARNER_H
#define NNC_TOOLS_TRAINER_LEARNER_H

#include "Batches.h"

namespace nnc::trainer {

/// The outputs of a batch, in the order of the signature, each
/// [batch][free…][fixed…].
using Outputs = std::vector<std::vector<char>>;

/// A layer in the last step (nnc_layer_statistics); numbers are negative where there are none.
struct LayerState {
  std::string layer, operation, source;
  double error = -1, saturated = -1, dead = -1;
};

class Learner {
public:
  virtual ~Learner() = default;

  virtual const Signature &getSignature() const = 0;

  /// Takes a step of the optimizer on this batch and gives its loss before the
  /// step. On an error the weights are as they were.
  virtual llvm::Expected<float> step(Batch &batch) = 0;

  /// The first part of a step over several batches: sets the gradients to this
  /// batch's, or adds them. Gives the batch's loss.
  virtual llvm::Expected<float> addGradients(Batch &batch, bool accumulate) = 0;

  /// The last part of such a step.
  virtual llvm::Error update() = 0;

  /// Runs inference on the batch's inputs.
  virtual llvm::Error infer(Batch &batch, Outputs &outputs) = 0;

  /// Steps taken, and the epoch, which the optimizer's rate may depend on.
  virtual int64_t getStep() const = 0;
  virtual int64_t getEpoch() const = 0;
  virtual llvm::Error setEpoch(int64_t epoch) = 0;

  /// The optimizer's rate in the next step.
  virtual double getRate() const = 0;

  /// Everything that training goes on from, and the weights alone. Both are
  /// written whole or not at all.
  virtual llvm::Error save(llvm::StringRef path) = 0;
  virtual llvm::Error load(llvm::StringRef path) = 0;
  virtual llvm::Error saveWeights(llvm::StringRef path) = 0;

  /// What the last step found in each layer; none where that is not recorded.
  virtual std::vector<LayerState> getLayers() { return {}; }

  /// Writes how long kernels took, where that is measured.
  virtual llvm::Error saveProfile(llvm::StringRef table, llvm::StringRef trace) { return llvm::Error::success(); }
};

} // namespace nnc::trainer

#endif // NNC_TOOLS_TRAINER_LEARNER_H
