//===- Values.cpp - Values of a function, and messages ---------------------===//

#include "dsl/Elaborate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace nnc::dsl {

static constexpr int64_t maxElements = maxNumber;
static constexpr size_t maxOperations = 20000;
static constexpr size_t maxSteps = 1000000;
static constexpr size_t maxErrors = 100;
static constexpr size_t maxRank = 16;

Item Elaborator::error(const Location &location, const std::string &message, std::vector<Note> notes) {
  if (program.isExhausted)
    return {};
  if (program.diagnostics.size() >= maxErrors) {
    program.isExhausted = true;
    program.diagnostics.push_back(
        {Diagnostic::Severity::Error,
         location,
         "has more than the limit of " + std::to_string(maxErrors) + " errors; what follows is not checked",
         {}});
    return {};
  }
  if (!stack.empty() && program.standard.count(stack.back()->name) == 0)
    notes.push_back({stack.back()->location, "in layer `" + stack.back()->name + "`"});
  program.diagnostics.push_back({Diagnostic::Severity::Error, location, message, std::move(notes)});
  return {};
}

/// Says that a limit is reached, the last thing that is said.
Item Elaborator::exhaust(const Location &location, const std::string &message, std::vector<Note> notes) {
  error(location, message, std::move(notes));
  program.isExhausted = true;
  return {};
}

/// Whether there is anything left for one more step.
bool Elaborator::spend(const Location &location) {
  if (!program.isExhausted && ++program.steps > maxSteps)
    exhaust(location, "the program takes more than the limit of " + std::to_string(maxSteps) + " steps to write out");
  return !program.isExhausted;
}

void Elaborator::countOperation(const Location &location) {
  if (++program.operations > maxOperations)
    exhaust(location, "the program has more than the limit of " + std::to_string(maxOperations) + " operations");
}

int64_t multiplyExtents(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<int64_t>::max() : product;
}

Item makeNumber(double number, const Location &location) {
  Item item;
  item.kind = Item::Kind::Number;
  item.number = number;
  item.location = location;
  return item;
}

Item settle(Item item) {
  if (item.isResults)
    return settle(item.parts.front());
  if (item.is(Item::Kind::Dim) && item.dim.isFixed()) {
    item.kind = Item::Kind::Number;
    item.number = static_cast<double>(item.dim.size);
  }
  return item;
}

bool Elaborator::checkSize(const Type &type, const Location &location) {
  if (type.shape.size() > maxRank) {
    exhaust(location, "gives a value of " + std::to_string(type.shape.size()) + " dimensions, more than the limit of " +
                          std::to_string(maxRank));
    return false;
  }
  int64_t elements = 1;
  for (const Dim &dim : type.shape)
    if (dim.isFixed() && dim.size > 0)
      elements = multiplyExtents(elements, dim.size);
  if (elements > maxElements)
    error(location, "gives a value of shape " + describe(type) + ", which has more than the limit of " +
                        std::to_string(maxElements) + " elements");
  return elements <= maxElements;
}

Item Elaborator::tensor(Value value) const {
  Item item;
  item.kind = Item::Kind::Tensor;
  item.value = value;
  item.location = function.values[value].location;
  return item;
}

std::string Elaborator::describe(const Dim &dim) const {
  if (dim.isFixed())
    return std::to_string(dim.size);
  std::string text = network.freeDims[dim.free].name;
  if (dim.offset != 0)
    text = "(" + text + (dim.offset > 0 ? " + " : " - ") + std::to_string(std::abs(dim.offset)) + ")";
  return dim.stride == 1 ? text : text + " / " + std::to_string(dim.stride);
}

std::string Elaborator::describe(const Shape &shape) const {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + describe(shape[i]);
  return text + "]";
}

std::string Elaborator::describe(const Type &type) const {
  std::string text = describe(type.shape);
  return type.element == Element::Class ? text + " : class[" + std::to_string(type.classes) + "]" : text;
}

/// In a message: a number, a tuple of them, or what it is instead.
std::string Elaborator::describe(const Item &item) const {
  switch (item.kind) {
  case Item::Kind::Number: {
    char text[32];
    std::snprintf(text, sizeof text,
                  item.number == std::floor(item.number) && std::abs(item.number) < 1e18 ? "%.0f" : "%g", item.number);
    return text;
  }
  case Item::Kind::Boolean:
    return item.number != 0 ? "true" : "false";
  case Item::Kind::Word:
    return "`" + item.word + "`";
  case Item::Kind::Tensor:
    return "a value of shape " + describe(typeOf(item.value));
  case Item::Kind::Dim:
    return "the length " + describe(item.dim);
  case Item::Kind::Layer:
    return "the layer `" + item.layer->getName() + "`";
  case Item::Kind::Tuple: {
    std::string text;
    for (const Item &part : item.parts)
      text += (text.empty() ? "" : ", ") + describe(part);
    return "(" + text + ")";
  }
  case Item::Kind::Error:
    break;
  }
  return "this";
}

Note Elaborator::originOf(Value value, const std::string &what) const {
  const ValueInfo &info = function.values[value];
  std::string name = info.name.empty() ? what : "`" + info.name + "`";
  return {info.location, name + " has shape " + describe(info.type) + " from here"};
}

Value Elaborator::addValue(Type type, const Location &location, std::string name) {
  function.values.push_back({std::move(type), std::move(name), location});
  return static_cast<Value>(function.values.size() - 1);
}

Value Elaborator::emit(const std::string &name, std::vector<Value> operands, Type type, Scope &scope,
                       const Location &location, std::vector<std::pair<std::string, Attribute>> attributes) {
  checkSize(type, location);
  countOperation(location);
  bool depends = std::any_of(operands.begin(), operands.end(), [&](Value value) { return dependsOnInputs(value); });
  Value result = addValue(std::move(type), location);
  if (depends)
    batched.insert(result);
  Operation operation;
  operation.name = name;
  operation.operands = std::move(operands);
  operation.results = {result};
  operation.attributes = std::move(attributes);
  operation.path = scope.home().path;
  operation.location = location;
  scope.block->push_back(std::move(operation));
  return result;
}

Value Elaborator::readWeight(const std::string &path, const std::vector<int64_t> &shape, Initializer init,
                             bool trainable, const Location &location) {
  auto [known, isNew] = weights.emplace(path, network.weights.size());
  if (isNew)
    network.weights.push_back({path, shape, init, trainable, location});
  else if (const Weight &weight = network.weights[known->second]; weight.shape != shape)
    error(location, "shares weight `" + path + "`, whose shape differs here",
          {{weight.location, "`" + path + "` is first used here"}});
  if (auto read = reads.find(path); read != reads.end())
    return read->second;
  Type type;
  for (int64_t extent : shape)
    type.shape.push_back(Dim::fixed(extent));
  Scope top;
  top.block = &function.operations;
  Value value = emit("read", {}, type, top, location, {{"weight", path}});
  function.values[value].name = path;
  return reads[path] = value;
}

std::string Elaborator::childPath(Scope &scope, const LayerValue &layer) {
  if (!layer.path.empty())
    return layer.path;
  Scope &home = scope.home();
  const std::string kind = layer.getName();
  return home.path.empty() ? networkLayer(kind) : home.path + "." + kind + std::to_string(++home.counters[kind]);
}

/// The name of the next layer of a kind in the statement that is evaluated.
std::string Elaborator::networkLayer(const std::string &kind) {
  int number = layers[{statement, kind}]++;
  auto [known, isNew] = names.known.try_emplace({statement, kind, number});
  if (isNew)
    known->second = kind + std::to_string(++names.counters[kind]);
  return known->second;
}

} // namespace nnc::dsl
