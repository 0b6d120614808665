//===- Elaborate.cpp - Names, statements, calls of declared layers --------===//

#include "dsl/Elaborate.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace nnc::dsl {

static constexpr int64_t maxElements = maxNumber;
static constexpr size_t maxOperations = 20000;
static constexpr size_t maxSteps = 1000000;
static constexpr size_t maxErrors = 100;
static constexpr size_t maxCalls = 64;
static constexpr size_t maxRank = 16;
static constexpr size_t maxLengths = 64;
static constexpr size_t maxPath = 1024;

//===----------------------------------------------------------------------===//
// Values and messages
//===----------------------------------------------------------------------===//

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

Item settle(Item item) {
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
  std::string name = layer.getName() + std::to_string(++home.counters[layer.getName()]);
  return home.path.empty() ? name : home.path + "." + name;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

bool Elaborator::declare(Scope &scope, const std::string &name, Definition definition) {
  spend(definition.location);
  auto [known, isNew] = scope.names.emplace(name, definition);
  if (!isNew)
    error(definition.location, "`" + name + "` is defined twice",
          {{known->second.location, "it is first defined here"}});
  return isNew;
}

Item Elaborator::lookup(const std::string &name, Scope &scope, const Location &location) {
  for (Scope *at = &scope; at; at = at->parent)
    if (auto found = at->names.find(name); found != at->names.end())
      return force(found->second, *at);
  Item item;
  item.location = location;
  if (name == "same" || name == "valid") {
    item.kind = Item::Kind::Word;
    item.word = name;
    return item;
  }
  auto declared = program.layers.find(name);
  const Layer *builtin = findBuiltin(name);
  if (declared != program.layers.end() || builtin) {
    item.kind = Item::Kind::Layer;
    item.layer = std::make_shared<LayerValue>();
    if (declared != program.layers.end())
      item.layer->declared = declared->second;
    else
      item.layer->builtin = builtin;
    return item;
  }
  std::vector<std::string> candidates;
  for (Scope *at = &scope; at; at = at->parent)
    for (auto &[candidate, definition] : at->names)
      candidates.push_back(candidate);
  for (auto &[layer, declaration] : program.layers)
    candidates.push_back(layer);
  for (const Layer &layer : builtinLayers())
    candidates.push_back(layer.name);
  std::vector<Note> notes;
  if (std::string near = suggest(name, candidates); !near.empty())
    notes.push_back({location, "did you mean `" + near + "`?"});
  return error(location, "`" + name + "` is not defined", std::move(notes));
}

Item Elaborator::force(Definition &definition, Scope &scope) {
  if (definition.state == Definition::State::Done)
    return definition.item;
  if (definition.state == Definition::State::Running) {
    if (!definition.item.isError() || definition.item.word != "said") {
      error(definition.location, "is defined by itself",
            {{definition.location, "only `each` may read earlier steps of what it defines"}});
      definition.item.word = "said";
    }
    return {};
  }
  definition.state = Definition::State::Running;
  if (definition.statement->kind == Statement::Kind::Each)
    runEach(*definition.statement, scope);
  else
    runDefinition(*definition.statement, scope);
  definition.state = Definition::State::Done;
  return definition.item;
}

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

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
  double numbers[2] = {0, 0};
  for (size_t i = 0; i < count; ++i) {
    Item item = evaluate(*expr->arguments[i].value, scope);
    if (!item.is(Item::Kind::Number)) {
      if (!item.isError())
        error(expr->arguments[i].location, "`" + name + "` takes numbers");
      return std::nullopt;
    }
    numbers[i] = item.number;
  }
  init.a = numbers[0];
  init.b = numbers[1];
  return init;
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

/// Names first, so that their order does not matter; then weights.
void Elaborator::declareStatements(const std::vector<Statement> &body, Scope &scope) {
  for (const Statement &statement : body) {
    if (statement.kind == Statement::Kind::Definition) {
      for (size_t i = 0; i < statement.places.size(); ++i) {
        const Place &place = statement.places[i];
        if (!place.index.empty())
          error(place.location,
                "`" + place.name + "[" + place.index + "]` is defined outside of `each " + place.index + " in …`");
        declare(scope, place.name, {&statement, i, Definition::State::Pending, {}, place.location});
      }
    } else if (statement.kind == Statement::Kind::Each) {
      for (const Statement &step : statement.body)
        for (const Place &place : step.places)
          if (place.index == statement.index)
            declare(scope, place.name, {&statement, 0, Definition::State::Pending, {}, place.location});
    } else if (statement.kind == Statement::Kind::Weight) {
      declareWeights(statement, scope);
    }
  }
}

/// Everything is checked, also what no output needs.
void Elaborator::forceAll(Scope &scope, const std::vector<Statement> &body) {
  for (const Statement &statement : body) {
    if (statement.kind == Statement::Kind::Definition)
      for (const Place &place : statement.places)
        force(scope.names.at(place.name), scope);
    if (statement.kind != Statement::Kind::Each)
      continue;
    bool exports = false;
    for (const Statement &step : statement.body)
      for (const Place &place : step.places)
        if (place.index == statement.index) {
          exports = true;
          force(scope.names.at(place.name), scope);
        }
    if (!exports)
      error(statement.location, "defines nothing with `[" + statement.index + "]`, so that nothing can be read of it");
  }
}

void Elaborator::runDefinition(const Statement &statement, Scope &scope) {
  // All places of one statement are evaluated together.
  for (const Place &place : statement.places)
    scope.names.at(place.name).state = Definition::State::Running;
  Item item = evaluate(*statement.value, scope);
  auto finish = [&](const Place &place, Item value) {
    Definition &definition = scope.names.at(place.name);
    if (value.is(Item::Kind::Tensor) && function.values[value.value].name.empty())
      function.values[value.value].name = place.name;
    // Without its parameters a layer is no instance: the name is another one for it.
    if (value.is(Item::Kind::Layer) && value.layer->path.empty() && !takesParametersFirst(*value.layer)) {
      value.layer = std::make_shared<LayerValue>(*value.layer);
      value.layer->path = scope.home().path.empty() ? place.name : scope.home().path + "." + place.name;
    }
    definition.item = std::move(value);
    definition.state = Definition::State::Done;
  };
  size_t wanted = statement.places.size();
  if (wanted == 1) {
    if (item.is(Item::Kind::Tuple) && !item.parts.empty())
      item = item.parts.front(); // the first result of several
    return finish(statement.places[0], item);
  }
  if (!item.isError() && (!item.is(Item::Kind::Tuple) || item.parts.size() < wanted)) {
    size_t given = item.is(Item::Kind::Tuple) ? item.parts.size() : 1;
    error(statement.value->location, "gives " + std::to_string(given) + " results, not " + std::to_string(wanted));
    item = {};
  }
  for (size_t i = 0; i < wanted; ++i)
    finish(statement.places[i], item.isError() ? Item() : item.parts[i]);
}

//===----------------------------------------------------------------------===//
// Calls of declared layers
//===----------------------------------------------------------------------===//

Item Elaborator::callDeclared(const LayerValue &layer, std::vector<Item> values, Scope &scope,
                              const Location &location) {
  const LayerDecl &decl = *layer.declared;
  if (values.size() != decl.values.size())
    return error(location,
                 "layer `" + decl.name + "` takes " + std::to_string(decl.values.size()) + " values, not " +
                     std::to_string(values.size()),
                 {{decl.location, "`" + decl.name + "` is declared here"}});
  if (stack.size() >= maxCalls)
    return exhaust(location, "layers call each other more than " + std::to_string(maxCalls) + " deep",
                   {{decl.location, "`" + decl.name + "` is declared here"}});
  Scope body;
  body.block = scope.block;
  body.path = childPath(scope, layer);
  if (body.path.size() > maxPath)
    return exhaust(location, "a path of layers has more than the limit of " + std::to_string(maxPath) + " characters");
  body.results = &decl.results;
  stack.push_back(&decl);
  for (auto &[name, item] : layer.arguments)
    body.names.emplace(name, Definition{nullptr, 0, Definition::State::Done, item, item.location});
  bool isGood = true;
  for (size_t i = 0; i < values.size(); ++i) {
    const PortDecl &port = decl.values[i];
    if (values[i].is(Item::Kind::Tensor) && port.hasShape) {
      // Names of a value's shape that mean nothing yet get their meaning from the value.
      const Shape &shape = typeOf(values[i].value).shape;
      if (shape.size() != port.shape.size()) {
        error(location,
              "layer `" + decl.name + "` takes a value of " + std::to_string(port.shape.size()) + " dimensions as `" +
                  port.name + "`, not one of shape " + describe(typeOf(values[i].value)),
              {{port.location, "`" + port.name + "` is declared here"}, originOf(values[i].value, "the value")});
        isGood = false;
        continue;
      }
      for (size_t d = 0; d < shape.size(); ++d) {
        const Expr &expr = *port.shape[d];
        if (expr.kind == Expr::Kind::Name && body.names.count(expr.text) == 0) {
          Item item;
          item.kind = shape[d].isFixed() && d > 0 ? Item::Kind::Number : Item::Kind::Dim;
          item.dim = shape[d];
          item.number = static_cast<double>(shape[d].size);
          item.location = expr.location;
          body.names.emplace(expr.text, Definition{nullptr, 0, Definition::State::Done, item, expr.location});
          continue;
        }
        std::optional<Dim> dim = evaluateDim(expr, body, /*introducesDims=*/false);
        if (dim && *dim != shape[d]) {
          error(location,
                "layer `" + decl.name + "` takes `" + port.name + "` with " + describe(*dim) + " in dimension " +
                    std::to_string(d) + ", not " + describe(shape[d]),
                {originOf(values[i].value, "the value")});
          isGood = false;
        }
      }
    }
    declare(body, port.name, {nullptr, 0, Definition::State::Done, values[i], port.location});
  }
  Item result;
  if (isGood) {
    declareStatements(decl.body, body);
    forceAll(body, decl.body);
    std::vector<Item> results;
    for (const PortDecl &port : decl.results) {
      auto found = body.names.find(port.name);
      if (found == body.names.end())
        error(port.location, "layer `" + decl.name + "` does not define its result `" + port.name + "`");
      results.push_back(found == body.names.end() ? Item() : force(found->second, body));
    }
    if (results.size() == 1) {
      result = results.front();
    } else {
      result.kind = Item::Kind::Tuple;
      result.parts = std::move(results);
    }
  }
  stack.pop_back();
  return result;
}

//===----------------------------------------------------------------------===//
// Networks
//===----------------------------------------------------------------------===//

void Elaborator::declareNetwork(Scope &scope) {
  scope.block = &function.operations;
  declareParams(declaration.params, scope);
  for (const Statement &statement : declaration.body)
    if (statement.kind == Statement::Kind::Input)
      for (const PortDecl &port : statement.ports)
        declareInput(port, scope);
  // Lengths that only outputs name.
  for (const Statement &statement : declaration.body)
    if (statement.kind == Statement::Kind::Output)
      for (const PortDecl &port : statement.ports)
        evaluatePort(port, scope, /*introducesDims=*/true);
  declareStatements(declaration.body, scope);
}

/// The declared outputs as ports, with what was declared of their shapes.
void Elaborator::finishOutputs(Scope &scope) {
  bool hasOutputs = false;
  for (const Statement &statement : declaration.body) {
    if (statement.kind != Statement::Kind::Output)
      continue;
    for (const PortDecl &port : statement.ports) {
      hasOutputs = true;
      auto found = scope.names.find(port.name);
      if (found == scope.names.end()) {
        error(port.location, "output `" + port.name + "` is not defined");
        continue;
      }
      Item item = force(found->second, scope);
      if (item.isError())
        continue;
      std::optional<Value> value = toTensor(item, scope, port.location, "output `" + port.name + "`");
      if (!value)
        continue;
      std::optional<Type> declared = evaluatePort(port, scope, /*introducesDims=*/false);
      if (declared && port.hasShape && declared->shape != typeOf(*value).shape)
        error(port.location,
              "output `" + port.name + "` is declared with shape " + describe(declared->shape) + ", but has shape " +
                  describe(typeOf(*value).shape),
              {originOf(*value, "the value")});
      function.outputs.push_back({port.name, *value});
    }
  }
  if (!hasOutputs)
    error(declaration.location, "network `" + declaration.name + "` has no output",
          {{declaration.location, "write `output` and a name that it defines"}});
}

void Elaborator::elaborateInference() {
  Scope scope;
  declareNetwork(scope);
  forceAll(scope, declaration.body);
  finishOutputs(scope);
}

} // namespace nnc::dsl
