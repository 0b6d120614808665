//===- Library.h - A compiled library as a learner ------------------------===//
//
// The one part of the trainer that meets nnc's runtime.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_TOOLS_TRAINER_LIBRARY_H
#define NNC_TOOLS_TRAINER_LIBRARY_H

#include "Learner.h"

#include <nnc/runtime.h>

#include <memory>

namespace nnc::trainer {

/// A network with a train block, and what the library says about it.
class Library {
public:
  /// Loads a shared library that nnc wrote. `network` may be empty when the file
  /// is named lib<network>.so; `train` for the first train block. Libraries stay
  /// loaded.
  static llvm::Expected<Library> open(llvm::StringRef path, llvm::StringRef network, llvm::StringRef train,
                                      int threads);

  /// The same for a network that is there already.
  static llvm::Expected<Library> describe(const nnc_network *network, llvm::StringRef train);

  const Signature &getSignature() const { return signature; }

  /// Trainable weights.
  int64_t getParameterCount() const;

  /// Whether steps record what becomes of each layer: nnc -gradient-stats.
  bool recordsLayers() const;

  /// A model with a context for calls of up to `batch` examples of up to these
  /// lengths. `weights` is a file to start from; empty: random ones by `seed`.
  llvm::Expected<std::unique_ptr<Learner>> makeLearner(int64_t batch, llvm::ArrayRef<int64_t> lengths, uint64_t seed,
                                                       llvm::StringRef weights) const;

private:
  const nnc_network *network = nullptr;
  int32_t train = 0; ///< index of the train block
  Signature signature;
};

} // namespace nnc::trainer

#endif // NNC_TOOLS_TRAINER_LIBRARY_H
