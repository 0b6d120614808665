//===- Work.cpp - How much a kernel computes ------------------------------===//

#include "compiler/emit/Work.h"

#include "compiler/emit/Interface.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::emit;

std::string emit::getCallerProduct(StringRef product, ArrayAttr extents) {
  SmallVector<nn::Length> result;
  for (const nn::Length &length : nn::parseProduct(product)) {
    unsigned index;
    StringRef symbol = length.symbol;
    if (!symbol.consume_front("d") || symbol.getAsInteger(10, index) || index >= extents.size()) {
      result.push_back(length);
      continue;
    }
    // Only an extent that is a product of several lengths cannot be shifted,
    // and the outliner makes such only of rows, which no window looks across.
    SmallVector<nn::Length> given = nn::parseProduct(cast<StringAttr>(extents[index]).getValue());
    for (nn::Length &factor : given)
      result.push_back(given.size() == 1 ? factor.after(length.offset, length.stride) : factor);
  }
  return nn::printProduct(result);
}

/// Operations for each element of what an op computes.
static int64_t getWorkPerElement(nn::ComputeOp op) {
  int64_t reduction = op.getReductionSize();
  bool multiplies = op.getFamily() == nn::Family::Dense || op.getFamily() == nn::Family::Conv;
  return std::max<int64_t>(1, multiplies ? 2 * reduction : reduction);
}

Work emit::getWork(nn::LaunchOp launch, nn::KernelOp kernel) {
  Work work;
  kernel.getBody().walk([&](nn::ComputeOp op) {
    RankedTensorType type = nn::getType(op->getResult(0));
    if (isa<nn::SumOp, nn::MeanOp>(op) &&
        nn::getDynamicRank(nn::getType(op->getOperand(0))) > nn::getDynamicRank(type)) {
      RankedTensorType summed = nn::getType(op->getOperand(0));
      work[getCallerProduct(getUnit(summed), launch.getExtents())] += nn::getFixedSize(summed);
      return;
    }
    // A sum over rows takes as long as they are many.
    bool sumsRows = op->hasTrait<nn::OpTrait::SumsRows>();
    std::string unit = getUnit(sumsRows ? nn::getType(op->getOperands().back()) : type);
    work[getCallerProduct(unit, launch.getExtents())] += nn::getFixedSize(type) * getWorkPerElement(op);
  });
  return work;
}

Work emit::getTraffic(nn::LaunchOp launch) {
  Work bytes;
  llvm::SmallPtrSet<void *, 8> seen;
  auto add = [&](Value value) {
    if (seen.insert(value.getAsOpaquePointer()).second)
      bytes[getUnit(nn::getType(value))] += getFixedBytes(nn::getType(value));
  };
  llvm::for_each(launch.getInputs(), add);
  llvm::for_each(launch.getResults(), add);
  return bytes;
}

Work emit::getWork(func::FuncOp function) {
  Work work;
  function.walk([&](nn::LaunchOp launch) {
    auto kernel = SymbolTable::lookupNearestSymbolFrom<nn::KernelOp>(launch, launch.getKernelAttr());
    std::string times;
    for (auto loop = launch->getParentOfType<nn::EachOp>(); loop; loop = loop->getParentOfType<nn::EachOp>())
      times = loop.getTrip().str() + "*" + times;
    for (auto &[unit, count] : getWork(launch, kernel))
      work[times + unit] += count;
  });
  return work;
}
