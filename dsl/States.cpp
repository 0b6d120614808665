//===- States.cpp - What goes from step to step of a loop ------------------===//

#include "dsl/Elaborate.h"

#include <algorithm>
#include <cmath>

namespace nnc::dsl {

namespace {
/// How far back a name is read, and where.
struct Lag {
  int64_t steps = 0;
  Location location;
};
using Lags = std::map<std::string, Lag>;
} // namespace

/// The furthest step back that expressions of a loop's body read of each name.
static void findLags(const Expr &expr, const std::string &index, Lags &lags) {
  if (expr.kind == Expr::Kind::Index && expr.operands[0]->kind == Expr::Kind::Name &&
      !expr.subscripts.front().isRange) {
    const Expr &at = *expr.subscripts.front().first;
    if (at.kind == Expr::Kind::Binary && at.text == "-" && at.operands[0]->kind == Expr::Kind::Name &&
        at.operands[0]->text == index && at.operands[1]->kind == Expr::Kind::Number) {
      auto steps = static_cast<int64_t>(std::min(at.operands[1]->number, 256.0));
      if (Lag &lag = lags[expr.operands[0]->text]; steps > lag.steps)
        lag = {steps, expr.location};
    }
  }
  for (const ExprPtr &operand : expr.operands)
    findLags(*operand, index, lags);
  for (const Argument &argument : expr.arguments)
    findLags(*argument.value, index, lags);
  for (const Subscript &subscript : expr.subscripts)
    for (const ExprPtr *end : {&subscript.first, &subscript.last})
      if (*end)
        findLags(**end, index, lags);
}

static void findLags(const std::vector<Statement> &body, const std::string &index, Lags &lags) {
  for (const Statement &statement : body) {
    if (statement.value)
      findLags(*statement.value, index, lags);
    if (statement.until)
      findLags(*statement.until, index, lags);
    for (const StartDecl &start : statement.starts)
      findLags(*start.value, index, lags);
    findLags(statement.body, index, lags);
  }
}

/// What a state is: the shape and the classes written at it, its start value's type,
/// or that of the result or output of its name; else a number.
std::optional<Type> Elaborator::stateType(const StartDecl &start, const Item &value, Scope &scope) {
  if (start.hasShape || start.classes) {
    Type type;
    if (!start.hasShape && value.is(Item::Kind::Tensor))
      type.shape = typeOf(value.value).shape;
    if (start.classes) {
      std::optional<int64_t> classes = evaluateCount(*start.classes, scope, "the number of classes", 1);
      if (!classes)
        return std::nullopt;
      type.element = Element::Class;
      type.classes = *classes;
    }
    for (const ExprPtr &expr : start.shape) {
      std::optional<Dim> dim = evaluateDim(*expr, scope, /*introducesDims=*/false);
      if (!dim)
        return std::nullopt;
      type.shape.push_back(*dim);
    }
    return type;
  }
  if (value.is(Item::Kind::Tensor) && !typeOf(value.value).shape.empty())
    return typeOf(value.value);
  auto fromPort = [&](const PortDecl &port) -> std::optional<Type> {
    std::optional<Type> type = evaluatePort(port, scope, /*introducesDims=*/false);
    if (type && !type->shape.empty())
      type->shape.erase(type->shape.begin());
    return type;
  };
  if (const std::vector<PortDecl> *results = scope.home().results) {
    for (const PortDecl &port : *results)
      if (port.name == start.name && port.hasShape)
        return fromPort(port);
  } else {
    for (const Statement &statement : declaration.body)
      if (statement.kind == Statement::Kind::Output)
        for (const PortDecl &port : statement.ports)
          if (port.name == start.name)
            return fromPort(port);
  }
  // A sequence from outside of which earlier steps are read.
  for (Scope *at = &scope; at; at = at->parent)
    if (auto found = at->names.find(start.name);
        found != at->names.end() && found->second.item.is(Item::Kind::Tensor)) {
      Type type = typeOf(found->second.item.value);
      if (!type.shape.empty())
        type.shape.erase(type.shape.begin());
      return type;
    }
  if (value.is(Item::Kind::Tensor))
    return typeOf(value.value);
  return Type(); // a number
}

std::optional<Value> Elaborator::makeStart(const StartDecl &start, const Item &value, const Type &type, Scope &scope) {
  if (value.is(Item::Kind::Number)) {
    double classes = static_cast<double>(type.classes > 0 ? type.classes : maxNumber);
    bool isClass = value.number == std::floor(value.number) && value.number >= 0 && value.number < classes;
    if (type.element == Element::Class && !isClass) {
      error(start.location, "`" + start.name + "` is a class, and starts with a number that is none");
      return std::nullopt;
    }
    Value number = constant(value.number, type.element, scope, start.location);
    function.values[number].type.classes = type.classes;
    return type.shape.empty() ? number : broadcast(number, type.shape, scope, start.location);
  }
  std::optional<Value> tensorValue = toTensor(value, scope, start.location, "the start of `" + start.name + "`");
  if (!tensorValue)
    return std::nullopt;
  if (typeOf(*tensorValue).shape.empty() && !type.shape.empty())
    return broadcast(*tensorValue, type.shape, scope, start.location);
  if (typeOf(*tensorValue).shape != type.shape || typeOf(*tensorValue).element != type.element) {
    error(start.location,
          "`" + start.name + "` has shape " + describe(type.shape) + ", but starts with shape " +
              describe(typeOf(*tensorValue)),
          {originOf(*tensorValue, "the start")});
    return std::nullopt;
  }
  return tensorValue;
}

bool Elaborator::declareStates(const Statement &statement, LoopState &loop, Scope &scope,
                               std::map<std::string, Value> &starts) {
  Lags lags;
  findLags(statement.body, statement.index, lags);
  if (statement.until)
    findLags(*statement.until, statement.index, lags);
  bool isGood = true;
  for (const StartDecl &start : statement.starts) {
    if (starts.count(start.name)) {
      error(start.location, "`" + start.name + "` starts twice");
      isGood = false;
      continue;
    }
    Item value = settle(evaluate(*start.value, scope));
    std::optional<Type> type = value.isError() ? std::nullopt : stateType(start, value, scope);
    std::optional<Value> first = type ? makeStart(start, value, *type, scope) : std::nullopt;
    if (!first) {
      isGood = false;
      continue;
    }
    starts[start.name] = *first;
    for (int64_t lag = 1; lag <= std::max<int64_t>(1, lags[start.name].steps); ++lag) {
      countOperation(start.location);
      Value carried = addValue(*type, start.location, start.name);
      batched.insert(carried);
      loop.lagged[start.name].push_back(carried);
    }
  }
  for (auto &[name, lag] : lags)
    if (lag.steps > 0 && !starts.count(name) && isGood) {
      error(lag.location,
            "reads `" + name + "[" + statement.index + "-" + std::to_string(lag.steps) + "]`, but `" + name +
                "` has no start value",
            {{statement.location, "write `each " + statement.index + " in … from " + name + " = …`"}});
      loop.startless.insert(name);
    }
  return isGood;
}

/// The newest value of each state, and the earlier ones shifted.
void Elaborator::finishStates(const Statement &statement, LoopState &loop, Scope &body) {
  for (const StartDecl &start : statement.starts) {
    auto &lagged = loop.lagged[start.name];
    const Type type = typeOf(lagged.front());
    auto found = body.names.find(start.name);
    Item newest;
    if (found != body.names.end()) {
      newest = found->second.item;
    } else {
      Expr name{};
      name.kind = Expr::Kind::Name;
      name.text = start.name;
      name.location = start.location;
      newest = evaluateStep(name, start.name, loop, body, 0, body);
    }
    std::optional<Value> value = toTensor(newest, body, start.location, "`" + start.name + "`");
    if (value && (typeOf(*value).shape != type.shape || typeOf(*value).element != type.element)) {
      if (typeOf(*value).shape.empty() && typeOf(*value).element == type.element)
        value = broadcast(*value, type.shape, body, start.location);
      else {
        error(start.location,
              "`" + start.name + "` starts with shape " + describe(type) + ", but its steps have shape " +
                  describe(typeOf(*value)),
              {originOf(*value, "a step"),
               {start.location, "write `from " + start.name + describe(typeOf(*value).shape) + " = …`"}});
        value.reset();
      }
    }
    if (int64_t classes = value ? typeOf(*value).classes : 0; type.classes > 0 && classes > type.classes)
      error(start.location,
            "`" + start.name + "` is one of " + std::to_string(type.classes) + " classes, but its steps are of " +
                std::to_string(classes),
            {originOf(*value, "a step")});
    for (size_t i = 0; i < lagged.size(); ++i) {
      loop.each.carried.push_back(lagged[i]);
      loop.each.next.push_back(i == 0 ? (value ? *value : lagged[0]) : lagged[i - 1]);
    }
  }
}

} // namespace nnc::dsl
