//===- Loops.cpp - each … from … until ------------------------------------===//

#include "dsl/Elaborate.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace nnc::dsl {

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

Value Elaborator::elementOf(LoopState &loop, Value sequence, const Location &location) {
  if (auto known = loop.elements.find(sequence); known != loop.elements.end())
    return known->second;
  Type type = typeOf(sequence);
  if (type.shape.empty() || type.shape.front() != loop.each.trip) {
    error(location, "has shape " + describe(type) + ", whose first dimension is not " + describe(loop.each.trip),
          {originOf(sequence, "the value")});
    return sequence;
  }
  type.shape.erase(type.shape.begin());
  Value element = addValue(type, location, function.values[sequence].name);
  batched.insert(element);
  loop.sequences.push_back(sequence);
  loop.each.elements.push_back(element);
  loop.elements[sequence] = element;
  return element;
}

/// The step of a sequence, which is a sequence for each step of loops around where it begins with their lengths.
Value Elaborator::stepOf(Value sequence, Scope &body, const Location &location) {
  Scope *around = body.parent;
  while (around && !around->loop)
    around = around->parent;
  if (around && typeOf(sequence).shape.size() > 1 && typeOf(sequence).shape.front() != body.loop->each.trip)
    sequence = stepOf(sequence, *around, location);
  return elementOf(*body.loop, sequence, location);
}

/// `name[t]` or `name[t - lag]` in the body of the loop over t.
Item Elaborator::evaluateStep(const Expr &expr, const std::string &name, LoopState &loop, Scope &loopScope, int64_t lag,
                              Scope &scope) {
  if (lag > 0) {
    auto lagged = loop.lagged.find(name);
    if (loop.startless.count(name))
      return {}; // has been said
    if (lagged == loop.lagged.end() || static_cast<size_t>(lag) > lagged->second.size())
      return error(expr.location, "`" + name + "[" + loop.index + "-" + std::to_string(lag) + "]` has no start value");
    return tensor(lagged->second[lag - 1]);
  }
  // A name of the body itself, or a sequence from outside.
  for (Scope *at = &scope; at; at = at->parent) {
    auto found = at->names.find(name);
    if (at == &loopScope) {
      if (found != at->names.end())
        return force(found->second, *at);
      break;
    }
    if (found != at->names.end() && found->second.item.is(Item::Kind::Tensor) && at->loop)
      return refuseWithin(loop, expr.location);
  }
  Item whole = loopScope.parent ? lookup(name, *loopScope.parent, expr.location) : Item();
  if (whole.isError())
    return whole;
  if (!whole.is(Item::Kind::Tensor))
    return error(expr.location, "`" + name + "` is no sequence");
  const Shape &shape = typeOf(whole.value).shape;
  if (shape.empty() || shape.front() != loop.each.trip)
    return error(expr.location,
                 "`" + name + "` has shape " + describe(shape) + ", whose first dimension is not " +
                     describe(loop.each.trip),
                 {originOf(whole.value, "the value")});
  return tensor(elementOf(loop, whole.value, expr.location));
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// The scope of a loop's body, with its index.
Scope Elaborator::openLoop(LoopState &loop, Scope &scope, const Location &location) {
  Scope body;
  body.parent = &scope;
  body.loop = &loop;
  body.block = &loop.each.body;
  Type type;
  type.element = Element::Class;
  type.classes = 1;
  loop.each.index = addValue(type, location, loop.index);
  return body;
}

void Elaborator::runEach(const Statement &statement, Scope &scope) {
  StatementGuard guard(this->statement, &statement);
  auto markDone = [&] {
    for (const Statement &step : statement.body)
      for (const Place &place : step.places)
        if (place.index == statement.index)
          if (auto found = scope.names.find(place.name);
              found != scope.names.end() && found->second.statement == &statement)
            found->second.state = Definition::State::Done;
  };
  for (const Statement &step : statement.body)
    for (const Place &place : step.places)
      if (place.index == statement.index)
        if (auto found = scope.names.find(place.name); found != scope.names.end())
          found->second.state = Definition::State::Running;

  Item trip = evaluate(*statement.value, scope);
  LoopState loop;
  loop.index = statement.index;
  if (trip.is(Item::Kind::Number) && trip.number >= 1 && trip.number <= 1e6 && trip.number == std::floor(trip.number))
    loop.each.trip = Dim::fixed(static_cast<int64_t>(trip.number));
  else if (trip.is(Item::Kind::Dim))
    loop.each.trip = trip.dim;
  else {
    if (!trip.isError())
      error(statement.value->location,
            "`each` goes through a length: a name of an input's shape, or a number of steps");
    return markDone();
  }
  Scope body = openLoop(loop, scope, statement.location);
  std::map<std::string, Value> starts;
  if (!declareStates(statement, loop, scope, starts))
    return markDone();

  for (const Statement &step : statement.body) {
    if (step.kind == Statement::Kind::Each) {
      for (const Statement &inner : step.body)
        for (const Place &place : inner.places)
          if (place.index == step.index)
            declare(body, place.name, {&step, 0, Definition::State::Pending, {}, place.location});
      runEach(step, body);
      continue;
    }
    for (size_t i = 0; i < step.places.size(); ++i) {
      const Place &place = step.places[i];
      if (!place.index.empty() && place.index != statement.index)
        error(place.location, "defines a step of `" + place.index + "` in a loop over `" + statement.index + "`");
      declare(body, place.name, {&step, i, Definition::State::Pending, {}, place.location});
    }
    runDefinition(step, body);
    for (const Place &place : step.places)
      if (auto replaced = given.find(place.name); replaced != given.end() && replaced->second.is(Item::Kind::Tensor))
        body.names.at(place.name).item = tensor(stepOf(replaced->second.value, body, place.location));
  }
  finishStates(statement, loop, body);
  // In training the labels say how long an example is.
  if (statement.until && !isTraining) {
    Item until = evaluate(*statement.until, body);
    if (until.is(Item::Kind::Tensor) && typeOf(until.value).element == Element::Bool &&
        typeOf(until.value).shape.empty()) {
      loop.each.hasUntil = true;
      loop.each.until = until.value;
    } else if (!until.isError()) {
      error(statement.until->location, "`until` takes one truth value of a step, not " + describe(until),
            {{statement.until->location, "compare a number, such as `mean(…) > 0.5`"}});
    }
  }
  Operation operation;
  operation.name = "each";
  operation.path = scope.home().path;
  operation.location = statement.location;
  operation.operands = loop.sequences;
  for (const StartDecl &start : statement.starts)
    for (size_t i = 0; i < loop.lagged[start.name].size(); ++i)
      operation.operands.push_back(starts[start.name]);
  exportLoop(statement, loop, std::move(operation), scope, body);
  markDone();
}

/// Names with `[t]` become sequences of the scope around.
void Elaborator::exportLoop(const Statement &statement, LoopState &loop, Operation operation, Scope &scope,
                            Scope &body) {
  std::vector<std::pair<std::string, Item>> exported;
  for (const Statement &step : statement.body)
    for (const Place &place : step.places) {
      if (place.index != statement.index)
        continue;
      Definition &definition = body.names.at(place.name);
      std::optional<Value> value = definition.item.isError()
                                       ? std::nullopt
                                       : toTensor(definition.item, body, place.location, "`" + place.name + "`");
      if (!value)
        continue;
      Type type = typeOf(*value);
      type.shape.insert(type.shape.begin(), loop.each.trip);
      Value stacked = addValue(type, place.location, place.name);
      batched.insert(stacked);
      loop.each.outputs.push_back(*value);
      operation.results.push_back(stacked);
      exported.emplace_back(place.name, tensor(stacked));
    }
  for (size_t i = 0; i < loop.each.carried.size(); ++i) {
    Value carried = loop.each.carried[i];
    Value final = addValue(typeOf(carried), statement.location, function.values[carried].name);
    batched.insert(final);
    operation.results.push_back(final);
    bool isNewest = i == 0 || function.values[loop.each.carried[i - 1]].name != function.values[carried].name;
    for (auto &[name, item] : exported)
      if (isNewest && name == function.values[carried].name) {
        item.hasFinal = true;
        item.final = final;
      }
  }
  if (loop.each.hasUntil) {
    Type count;
    count.element = Element::Class;
    operation.results.push_back(addValue(count, statement.until->location));
    batched.insert(operation.results.back());
  }
  for (auto &[name, item] : exported)
    if (auto found = scope.names.find(name); found != scope.names.end()) {
      found->second.item = item;
      found->second.state = Definition::State::Done;
    }
  operation.each = std::make_unique<Each>(std::move(loop.each));
  scope.block->push_back(std::move(operation));
}

/// `mean(t in T, expression)`: over the steps of a length.
Item Elaborator::reduceOver(const Expr &expr, const std::string &name, Scope &scope) {
  Item trip = evaluate(*expr.arguments[0].value, scope);
  bool isCount =
      trip.is(Item::Kind::Number) && trip.number >= 1 && trip.number <= 1e6 && trip.number == std::floor(trip.number);
  if (!trip.is(Item::Kind::Dim) && !isCount)
    return trip.isError() ? trip : error(expr.arguments[0].location, "`" + name + "` goes through a length");
  // A map over the steps, then the reduction of what it gives.
  LoopState loop;
  loop.index = expr.arguments[0].name;
  loop.each.trip = trip.is(Item::Kind::Dim) ? trip.dim : Dim::fixed(static_cast<int64_t>(trip.number));
  Scope body = openLoop(loop, scope, expr.location);
  Item item = evaluate(*expr.arguments[1].value, body);
  std::optional<Value> value = item.isError() ? std::nullopt : toTensor(item, body, expr.location, "the summed value");
  if (!value)
    return {};
  Type type = typeOf(*value);
  Type stackedType = type;
  stackedType.shape.insert(stackedType.shape.begin(), loop.each.trip);
  Operation operation;
  operation.name = "each";
  operation.path = scope.home().path;
  operation.location = expr.location;
  operation.operands = loop.sequences;
  Value stacked = addValue(stackedType, expr.location);
  batched.insert(stacked);
  operation.results = {stacked};
  loop.each.outputs = {*value};
  operation.each = std::make_unique<Each>(std::move(loop.each));
  scope.block->push_back(std::move(operation));
  return tensor(emit(name, {stacked}, type, scope, expr.location, {{"axes", Axes{{0}}}}));
}

} // namespace nnc::dsl
