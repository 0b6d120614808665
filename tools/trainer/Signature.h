//===- Signature.h - What a network takes and gives, and how it is trained ===//
//
// Filled from the description that a library carries; the rest of the trainer
// reads only this.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_TOOLS_TRAINER_SIGNATURE_H
#define NNC_TOOLS_TRAINER_SIGNATURE_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nnc::trainer {

/// One extent of an argument: fixed, or floor((length + offset) / stride) of a
/// free dimension's length, and never negative.
struct Dim {
  static constexpr int32_t Fixed = -1;

  int32_t free = Fixed; ///< index into Signature::freeDims, or Fixed
  int64_t size = 0;     ///< the extent, when fixed
  int64_t offset = 0;
  int64_t stride = 1;

  bool isFixed() const { return free == Fixed; }

  /// The extent when the free dimensions have these lengths.
  int64_t getExtent(llvm::ArrayRef<int64_t> lengths) const;

  bool operator==(const Dim &other) const {
    return free == other.free && size == other.size && offset == other.offset && stride == other.stride;
  }
};

enum class Element { Float, Int, Bool };

/// Bytes of one element in a call: float, int32_t or uint8_t.
int64_t getSize(Element element);

/// An input, a label or an output. Its shape is that of one example, free
/// dimensions before fixed ones.
struct Argument {
  std::string name;
  Element element = Element::Float;
  int64_t classes = 0; ///< values are in [0, classes); 0: they are not classes
  std::vector<Dim> shape;

  /// The free dimensions, and the fixed ones behind them.
  llvm::ArrayRef<Dim> getFreeDims() const;
  llvm::ArrayRef<Dim> getFixedDims() const;

  /// Elements of one step: the product of the fixed dimensions.
  int64_t getStepSize() const;

  /// Elements of an example when the free dimensions have these lengths; what
  /// does not fit in memory counts as 2^48.
  int64_t getCount(llvm::ArrayRef<int64_t> lengths) const;
};

struct FreeDim {
  std::string name;
  int64_t bound = 0; ///< the longest; 0: unbounded
};

enum class BatchKind { Online, Mini, Full };

struct Signature {
  std::string network;
  std::string train; ///< name of the train block
  std::string optimizer;
  std::vector<FreeDim> freeDims;
  std::vector<Argument> inputs, labels, outputs;
  BatchKind batch = BatchKind::Mini;
  int64_t batchSize = 1; ///< of BatchKind::Mini
  bool sumsLoss = false; ///< a batch's loss is the sum over its examples, not the mean

  /// Inputs, then labels: what an example of a data set has.
  std::vector<Argument> getColumns() const;
};

} // namespace nnc::trainer

#endif // NNC_TOOLS_TRAINER_SIGNATURE_H
