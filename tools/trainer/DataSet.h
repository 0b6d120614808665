//===- DataSet.h - Examples to train on or to test with -------------------===//
//
// A data set is a safetensors file with a tensor for each input and label, under
// its name. Where no dimension is free, a tensor is [examples][shape of one].
// Else the tensor `<dim>.lengths` says how long each example is in that
// dimension, and the steps of all examples follow one another: [sum of the
// lengths][shape of a step], with two free dimensions [sum of their products].
// When all are equally long, `<dim>.lengths` may be left out and the tensor be
// [examples][length][shape of a step].
//
//===----------------------------------------------------------------------===//

#ifndef NNC_TOOLS_TRAINER_DATASET_H
#define NNC_TOOLS_TRAINER_DATASET_H

#include "Signature.h"
#include "TensorFile.h"

namespace nnc::trainer {

/// An input or label of all examples, in the form that a call takes.
struct Column {
  Argument argument;
  std::vector<float> floats;   ///< for Element::Float
  std::vector<int32_t> ints;   ///< for the others
  std::vector<int64_t> starts; ///< where each example begins, and behind the last
};

class DataSet {
public:
  /// Reads what `signature` takes, and checks every shape, length and class. Tensors
  /// that it does not take are an error, as a misspelt name would be one of them.
  /// Errors begin with the path and name the tensor and the example.
  static llvm::Expected<DataSet> read(llvm::StringRef path, const Signature &signature);

  /// Number of examples.
  int64_t getSize() const { return size; }

  /// Inputs, then labels.
  llvm::ArrayRef<Column> getColumns() const { return columns; }

  size_t getFreeDimCount() const { return lengths.size(); }

  /// How long the examples are in a free dimension.
  llvm::ArrayRef<int32_t> getLengths(int32_t freeDim) const { return lengths[freeDim]; }

  /// The longest example in each free dimension; at least 1.
  std::vector<int64_t> getLongest() const;

  uint64_t getFingerprint() const { return fingerprint; }

private:
  friend class DataSetReader;

  int64_t size = 0;
  std::vector<Column> columns;
  std::vector<std::vector<int32_t>> lengths; ///< for each free dimension
  uint64_t fingerprint = 0;
};

} // namespace nnc::trainer

#endif // NNC_TOOLS_TRAINER_DATASET_H
