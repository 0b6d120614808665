//===- Readers.cpp - Ops that move to the cluster that reads them ---------===//
//
// A cluster takes what follows from it element by element. Where another cluster alone
// reads the result, that can compute it as well: then the result is neither written nor
// read, but what it is made of may have to be. An op moves if fewer bytes go through
// memory so, with what is computed for it alone.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Clusters.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// The one cluster besides its home that reads an op's result, element by element or as a sum does; null where others
/// read it, too.
Cluster *Clusters::getReader(Operation *op, Cluster &home) {
  Cluster *reader = nullptr;
  for (Operation *user : op->getUsers()) {
    Cluster *next = user->getBlock() == &block ? homes.lookup(user) : nullptr;
    bool readsOnce = isElementwise(user)
                         ? getExtents(getType(user->getResult(0))) == getExtents(getType(op->getResult(0)))
                         : isa<SumOp, MeanOp, ReduceMaxOp, ReduceMinOp>(user);
    if (!next || !next->isGroup || next == &home || next->family == Family::Reshape || !readsOnce ||
        (reader && reader != next))
      return nullptr;
    reader = next;
  }
  return reader;
}

static bool canSink(Operation *op) { return isa<NegOp, SquareOp, AddOp, SubOp, MulOp, SelectOp, MaxOp, MinOp>(op); }

/// An op with what its home computes for it alone; users come before what they use.
SmallVector<Operation *> Clusters::getWithOwn(Operation *op, Cluster &home) {
  llvm::SmallSetVector<Operation *, 4> ops;
  ops.insert(op);
  for (size_t index = 0; index < ops.size(); ++index)
    for (Value operand : ops[index]->getOperands()) {
      Operation *source = operand.getDefiningOp();
      if (source && homes.lookup(source) == &home && canSink(source) &&
          llvm::all_of(source->getUsers(), [&](Operation *user) { return ops.contains(user); }))
        ops.insert(source);
    }
  return ops.takeVector();
}

/// How many bytes more go through memory for each element when `reader` computes these, of which it reads the first.
int64_t Clusters::countSunkBytes(ArrayRef<Operation *> ops, Cluster &home, Cluster &reader) {
  RankedTensorType type = getType(ops.front()->getResult(0));
  auto getBytes = [](Value value) { return std::max<int64_t>(1, getType(value).getElementTypeBitWidth() / 8); };
  auto isReadIn = [&](Value value, Cluster &cluster) {
    return getHome(value) == &cluster || llvm::any_of(value.getUsers(), [&](Operation *user) {
             return !llvm::is_contained(ops, user) && homes.lookup(user) == &cluster;
           });
  };
  llvm::SmallSetVector<Value, 4> operands;
  for (Operation *op : ops)
    for (Value operand : op->getOperands()) {
      Operation *source = operand.getDefiningOp();
      bool isCopied = source && isComputed(source) && isCheap(source);
      if (getExtents(getType(operand)) == getExtents(type) && !isCopied && !llvm::is_contained(ops, source))
        operands.insert(operand);
    }
  int64_t bytes = -2 * getBytes(ops.front()->getResult(0)); // is not written and not read
  for (Value operand : operands) {
    bool isOfHome = getHome(operand) == &home;
    bool isStored = llvm::any_of(operand.getUsers(), [&](Operation *user) { return homes.lookup(user) != &home; });
    if (!isReadIn(operand, reader))
      bytes += getBytes(operand);
    if (isOfHome && !isStored)
      bytes += getBytes(operand);
    if (!isOfHome && !isReadIn(operand, home))
      bytes -= getBytes(operand);
  }
  return bytes;
}

void Clusters::sinkToReaders() {
  for (Operation &op : llvm::reverse(block)) {
    Cluster *home = homes.lookup(&op);
    Cluster *reader = home && home->isGroup && canSink(&op) ? getReader(&op, *home) : nullptr;
    if (!reader)
      continue;
    SmallVector<Operation *> ops = getWithOwn(&op, *home);
    if (countSunkBytes(ops, *home, *reader) >= 0)
      ops = {&op};
    if (countSunkBytes(ops, *home, *reader) >= 0)
      continue;
    for (Operation *sunk : ops) {
      llvm::erase(home->ops, sunk);
      add(sunk, *reader);
    }
  }
}
