//===- Step.cpp - Which networks can run one step at a call ---------------===//

#include "compiler/import/Step.h"

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

#include <functional>

using namespace mlir;

namespace nnc {

namespace {

/// Finds what looks across the steps of time, but for the states of loops.
class AcrossFinder {
public:
  explicit AcrossFinder(const dsl::Function &function) : function(function) {}

  bool run() {
    return llvm::any_of(function.operations, [&](const dsl::Operation &operation) {
      return operation.each ? looksAcross(operation, *operation.each) : looksAcross(operation);
    });
  }

private:
  bool isSequence(dsl::Value value) const {
    return llvm::any_of(function.values[value].type.shape, [](const dsl::Dim &dim) { return !dim.isFixed(); });
  }
  bool isAtEnd(dsl::Value value) const { return atEnd.contains(value); }
  bool looksAcross(const dsl::Operation &operation);
  bool looksAcross(const dsl::Operation &operation, const dsl::Each &each);
  bool readsAcross(const dsl::Each &each) const;

  const dsl::Function &function;
  llvm::DenseSet<dsl::Value> atEnd; ///< known once the sequence has ended
};

} // namespace

/// Outside of loops.
bool AcrossFinder::looksAcross(const dsl::Operation &operation) {
  dsl::Value result = operation.results.front();
  bool isEnded = llvm::any_of(operation.operands, [&](dsl::Value value) { return isAtEnd(value); });
  bool takesSequence = llvm::any_of(operation.operands, [&](dsl::Value value) { return isSequence(value); });
  StringRef name = operation.name;
  if (isEnded || (name == "last" && takesSequence))
    atEnd.insert(result);
  if (isEnded && isSequence(result))
    return true;
  if (!takesSequence)
    return false;
  if (name == "sum" || name == "mean" || name == "reduce_max" || name == "reduce_min")
    return !isSequence(result);
  return name == "conv" || name == "max_pool" || name == "avg_pool" || name == "reverse";
}

/// A loop: its states go on from one step to the next, what they end as does not.
bool AcrossFinder::looksAcross(const dsl::Operation &operation, const dsl::Each &each) {
  if (each.hasUntil || each.trip.isFixed() || readsAcross(each) ||
      llvm::any_of(operation.operands, [&](dsl::Value value) { return isAtEnd(value); }))
    return true;
  auto finals = ArrayRef(operation.results).drop_front(each.outputs.size());
  atEnd.insert(finals.begin(), finals.end());
  return false;
}

/// Whether a step reads sequences as a whole, or what is known only once they have ended.
bool AcrossFinder::readsAcross(const dsl::Each &each) const {
  auto isAcross = [&](dsl::Value value) { return isSequence(value) || isAtEnd(value); };
  return llvm::any_of(each.carried, isAcross) || llvm::any_of(each.next, isAcross) ||
         llvm::any_of(each.outputs, isAcross) || llvm::any_of(each.body, [&](const dsl::Operation &operation) {
           bool loops = operation.each && (!operation.each->trip.isFixed() || readsAcross(*operation.each));
           return loops || llvm::any_of(operation.operands, isAcross);
         });
}

/// The values that follow from a function's inputs.
static llvm::DenseSet<dsl::Value> findDependent(const dsl::Function &function) {
  llvm::DenseSet<dsl::Value> dependent;
  for (const dsl::Port &port : function.inputs)
    dependent.insert(port.value);
  std::function<bool(ArrayRef<dsl::Operation>)> visit = [&](ArrayRef<dsl::Operation> operations) {
    bool found = false;
    for (const dsl::Operation &operation : operations) {
      bool depends = llvm::any_of(operation.operands, [&](dsl::Value value) { return dependent.contains(value); });
      if (operation.each)
        depends |= !operation.each->trip.isFixed() || visit(operation.each->body);
      if (depends)
        dependent.insert(operation.results.begin(), operation.results.end());
      found |= depends;
    }
    return found;
  };
  visit(function.operations);
  return dependent;
}

bool canStep(const dsl::Network &network) {
  const dsl::Function &function = network.infer;
  llvm::DenseSet<dsl::Value> dependent = findDependent(function);
  bool carries = false, startsKnown = true;
  for (const dsl::Operation &operation : function.operations) {
    if (!operation.each)
      continue;
    carries |= !operation.each->carried.empty();
    for (dsl::Value start : ArrayRef(operation.operands).drop_front(operation.each->elements.size()))
      startsKnown &= !dependent.contains(start);
  }
  return network.freeDims.size() == 1 && carries && startsKnown && !AcrossFinder(function).run();
}

} // namespace nnc
