//===- Batches.h - The order of examples, and batches of them -------------===//

#ifndef NNC_TOOLS_TRAINER_BATCHES_H
#define NNC_TOOLS_TRAINER_BATCHES_H

#include "DataSet.h"

namespace nnc::trainer {

/// The order in which an epoch sees `size` examples: a permutation that depends
/// on nothing but size, seed and epoch, on every machine.
std::vector<int64_t> shuffle(int64_t size, uint64_t seed, int64_t epoch);

/// What a call is handed. Its memory is reused from batch to batch.
class Batch {
public:
  /// Fills in these examples. A shorter example is padded with zeros behind its
  /// end to the longest of the batch.
  void fill(const DataSet &set, llvm::ArrayRef<int64_t> examples);

  int64_t getSize() const { return size; }

  /// The longest example in each free dimension; at least 1.
  llvm::ArrayRef<int64_t> getLengths() const { return lengths; }

  /// For each free dimension the length of each example, or null where all have
  /// the full one.
  llvm::ArrayRef<const int32_t *> getRagged() const { return ragged; }

  /// The data of each column, [size][free…][fixed…].
  void *getData(size_t column) { return data[column].data(); }
  size_t getColumnCount() const { return data.size(); }

private:
  void setLengths(const DataSet &set, llvm::ArrayRef<int64_t> examples);
  void fillColumn(const DataSet &set, const Column &column, llvm::ArrayRef<int64_t> examples, std::vector<char> &bytes);

  int64_t size = 0;
  std::vector<int64_t> lengths;
  std::vector<std::vector<int32_t>> own; ///< of each free dimension, the length of each example
  std::vector<const int32_t *> ragged;
  std::vector<std::vector<char>> data;
};

} // namespace nnc::trainer

#endif // NNC_TOOLS_TRAINER_BATCHES_H
