//===- Declarations.cpp - Parameters, inputs and weights -------------------===//

#include "dsl/Elaborate.h"

#include <algorithm>

namespace nnc::dsl {

static constexpr size_t maxLengths = 64;

void Elaborator::declareParams(const std::vector<ParamDecl> &params, Scope &scope) {
  for (const ParamDecl &param : params) {
    Definition definition;
    definition.location = param.location;
    if (param.value)
      definition.item = evaluate(*param.value, scope);
    else
      error(param.location, "parameter `" + param.name + "` of a network needs a value",
            {{param.location, "write `" + param.name + " = …`"}});
    declare(scope, param.name, std::move(definition));
  }
}

std::optional<Dim> Elaborator::evaluateDim(const Expr &expr, Scope &scope, bool introducesDims) {
  const Expr *name = &expr, *bound = nullptr;
  if (expr.kind == Expr::Kind::Binary && expr.text == "<=") {
    name = expr.operands[0].get();
    bound = expr.operands[1].get();
  }
  if (name->kind == Expr::Kind::Name) {
    bool isKnown = false;
    for (Scope *at = &scope; at; at = at->parent)
      isKnown |= at->names.count(name->text) != 0;
    if (!isKnown && introducesDims) {
      Item item;
      item.kind = Item::Kind::Dim;
      item.location = name->location;
      auto known = std::find_if(network.freeDims.begin(), network.freeDims.end(),
                                [&](const FreeDim &dim) { return dim.name == name->text; });
      if (known == network.freeDims.end()) {
        if (name->text == "batch")
          error(name->location, "a length may not be called `batch`, which is the number of examples");
        if (network.freeDims.size() >= maxLengths) {
          exhaust(name->location, "the network has more than the limit of " + std::to_string(maxLengths) + " lengths");
          return std::nullopt;
        }
        network.freeDims.push_back({name->text, 0, name->location});
        known = network.freeDims.end() - 1;
      }
      item.dim = Dim::of(static_cast<int32_t>(known - network.freeDims.begin()));
      if (bound)
        known->bound = evaluateCount(*bound, scope, "the bound of `" + name->text + "`", 1).value_or(1);
      declare(scope, name->text, {nullptr, 0, Definition::State::Done, item, name->location});
      return item.dim;
    }
    Item item = lookup(name->text, scope, name->location);
    if (item.is(Item::Kind::Dim))
      return item.dim;
    if (item.isError())
      return std::nullopt;
  }
  if (std::optional<int64_t> size = evaluateCount(*name, scope, "a dimension", 1))
    return Dim::fixed(*size);
  return std::nullopt;
}

std::optional<Type> Elaborator::evaluatePort(const PortDecl &port, Scope &scope, bool introducesDims) {
  Type type;
  bool isGood = true, wasFixed = false;
  for (const ExprPtr &expr : port.shape) {
    std::optional<Dim> dim = evaluateDim(*expr, scope, introducesDims);
    isGood &= dim.has_value();
    if (!dim)
      continue;
    if (!dim->isFixed() && wasFixed) {
      error(expr->location, "`" + describe(*dim) +
                                "` is known only when the library is called: it must come before "
                                "fixed dimensions");
      isGood = false;
    }
    wasFixed |= dim->isFixed();
    type.shape.push_back(*dim);
  }
  if (port.classes) {
    type.element = Element::Class;
    std::optional<int64_t> classes = evaluateCount(*port.classes, scope, "the number of classes", 1);
    isGood &= classes.has_value();
    type.classes = classes.value_or(1);
  }
  return isGood ? std::optional<Type>(type) : std::nullopt;
}

void Elaborator::declareInput(const PortDecl &port, Scope &scope) {
  Definition definition;
  definition.location = port.location;
  if (!spend(port.location))
    return;
  if (std::optional<Type> type = evaluatePort(port, scope, /*introducesDims=*/true);
      type && checkSize(*type, port.location)) {
    Value value = addValue(*type, port.location, port.name);
    batched.insert(value);
    function.inputs.push_back({port.name, value});
    definition.item = tensor(value);
  }
  declare(scope, port.name, std::move(definition));
}

std::optional<Initializer> Elaborator::evaluateInitializer(const Expr *expr, const std::vector<int64_t> &shape,
                                                           Scope &scope) {
  Initializer init;
  // Of a matrix [n, m]: m in, n out. A vector is as wide as long.
  init.fanOut = shape.empty() ? 1 : shape.front();
  init.fanIn = 1;
  for (size_t i = 1; i < shape.size(); ++i)
    init.fanIn = multiplyExtents(init.fanIn, shape[i]);
  if (!expr)
    return init;
  const Expr *head = expr->kind == Expr::Kind::Call ? expr->operands[0].get() : expr;
  std::string name = head->kind == Expr::Kind::Name ? head->text : "";
  static const std::map<std::string, std::pair<Initializer::Kind, size_t>> kinds{
      {"glorot", {Initializer::Glorot, 0}},
      {"he", {Initializer::He, 0}},
      {"uniform", {Initializer::Uniform, 2}},
      {"normal", {Initializer::Normal, 1}},
      {"orthogonal", {Initializer::Orthogonal, 0}}};
  auto kind = kinds.find(name);
  if (kind == kinds.end()) {
    Item item = evaluate(*expr, scope);
    if (item.is(Item::Kind::Number)) {
      init.kind = Initializer::Constant;
      init.a = item.number;
      return init;
    }
    if (!item.isError())
      error(expr->location, "an initializer is a number, glorot, he, uniform(a, b), normal(s) or orthogonal");
    return std::nullopt;
  }
  init.kind = kind->second.first;
  size_t count = expr->kind == Expr::Kind::Call ? expr->arguments.size() : 0;
  if (count != kind->second.second) {
    error(expr->location,
          "`" + name + "` takes " + std::to_string(kind->second.second) + " numbers, not " + std::to_string(count));
    return std::nullopt;
  }
  std::vector<Item> numbers;
  for (size_t i = 0; i < count; ++i) {
    Item item = evaluate(*expr->arguments[i].value, scope);
    if (!item.is(Item::Kind::Number)) {
      if (!item.isError())
        error(expr->arguments[i].location, "`" + name + "` takes numbers");
      return std::nullopt;
    }
    numbers.push_back(std::move(item));
  }
  init.a = count > 0 ? numbers[0].number : 0;
  init.b = count > 1 ? numbers[1].number : 0;
  bool isNegative = init.kind == Initializer::Normal && init.a < 0;
  if (isNegative)
    error(expr->arguments[0].location, "the standard deviation of `normal` is at least 0, not " + describe(numbers[0]));
  bool isSwapped = init.kind == Initializer::Uniform && init.a > init.b;
  if (isSwapped)
    error(expr->location, "`uniform` goes from the least number to the largest, not from " + describe(numbers[0]) +
                              " to " + describe(numbers[1]));
  return isNegative || isSwapped ? std::nullopt : std::optional(init);
}

void Elaborator::declareWeights(const Statement &statement, Scope &scope) {
  for (const WeightDecl &weight : statement.weights) {
    Definition definition;
    definition.location = weight.location;
    if (scope.names.count(weight.name) != 0) {
      declare(scope, weight.name, std::move(definition)); // says that it is there twice
      continue;
    }
    std::vector<int64_t> shape;
    bool isGood = true;
    for (const ExprPtr &expr : weight.shape) {
      std::optional<Dim> dim = evaluateDim(*expr, scope, /*introducesDims=*/false);
      if (dim && !dim->isFixed())
        error(expr->location, "a weight has fixed dimensions, but `" + describe(*dim) +
                                  "` is known only when the "
                                  "library is called");
      isGood &= dim && dim->isFixed();
      shape.push_back(dim ? dim->size : 1);
    }
    std::optional<Initializer> init = evaluateInitializer(weight.initializer.get(), shape, scope);
    std::string path = scope.path.empty() ? weight.name : scope.path + "." + weight.name;
    if (isGood && init)
      definition.item = tensor(readWeight(path, shape, *init, /*trainable=*/true, weight.location));
    declare(scope, weight.name, std::move(definition));
  }
}

} // namespace nnc::dsl
