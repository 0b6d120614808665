//===- Prune.cpp - What no output needs -----------------------------------===//

#include "dsl/Prune.h"

#include <algorithm>
#include <set>

namespace nnc::dsl {

namespace {

/// Goes from the last operation to the first, so that all that may need a value are seen before what makes it.
class DeadRemover {
public:
  explicit DeadRemover(Function &function) : function(function) {}

  void run() {
    for (const Port &port : function.outputs)
      needed.insert(port.value);
    remove(function.operations);
  }

private:
  void remove(std::vector<Operation> &operations) {
    std::vector<Operation> kept;
    for (size_t i = operations.size(); i-- > 0;) {
      Operation &operation = operations[i];
      if (std::none_of(operation.results.begin(), operation.results.end(), [&](Value v) { return needed.count(v); }))
        continue;
      if (operation.each)
        removeFrom(operation);
      needed.insert(operation.operands.begin(), operation.operands.end());
      kept.push_back(std::move(operation));
    }
    std::reverse(kept.begin(), kept.end());
    operations = std::move(kept);
  }

  void removeFrom(Operation &operation) {
    Each &each = *operation.each;
    size_t outputs = each.outputs.size();
    std::vector<Value> keptOutputs, keptResults;
    for (size_t i = 0; i < outputs; ++i)
      if (needed.count(operation.results[i])) {
        keptOutputs.push_back(each.outputs[i]);
        keptResults.push_back(operation.results[i]);
      }
    keptResults.insert(keptResults.end(), operation.results.begin() + outputs, operation.results.end());
    each.outputs = std::move(keptOutputs);
    operation.results = std::move(keptResults);
    needed.insert(each.outputs.begin(), each.outputs.end());
    needed.insert(each.next.begin(), each.next.end());
    if (each.hasUntil)
      needed.insert(each.until);
    remove(each.body);

    std::vector<Value> elements, operands;
    for (size_t i = 0; i < each.elements.size(); ++i)
      if (needed.count(each.elements[i])) {
        elements.push_back(each.elements[i]);
        operands.push_back(operation.operands[i]);
      }
    operands.insert(operands.end(), operation.operands.begin() + each.elements.size(), operation.operands.end());
    each.elements = std::move(elements);
    operation.operands = std::move(operands);
  }

  Function &function;
  std::set<Value> needed;
};

} // namespace

void pruneOperations(Function &function) { DeadRemover(function).run(); }

static void findReads(const std::vector<Operation> &operations, std::set<std::string> &names) {
  for (const Operation &operation : operations) {
    if (operation.name == "read")
      names.insert(std::get<std::string>(operation.attributes.front().second));
    if (operation.each)
      findReads(operation.each->body, names);
  }
}

void pruneWeights(Network &network) {
  std::set<std::string> read;
  findReads(network.infer.operations, read);
  for (const Train &train : network.trains)
    findReads(train.forward.operations, read);
  network.weights.erase(std::remove_if(network.weights.begin(), network.weights.end(),
                                       [&](const Weight &weight) { return read.count(weight.name) == 0; }),
                        network.weights.end());
}

} // namespace nnc::dsl
