//===- Call.cpp - The call that is explained ------------------------------===//

#include "compiler/explain/Call.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::explain;

llvm::Expected<Dims> explain::chooseDims(const Call &call, ArrayRef<emit::FreeDim> freeDims, int64_t batch) {
  Dims dims{{nn::batchName.str(), call.batch > 0 ? call.batch : batch}};
  for (const emit::FreeDim &dim : freeDims) {
    auto given = call.lengths.find(dim.name);
    bool isGiven = given != call.lengths.end();
    int64_t length = isGiven ? given->second : dim.bound > 0 ? std::min<int64_t>(dim.bound, 100) : 100;
    if (dim.bound > 0 && length > dim.bound)
      return llvm::createStringError("-lengths " + dim.name + "=" + Twine(length) + ": `" + dim.name + "` is at most " +
                                     Twine(dim.bound));
    dims[dim.name] = length;
  }
  return dims;
}

std::vector<int64_t> explain::getLengths(const Dims &dims, ArrayRef<emit::FreeDim> freeDims) {
  std::vector<int64_t> lengths;
  for (const emit::FreeDim &dim : freeDims)
    lengths.push_back(dims.at(dim.name));
  return lengths;
}

std::string explain::describe(const Dims &dims, ArrayRef<emit::FreeDim> freeDims) {
  std::string text;
  for (const emit::FreeDim &dim : freeDims)
    text += dim.name + " = " + std::to_string(dims.at(dim.name)) + ", ";
  return text + "batch = " + std::to_string(dims.at(nn::batchName.str()));
}

double explain::evaluate(StringRef product, const Dims &dims) {
  double result = 1;
  for (const nn::Length &length : nn::parseProduct(product)) {
    auto known = dims.find(length.symbol);
    int64_t value = known != dims.end() ? known->second : nn::getNumber(length.symbol).value_or(1);
    value = std::max<int64_t>(0, value + length.offset) / length.stride;
    result *= static_cast<double>(value);
  }
  return result;
}

double explain::evaluate(const emit::Work &work, const Dims &dims) {
  double sum = 0;
  for (auto &[unit, count] : work)
    sum += evaluate(unit, dims) * static_cast<double>(count);
  return sum;
}
