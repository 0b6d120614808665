//===- Elaborate.cpp - Networks, names and statements ----------------------===//

#include "dsl/Elaborate.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace nnc::dsl {

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
  StatementGuard guard(this->statement, &statement);
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
  if (wanted == 1)
    return finish(statement.places[0], settle(std::move(item)));
  if (!item.isError() && (!item.is(Item::Kind::Tuple) || item.parts.size() < wanted)) {
    size_t given = item.is(Item::Kind::Tuple) ? item.parts.size() : 1;
    error(statement.value->location, "gives " + std::to_string(given) + " results, not " + std::to_string(wanted));
    item = {};
  }
  for (size_t i = 0; i < wanted; ++i)
    finish(statement.places[i], item.isError() ? Item() : settle(item.parts[i]));
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
