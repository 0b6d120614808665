//===- Windows.cpp - Losses that are taken window by window ----------------===//
//
// Truncated back-propagation goes through a sequence in windows that know of each
// other nothing but the states of loops. So every operation must treat the steps
// of time one by one, or be such a loop; what sums over the steps, or follows from
// the last one, may only become a part of the loss, which is the sum of its parts.
//
//===----------------------------------------------------------------------===//

#include "dsl/Windows.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace nnc::dsl {

namespace {

class LossSplitter {
public:
  LossSplitter(Train &train, const Network &network, Diagnostics &diagnostics)
      : train(train), function(train.forward), network(network), diagnostics(diagnostics) {}

  void run() {
    if (!checkDims())
      return;
    size_t before = diagnostics.size();
    visit(function.operations, /*depth=*/0);
    if (!carries && diagnostics.size() == before)
      error(train.bptt.location,
            "has no loop over `" + network.freeDims[0].name + "` that carries a state from window to window");
    if (diagnostics.size() == before)
      split();
  }

private:
  void error(const Location &location, const std::string &message) {
    std::vector<Note> notes;
    if (location.source != train.bptt.location.source || location.line != train.bptt.location.line)
      notes.push_back({train.bptt.location, "`bptt = truncated` goes through the sequence in windows"});
    diagnostics.push_back({Diagnostic::Severity::Error, location, message, std::move(notes)});
  }

  static size_t countFree(const Type &type) {
    return std::count_if(type.shape.begin(), type.shape.end(), [](const Dim &dim) { return !dim.isFixed(); });
  }
  const Type &typeOf(Value value) const { return function.values[value].type; }
  bool isSequence(Value value) const { return countFree(typeOf(value)) > 0; }
  template <typename List> static bool holds(const std::set<Value> &set, const List &values) {
    return std::any_of(values.begin(), values.end(), [&](Value value) { return set.count(value) != 0; });
  }

  bool checkDims();
  void visit(const std::vector<Operation> &operations, int depth);
  void visitLoop(const Operation &operation, int depth);
  void visitBody(const std::vector<Operation> &operations);
  void visitSequence(const Operation &operation);
  void split();
  bool distribute(const Operation &operation, double factor);
  std::optional<double> constantOf(Value value) const;

  Train &train;
  const Function &function;
  const Network &network;
  Diagnostics &diagnostics;
  bool carries = false;
  std::map<Value, const Operation *> definers;
  std::map<Value, double> factors; ///< of what the loss adds
  std::set<Value> reduced;         ///< follow from a sum over the steps
  std::set<Value> atEnd;           ///< follow from the last step
};

} // namespace

bool LossSplitter::checkDims() {
  if (network.freeDims.size() != 1) {
    error(train.bptt.location, network.freeDims.empty()
                                   ? "network `" + network.name + "` has no sequence to truncate"
                                   : "network `" + network.name + "` has " + std::to_string(network.freeDims.size()) +
                                         " lengths; windows go along one");
    return false;
  }
  for (const Port &port : function.inputs)
    if (countFree(typeOf(port.value)) > 1) {
      error(function.values[port.value].location,
            "`" + port.name + "` has two dimensions of time; windows go along one");
      return false;
    }
  return true;
}

void LossSplitter::visit(const std::vector<Operation> &operations, int depth) {
  for (const Operation &operation : operations) {
    for (Value result : operation.results)
      definers[result] = &operation;
    if (operation.each) {
      visitLoop(operation, depth);
    } else if (std::any_of(operation.operands.begin(), operation.operands.end(),
                           [&](Value value) { return isSequence(value); })) {
      visitSequence(operation);
    } else {
      for (std::set<Value> *set : {&reduced, &atEnd})
        if (holds(*set, operation.operands))
          set->insert(operation.results.begin(), operation.results.end());
    }
    for (Value result : operation.results)
      if (isSequence(result) && (reduced.count(result) || atEnd.count(result)))
        error(operation.location, "is needed in every step, but known only once the sequence has ended");
  }
}

/// A loop over time carries its states from window to window, which takes one that
/// starts before the first step is known. Other loops are as any operation.
void LossSplitter::visitLoop(const Operation &operation, int depth) {
  const Each &each = *operation.each;
  if (each.trip.isFixed()) {
    visit(each.body, depth + 1);
    for (std::set<Value> *set : {&reduced, &atEnd})
      if (holds(*set, operation.operands))
        set->insert(operation.results.begin(), operation.results.end());
    return;
  }
  if (depth > 0)
    return error(operation.location, "goes through the whole sequence in each step of another loop");
  if (holds(reduced, operation.operands) || holds(atEnd, operation.operands))
    return error(operation.location, "begins with what is known only once the sequence has ended");
  carries |= !each.carried.empty();
  visitBody(each.body);
  atEnd.insert(operation.results.begin() + each.outputs.size(), operation.results.end());
}

/// In a step there is nothing of other steps but states.
void LossSplitter::visitBody(const std::vector<Operation> &operations) {
  for (const Operation &operation : operations) {
    if (operation.each && !operation.each->trip.isFixed())
      error(operation.location, "goes through the whole sequence in each step of another loop");
    for (Value operand : operation.operands) {
      if (isSequence(operand))
        error(operation.location, "reads the whole sequence in each step");
      else if (reduced.count(operand) || atEnd.count(operand))
        error(operation.location, "reads in each step what is known only once the sequence has ended");
    }
    if (operation.each)
      visitBody(operation.each->body);
  }
}

void LossSplitter::visitSequence(const Operation &operation) {
  const std::string &name = operation.name;
  Value result = operation.results.front();
  auto isAcross = [&](const std::string &key) {
    for (const auto &[attribute, value] : operation.attributes)
      if (attribute == key)
        return std::get<Axes>(value).dims.front() < static_cast<int64_t>(countFree(typeOf(operation.operands[0])));
    return false;
  };
  if (name == "conv" || name == "max_pool" || name == "avg_pool" || (name == "reverse" && isAcross("axis")))
    return error(operation.location, "`" + name + "` reads later steps, which are not in the window");
  if (name == "last") {
    atEnd.insert(result);
  } else if (!isSequence(result)) {
    if (name != "sum" && name != "mean")
      return error(operation.location, "needs the whole sequence");
    reduced.insert(result);
  }
  if (holds(reduced, operation.operands) || holds(atEnd, operation.operands))
    error(operation.location, "is needed in every step, but known only once the sequence has ended");
}

std::optional<double> LossSplitter::constantOf(Value value) const {
  auto definer = definers.find(value);
  if (definer == definers.end() || definer->second->name != "constant")
    return std::nullopt;
  return std::get<double>(definer->second->attributes.front().second);
}

/// Hands the factor of a sum or of what is scaled on; says whether it was one.
bool LossSplitter::distribute(const Operation &operation, double factor) {
  const std::string &name = operation.name;
  auto add = [&](size_t operand, double times) { factors[operation.operands[operand]] += factor * times; };
  if (name == "add" || name == "sub") {
    add(0, 1);
    add(1, name == "add" ? 1 : -1);
    return true;
  }
  if (name == "neg")
    return add(0, -1), true;
  if (name != "mul" && name != "div")
    return false;
  if (std::optional<double> right = constantOf(operation.operands[1]))
    return add(0, name == "mul" ? *right : 1 / *right), true;
  std::optional<double> left = constantOf(operation.operands[0]);
  return left && name == "mul" ? (add(1, *left), true) : false;
}

/// Takes the loss apart where it adds and scales, from the last operation back so
/// that each is met once.
void LossSplitter::split() {
  factors[function.outputs.front().value] = 1;
  for (size_t i = function.operations.size(); i-- > 0;) {
    const Operation &operation = function.operations[i];
    for (Value result : operation.results) {
      auto found = factors.find(result);
      if (found == factors.end() || distribute(operation, found->second))
        continue;
      bool sumsSteps = reduced.count(result);
      if (sumsSteps && !isSequence(operation.operands.front()))
        error(operation.location,
              "computes with the mean or the sum over all steps; windows can add and scale it alone");
      LossTerm::Kind kind = !sumsSteps ? LossTerm::End : operation.name == "mean" ? LossTerm::Mean : LossTerm::Sum;
      train.lossTerms.push_back({kind, result, found->second});
    }
  }
  for (const Port &port : function.inputs)
    if (auto found = factors.find(port.value); found != factors.end())
      train.lossTerms.push_back({LossTerm::End, port.value, found->second});
}

void splitLoss(Train &train, const Network &network, Diagnostics &diagnostics) {
  LossSplitter(train, network, diagnostics).run();
}

} // namespace nnc::dsl
