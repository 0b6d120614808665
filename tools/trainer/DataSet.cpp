//===- DataSet.cpp - Examples to train on or to test with -----------------===//

#include "DataSet.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;
using namespace nnc::trainer;

static std::string describeShape(ArrayRef<int64_t> shape) {
  return "[" + join(map_range(shape, [](int64_t extent) { return std::to_string(extent); }), ", ") + "]";
}

namespace nnc::trainer {

class DataSetReader {
public:
  DataSetReader(const TensorFile &file, const Signature &signature)
      : file(file), signature(signature), arguments(signature.getColumns()) {}

  Expected<DataSet> read();

private:
  Error checkNames() const;
  Error readLengths(int32_t freeDim);
  Error inferLengths(int32_t freeDim);
  Error readColumn(const Argument &argument);
  Error checkShape(const Argument &argument, const Tensor &tensor, int64_t steps) const;
  Error checkClasses(const Column &column) const;
  Error setSize(int64_t count, const Twine &whose);
  std::vector<int64_t> getStarts(const Argument &argument) const;
  bool isFull(const Argument &argument, const Tensor &tensor) const;

  const TensorFile &file;
  const Signature &signature;
  std::vector<Argument> arguments;
  DataSet set;
  bool hasSize = false;
  std::string sizeOf; ///< the tensor that gave the number of examples
};

} // namespace nnc::trainer

//===----------------------------------------------------------------------===//
// Names and the number of examples
//===----------------------------------------------------------------------===//

Error DataSetReader::checkNames() const {
  StringMap<char> known;
  for (const Argument &argument : arguments) {
    known[argument.name];
    if (!file.find(argument.name))
      return createStringError("there is no tensor " + argument.name + "; there are: " + join(file.getNames(), ", "));
  }
  for (const FreeDim &dim : signature.freeDims)
    known[dim.name + ".lengths"];
  for (const std::string &name : file.getNames())
    if (!known.count(name))
      return createStringError("network " + signature.network + " has no input or label " + name);
  return Error::success();
}

Error DataSetReader::setSize(int64_t count, const Twine &whose) {
  if (hasSize && count != set.size)
    return createStringError(whose + " has " + Twine(count) + " examples, " + sizeOf + " has " + Twine(set.size));
  if (count == 0)
    return createStringError(whose + " has no examples");
  if (!hasSize)
    sizeOf = whose.str();
  hasSize = true;
  set.size = count;
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Lengths
//===----------------------------------------------------------------------===//

Error DataSetReader::readLengths(int32_t freeDim) {
  const FreeDim &dim = signature.freeDims[freeDim];
  std::string name = dim.name + ".lengths";
  const Tensor *tensor = file.find(name);
  if (!tensor)
    return inferLengths(freeDim);
  Expected<std::vector<int32_t>> lengths = tensor->readInts();
  if (!lengths)
    return createStringError(name + " " + toString(lengths.takeError()));
  if (tensor->shape.size() != 1)
    return createStringError(name + " is " + describeShape(tensor->shape) + ", not [examples]");
  if (Error error = setSize(tensor->shape[0], name))
    return error;
  for (size_t i = 0; i < lengths->size(); ++i) {
    int32_t length = (*lengths)[i];
    if (length < 0 || (dim.bound != 0 && length > dim.bound))
      return createStringError(name + ": example " + Twine(i) + " is " + Twine(length) +
                               " long; the network takes 0 to " + (dim.bound ? Twine(dim.bound) : Twine("any length")));
  }
  set.lengths[freeDim] = std::move(*lengths);
  return Error::success();
}

/// Whether a tensor has a dimension for the examples and one for each free
/// dimension, as those that are all of one length may.
bool DataSetReader::isFull(const Argument &argument, const Tensor &tensor) const {
  return tensor.shape.size() == 1 + argument.shape.size();
}

/// All examples are as long as the tensors say that have this dimension.
Error DataSetReader::inferLengths(int32_t freeDim) {
  const FreeDim &dim = signature.freeDims[freeDim];
  for (const Argument &argument : arguments) {
    const Tensor &tensor = *file.find(argument.name);
    for (auto [place, own] : enumerate(argument.shape)) {
      if (own.free != freeDim)
        continue;
      if (!isFull(argument, tensor))
        return createStringError("there is no tensor " + dim.name + ".lengths, and " + argument.name + " is " +
                                 describeShape(tensor.shape) + " without dimension " + dim.name);
      if (Error error = setSize(tensor.shape[0], argument.name))
        return error;
      int64_t length = tensor.shape[1 + place];
      if (length > INT32_MAX || (dim.bound != 0 && length > dim.bound))
        return createStringError(argument.name + " is " + Twine(length) + " long; the network takes up to " +
                                 Twine(dim.bound ? dim.bound : INT32_MAX));
      set.lengths[freeDim].assign(set.size, static_cast<int32_t>(length));
      return Error::success();
    }
  }
  return createStringError("there is no tensor " + dim.name + ".lengths");
}

//===----------------------------------------------------------------------===//
// Columns
//===----------------------------------------------------------------------===//

/// Where each example's elements begin in the tensor of this argument.
std::vector<int64_t> DataSetReader::getStarts(const Argument &argument) const {
  std::vector<int64_t> starts = {0};
  std::vector<int64_t> own(signature.freeDims.size());
  for (int64_t example = 0; example < set.size; ++example) {
    for (size_t dim = 0; dim < own.size(); ++dim)
      own[dim] = set.lengths[dim][example];
    starts.push_back(starts.back() + argument.getCount(own));
  }
  return starts;
}

/// `steps` of all examples together, or as many examples where none is free.
Error DataSetReader::checkShape(const Argument &argument, const Tensor &tensor, int64_t steps) const {
  std::vector<int64_t> flat = {steps}, full = {set.size};
  for (const Dim &dim : argument.getFixedDims())
    flat.push_back(dim.size);
  for (const Dim &dim : argument.shape)
    full.push_back(dim.isFixed() || set.lengths[dim.free].empty() ? dim.size : set.lengths[dim.free].front());
  if (tensor.shape == flat)
    return Error::success();
  bool equal = all_of(argument.getFreeDims(), [&](const Dim &dim) { return all_equal(set.lengths[dim.free]); });
  if (equal && tensor.shape == full)
    return Error::success();
  return createStringError(argument.name + " is " + describeShape(tensor.shape) + ", and should be " +
                           describeShape(flat) + (argument.getFreeDims().empty() ? "" : " by the lengths"));
}

Error DataSetReader::checkClasses(const Column &column) const {
  int64_t classes = column.argument.classes;
  if (classes == 0)
    return Error::success();
  for (int64_t example = 0; example < set.size; ++example)
    for (int64_t i = column.starts[example]; i < column.starts[example + 1]; ++i)
      if (column.ints[i] < 0 || column.ints[i] >= classes)
        return createStringError(column.argument.name + ": example " + Twine(example) + " has class " +
                                 Twine(column.ints[i]) + "; there are 0 to " + Twine(classes - 1));
  return Error::success();
}

Error DataSetReader::readColumn(const Argument &argument) {
  const Tensor &tensor = *file.find(argument.name);
  if (argument.getFreeDims().empty()) {
    if (tensor.shape.empty())
      return createStringError(argument.name + " has no dimension for the examples");
    if (Error error = setSize(tensor.shape[0], argument.name))
      return error;
  }
  Column column{argument, {}, {}, getStarts(argument)};
  int64_t steps =
      argument.getFreeDims().empty() ? set.size : column.starts.back() / std::max<int64_t>(1, argument.getStepSize());
  if (Error error = checkShape(argument, tensor, steps))
    return error;
  if (argument.element == Element::Float) {
    Expected<std::vector<float>> floats = tensor.readFloats();
    if (!floats)
      return createStringError(argument.name + " " + toString(floats.takeError()));
    column.floats = std::move(*floats);
  } else {
    Expected<std::vector<int32_t>> ints = tensor.readInts();
    if (!ints)
      return createStringError(argument.name + " " + toString(ints.takeError()));
    column.ints = std::move(*ints);
  }
  if (Error error = checkClasses(column))
    return error;
  set.columns.push_back(std::move(column));
  return Error::success();
}

Expected<DataSet> DataSetReader::read() {
  if (Error error = checkNames())
    return error;
  set.lengths.resize(signature.freeDims.size());
  for (size_t dim = 0; dim < signature.freeDims.size(); ++dim)
    if (Error error = readLengths(static_cast<int32_t>(dim)))
      return error;
  for (const Argument &argument : arguments)
    if (Error error = readColumn(argument))
      return error;
  set.fingerprint = file.getFingerprint();
  return std::move(set);
}

Expected<DataSet> DataSet::read(StringRef path, const Signature &signature) {
  Expected<TensorFile> file = TensorFile::open(path);
  if (!file)
    return file.takeError();
  Expected<DataSet> set = DataSetReader(*file, signature).read();
  if (!set)
    return createStringError(path + ": " + toString(set.takeError()));
  return set;
}

std::vector<int64_t> DataSet::getLongest() const {
  std::vector<int64_t> longest;
  for (const std::vector<int32_t> &own : lengths)
    longest.push_back(std::max<int64_t>(1, *max_element(own)));
  return longest;
}
