//===- Calls.cpp - Layers that are called ----------------------------------===//

#include "dsl/Elaborate.h"

#include <algorithm>

namespace nnc::dsl {

static constexpr int64_t maxRepeats = 10000;
static constexpr int maxLayerDepth = 64;
static constexpr size_t maxCalls = 64;
static constexpr size_t maxPath = 1024;

bool takesParametersFirst(const LayerValue &layer) {
  if (layer.isBound || layer.repeated)
    return false;
  if (layer.builtin)
    return layer.builtin->hasRequired();
  return std::any_of(layer.declared->params.begin(), layer.declared->params.end(),
                     [](const ParamDecl &param) { return !param.value; });
}

Item Elaborator::evaluatePipe(const Expr &expr, Scope &scope) {
  Item value = settle(evaluate(*expr.operands[0], scope));
  const Expr &stage = *expr.operands[1];
  if (stage.kind == Expr::Kind::Call)
    return evaluateCall(stage, scope, {value});
  Item layer = evaluate(stage, scope);
  if (value.isError() || layer.isError())
    return {};
  if (!layer.is(Item::Kind::Layer))
    return error(stage.location, "`|>` goes into a layer");
  return apply(layer.layer, {value}, scope, stage.location);
}

/// What looks like a call but is not one of a layer.
Item Elaborator::evaluateSpecial(const Expr &expr, const std::string &name, Scope &scope, bool &isSpecial) {
  isSpecial = true;
  if (name == "channels" && expr.arguments.size() == 1) {
    Item item = settle(evaluate(*expr.arguments[0].value, scope));
    if (item.isError())
      return item;
    if (!item.is(Item::Kind::Tensor) || typeOf(item.value).shape.empty() || !typeOf(item.value).shape.back().isFixed())
      return error(expr.location, "`channels` is the last dimension of a value");
    return makeNumber(static_cast<double>(typeOf(item.value).shape.back().size), expr.location);
  }
  if (name == "repeat" && expr.arguments.size() == 2) {
    std::optional<int64_t> times = evaluateCount(*expr.arguments[0].value, scope, "the number of repetitions", 0);
    Item layer = evaluate(*expr.arguments[1].value, scope);
    if (!times || layer.isError())
      return {};
    if (*times > maxRepeats)
      return error(expr.location, "repeats " + std::to_string(*times) + " times, more than the limit of " +
                                      std::to_string(maxRepeats));
    if (!layer.is(Item::Kind::Layer))
      return error(expr.arguments[1].location, "`repeat` takes a layer");
    Item item;
    item.kind = Item::Kind::Layer;
    item.location = expr.location;
    item.layer = std::make_shared<LayerValue>();
    item.layer->times = *times;
    item.layer->repeated = layer.layer;
    if ((item.layer->depth = layer.layer->depth + 1) > maxLayerDepth)
      return error(expr.location,
                   "gives layers to layers more than the limit of " + std::to_string(maxLayerDepth) + " deep");
    item.layer->isBound = true;
    return item;
  }
  if ((name == "sum" || name == "mean") && expr.arguments.size() == 2 && expr.arguments[0].binds)
    return reduceOver(expr, name, scope);
  if (program.layers.count(name) == 0 && (name == "repeat" || name == "channels"))
    return error(expr.location,
                 name == "repeat" ? "`repeat` takes a number and a layer" : "`channels` takes one value");
  isSpecial = false;
  return {};
}

Item Elaborator::evaluateCall(const Expr &expr, Scope &scope, const std::vector<Item> &leading) {
  const Expr &callee = *expr.operands[0];
  Item layer;
  bool isLocal = false;
  for (Scope *at = &scope; at && callee.kind == Expr::Kind::Name; at = at->parent)
    isLocal |= at->names.count(callee.text) != 0;
  if (callee.kind == Expr::Kind::Name && !isLocal) {
    bool isSpecial = false;
    Item special = evaluateSpecial(expr, callee.text, scope, isSpecial);
    if (isSpecial && (leading.empty() || !special.is(Item::Kind::Layer)))
      return special;
    if (isSpecial)
      return apply(special.layer, leading, scope, expr.location);
  }
  layer = evaluate(callee, scope);
  if (layer.isError()) {
    for (const Argument &argument : expr.arguments) // their mistakes are said too
      if (argument.value->kind != Expr::Kind::Name)
        evaluate(*argument.value, scope);
    return {};
  }
  if (!layer.is(Item::Kind::Layer))
    return error(callee.location, "is no layer, so it cannot be called");

  if (takesParametersFirst(*layer.layer)) {
    std::shared_ptr<LayerValue> bound = bind(*layer.layer, expr, scope, 0);
    if (!bound)
      return {};
    Item item = layer;
    item.layer = bound;
    return leading.empty() ? item : apply(bound, leading, scope, expr.location);
  }
  // Values, and parameters by keyword.
  std::vector<Item> values = leading;
  for (const Argument &argument : expr.arguments)
    if (argument.name.empty())
      values.push_back(settle(evaluate(*argument.value, scope)));
  bool hasKeywords = std::any_of(expr.arguments.begin(), expr.arguments.end(),
                                 [](const Argument &argument) { return !argument.name.empty(); });
  std::shared_ptr<LayerValue> bound = layer.layer;
  if (hasKeywords || (!bound->isBound && !bound->repeated))
    bound = bind(*layer.layer, expr, scope, expr.arguments.size());
  if (!bound)
    return {};
  if (values.empty() && !bound->repeated) {
    // `enc = bidirectional(…)` without values: the layer itself.
    Item item = layer;
    item.layer = bound;
    return item;
  }
  return apply(bound, std::move(values), scope, expr.location);
}

Item Elaborator::apply(const std::shared_ptr<LayerValue> &layer, std::vector<Item> values, Scope &scope,
                       const Location &location) {
  for (const Item &value : values)
    if (value.isError())
      return {};
  if (!spend(location))
    return {};
  if (layer->repeated) {
    if (values.size() != 1)
      return error(location, "a repeated layer takes 1 value, not " + std::to_string(values.size()));
    Item value = values.front();
    for (int64_t i = 0; i < layer->times && !value.isError(); ++i)
      value = settle(apply(layer->repeated, {value}, scope, location));
    return value;
  }
  std::shared_ptr<LayerValue> bound = layer;
  if (takesParametersFirst(*bound)) {
    const std::string &missing =
        bound->builtin ? bound->builtin->parameters.front().name : bound->declared->params.front().name;
    return error(location, "layer `" + bound->getName() + "` needs its parameter `" + missing + "`",
                 {{location, "write `" + bound->getName() + "(" + missing + " = …)`"}});
  }
  if (!bound->isBound) {
    Expr none{};
    none.kind = Expr::Kind::Call;
    none.location = location;
    bound = bind(*bound, none, scope, 0);
    if (!bound)
      return {};
  }
  return bound->builtin ? applyBuiltin(*bound, std::move(values), scope, location)
                        : callDeclared(*bound, std::move(values), scope, location);
}

//===----------------------------------------------------------------------===//
// Declared layers
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
      result.isResults = true;
      result.parts = std::move(results);
    }
  }
  stack.pop_back();
  return result;
}

} // namespace nnc::dsl
