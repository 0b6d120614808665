//===- Batches.cpp - The order of examples, and batches of them -----------===//

#include "Batches.h"

#include "llvm/ADT/STLExtras.h"

#include <cstring>
#include <numeric>

using namespace llvm;
using namespace nnc::trainer;

/// The next number of a stream that begins with any state: SplitMix64 (Steele,
/// Lea & Flood, Fast splittable pseudorandom number generators, 2014).
static uint64_t next(uint64_t &state) {
  uint64_t mixed = state += 0x9e3779b97f4a7c15;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
  return mixed ^ mixed >> 31;
}

/// A number in [0, bound): the high half of a product, whose bias of bound / 2^64
/// is of no account.
static uint64_t nextBelow(uint64_t &state, uint64_t bound) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(next(state)) * bound >> 64);
}

std::vector<int64_t> nnc::trainer::shuffle(int64_t size, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(size);
  std::iota(order.begin(), order.end(), 0);
  uint64_t state = seed;
  state = next(state) + static_cast<uint64_t>(epoch);
  for (int64_t last = size - 1; last > 0; --last)
    std::swap(order[last], order[nextBelow(state, last + 1)]);
  return order;
}

void Batch::setLengths(const DataSet &set, ArrayRef<int64_t> examples) {
  size_t dims = set.getFreeDimCount();
  own.resize(dims);
  lengths.assign(dims, 1);
  ragged.assign(dims, nullptr);
  for (size_t dim = 0; dim < dims; ++dim) {
    own[dim].clear();
    for (int64_t example : examples)
      own[dim].push_back(set.getLengths(static_cast<int32_t>(dim))[example]);
    lengths[dim] = std::max<int64_t>(1, *max_element(own[dim]));
    if (!all_of(own[dim], [&](int32_t length) { return length == lengths[dim]; }))
      ragged[dim] = own[dim].data();
  }
}

/// Copies the steps of an example, `step` bytes each, to where they lie when
/// every free dimension has its full length. Gives the first byte not copied.
static const char *spread(const char *from, char *to, ArrayRef<Dim> dims, ArrayRef<int64_t> ownLengths,
                          ArrayRef<int64_t> fullLengths, int64_t step) {
  if (dims.empty()) {
    std::memcpy(to, from, step);
    return from + step;
  }
  int64_t stride = step;
  for (const Dim &dim : dims.drop_front())
    stride *= dim.getExtent(fullLengths);
  int64_t extent = dims.front().getExtent(ownLengths);
  if (dims.size() == 1) { // the innermost: all at once
    if (extent > 0)
      std::memcpy(to, from, extent * step);
    return from + extent * step;
  }
  for (int64_t i = 0; i < extent; ++i)
    from = spread(from, to + i * stride, dims.drop_front(), ownLengths, fullLengths, step);
  return from;
}

void Batch::fillColumn(const DataSet &set, const Column &column, ArrayRef<int64_t> examples, std::vector<char> &bytes) {
  const Argument &argument = column.argument;
  int64_t element = nnc::trainer::getSize(argument.element), count = argument.getCount(lengths);
  bytes.assign(std::max<size_t>(1, examples.size() * count * element), 0);
  std::vector<int64_t> ownLengths(lengths.size());
  std::vector<char> narrow; // truth values, from the int32 of the column
  for (auto [place, example] : enumerate(examples)) {
    for (size_t dim = 0; dim < lengths.size(); ++dim)
      ownLengths[dim] = own[dim][place];
    int64_t start = column.starts[example];
    const char *from = argument.element == Element::Float ? reinterpret_cast<const char *>(column.floats.data() + start)
                                                          : reinterpret_cast<const char *>(column.ints.data() + start);
    if (argument.element == Element::Bool) {
      narrow.clear();
      for (int64_t i = start; i < column.starts[example + 1]; ++i)
        narrow.push_back(column.ints[i] != 0);
      from = narrow.data();
    }
    spread(from, bytes.data() + place * count * element, argument.getFreeDims(), ownLengths, lengths,
           argument.getStepSize() * element);
  }
}

void Batch::fill(const DataSet &set, ArrayRef<int64_t> examples) {
  size = static_cast<int64_t>(examples.size());
  setLengths(set, examples);
  data.resize(set.getColumns().size());
  for (auto [column, bytes] : zip(set.getColumns(), data))
    fillColumn(set, column, examples, bytes);
}
