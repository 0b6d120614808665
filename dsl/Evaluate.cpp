//===- Evaluate.cpp - Expressions -----------------------------------------===//

#include "dsl/Elaborate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace nnc::dsl {

static constexpr int64_t maxRepeats = 10000;
static constexpr int maxDepth = 1500;
static constexpr int maxLayerDepth = 64;
static constexpr size_t maxParts = 256;

static Item makeNumber(double number, const Location &location) {
  Item item;
  item.kind = Item::Kind::Number;
  item.number = number;
  item.location = location;
  return item;
}

static Item makeBoolean(bool value, const Location &location) {
  Item item = makeNumber(value, location);
  item.kind = Item::Kind::Boolean;
  return item;
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

std::optional<int64_t> Elaborator::evaluateCount(const Expr &expr, Scope &scope, const std::string &what,
                                                 int64_t least) {
  Item item = settle(evaluate(expr, scope));
  if (item.isError())
    return std::nullopt;
  bool isWhole = item.is(Item::Kind::Number) && item.number == std::floor(item.number);
  if (isWhole && item.number > maxNumber) {
    error(expr.location, what + " is " + describe(item) + ", more than the limit of " + std::to_string(maxNumber));
    return std::nullopt;
  }
  if (!isWhole || item.number < static_cast<double>(least)) {
    error(expr.location, what + " is a whole number of at least " + std::to_string(least) +
                             " that is known when the network is compiled, not " + describe(item));
    return std::nullopt;
  }
  return static_cast<int64_t>(item.number);
}

/// How many things a tuple has in all.
static size_t countParts(const Item &item) {
  size_t count = 1;
  for (const Item &part : item.parts)
    count += countParts(part);
  return count;
}

namespace {
/// Counts how deep the evaluator stands.
class DepthGuard {
public:
  explicit DepthGuard(int &depth) : depth(depth) { ++depth; }
  ~DepthGuard() { --depth; }

private:
  int &depth;
};
} // namespace

Item Elaborator::evaluate(const Expr &expr, Scope &scope) {
  DepthGuard guard(depth);
  if (!spend(expr.location))
    return {};
  if (depth > maxDepth)
    return exhaust(expr.location,
                   "definitions need each other more than the limit of " + std::to_string(maxDepth) + " deep");
  switch (expr.kind) {
  case Expr::Kind::Name:
    return lookup(expr.text, scope, expr.location);
  case Expr::Kind::Number:
  case Expr::Kind::Size:
    return makeNumber(expr.number, expr.location);
  case Expr::Kind::Boolean:
    return makeBoolean(expr.number != 0, expr.location);
  case Expr::Kind::Unary:
    return evaluateUnary(expr, scope);
  case Expr::Kind::Binary:
    return evaluateBinary(expr, scope);
  case Expr::Kind::If:
    return evaluateIf(expr, scope);
  case Expr::Kind::Pipe:
    return evaluatePipe(expr, scope);
  case Expr::Kind::Call:
    return evaluateCall(expr, scope);
  case Expr::Kind::Index:
    return evaluateIndex(expr, scope);
  case Expr::Kind::Tuple: {
    Item tuple;
    tuple.kind = Item::Kind::Tuple;
    tuple.location = expr.location;
    for (const ExprPtr &part : expr.operands)
      if (tuple.parts.push_back(evaluate(*part, scope)); countParts(tuple) > maxParts)
        return error(expr.location, "a tuple has more than the limit of " + std::to_string(maxParts) + " parts");
    return tuple;
  }
  }
  return {};
}

Item Elaborator::evaluateUnary(const Expr &expr, Scope &scope) {
  Item item = settle(evaluate(*expr.operands[0], scope));
  if (item.isError())
    return item;
  if (expr.text == "-" && item.is(Item::Kind::Number))
    return makeNumber(-item.number, expr.location);
  if (expr.text == "not" && item.is(Item::Kind::Boolean))
    return makeBoolean(item.number == 0, expr.location);
  return elementwise(expr.text == "-" ? "neg" : "not", {item}, scope, expr.location);
}

Item Elaborator::evaluateNumbers(const Expr &expr, const Item &left, const Item &right) {
  double a = left.number, b = right.number;
  const std::string &op = expr.text;
  bool isQuotient = op == "/" || op == "./", isProduct = op == "*" || op == ".*";
  if (isQuotient && b == 0)
    return error(expr.location, "divides by 0");
  if (isQuotient || isProduct || op == "+" || op == "-") {
    double result = isQuotient ? a / b : isProduct ? a * b : op == "+" ? a + b : a - b;
    return std::isfinite(result) ? makeNumber(result, expr.location)
                                 : error(expr.location, "gives a number that is too large");
  }
  if (op == "and" || op == "or")
    return makeBoolean(op == "and" ? a != 0 && b != 0 : a != 0 || b != 0, expr.location);
  bool holds = op == "=="   ? a == b
               : op == "!=" ? a != b
               : op == "<"  ? a < b
               : op == "<=" ? a <= b
               : op == ">"  ? a > b
                            : a >= b;
  return makeBoolean(holds, expr.location);
}

Item Elaborator::evaluateBinary(const Expr &expr, Scope &scope) {
  Item left = settle(evaluate(*expr.operands[0], scope)), right = settle(evaluate(*expr.operands[1], scope));
  if (left.isError() || right.isError())
    return {};
  auto isKnown = [](const Item &item) { return item.is(Item::Kind::Number) || item.is(Item::Kind::Boolean); };
  if (isKnown(left) && isKnown(right))
    return evaluateNumbers(expr, left, right);
  if (left.is(Item::Kind::Word) && right.is(Item::Kind::Word) && expr.text == "==")
    return makeBoolean(left.word == right.word, expr.location);
  if (expr.text == "*")
    return multiply(left, right, scope, expr.location);
  if (expr.text == "/") {
    bool byScalar = right.is(Item::Kind::Number) || (right.is(Item::Kind::Tensor) && typeOf(right.value).shape.empty());
    if (!byScalar && right.is(Item::Kind::Tensor))
      return error(expr.location, "`/` divides by a number, not by a value of shape " + describe(typeOf(right.value)),
                   {{expr.location, "`./` divides element by element"}});
    return elementwise("div", {left, right}, scope, expr.location);
  }
  static const std::map<std::string, std::string> names{{"+", "add"}, {"-", "sub"}, {".*", "mul"},  {"./", "div"},
                                                        {"==", "eq"}, {"!=", "ne"}, {"<", "lt"},    {"<=", "le"},
                                                        {">", "gt"},  {">=", "ge"}, {"and", "and"}, {"or", "or"}};
  return elementwise(names.at(expr.text), {left, right}, scope, expr.location);
}

Item Elaborator::evaluateIf(const Expr &expr, Scope &scope) {
  Item condition = evaluate(*expr.operands[0], scope);
  if (condition.isError())
    return condition;
  if (condition.is(Item::Kind::Boolean) || condition.is(Item::Kind::Number))
    return evaluate(*expr.operands[condition.number != 0 ? 1 : 2], scope);
  if (condition.is(Item::Kind::Tensor) && typeOf(condition.value).element == Element::Bool)
    return elementwise("select", {condition, evaluate(*expr.operands[1], scope), evaluate(*expr.operands[2], scope)},
                       scope, expr.location);
  return error(expr.operands[0]->location, "the condition of `if` is a truth value");
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

bool takesParametersFirst(const LayerValue &layer) {
  if (layer.isBound || layer.repeated)
    return false;
  if (layer.builtin)
    return layer.builtin->hasRequired();
  return std::any_of(layer.declared->params.begin(), layer.declared->params.end(),
                     [](const ParamDecl &param) { return !param.value; });
}

Item Elaborator::evaluatePipe(const Expr &expr, Scope &scope) {
  Item value = evaluate(*expr.operands[0], scope);
  const Expr &stage = *expr.operands[1];
  if (value.is(Item::Kind::Tuple) && !value.parts.empty())
    value = value.parts.front();
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
    Item item = evaluate(*expr.arguments[0].value, scope);
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
      values.push_back(evaluate(*argument.value, scope));
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
      value = apply(layer->repeated, {value}, scope, location);
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
// Subscripts
//===----------------------------------------------------------------------===//

/// A loop of which `name` is the index; null when there is none.
static Scope *findLoop(Scope &scope, const std::string &name) {
  for (Scope *at = &scope; at; at = at->parent)
    if (at->loop && at->loop->index == name)
      return at;
  return nullptr;
}

Item Elaborator::evaluateIndex(const Expr &expr, Scope &scope) {
  const Expr &base = *expr.operands[0];
  size_t next = 0;
  Item value;
  const Subscript &first = expr.subscripts.front();
  // `[t]`, `[t - 2]`: a step of a loop around.
  const Expr *step = first.isRange ? nullptr : first.first.get();
  int64_t lag = 0;
  if (step && step->kind == Expr::Kind::Binary && (step->text == "-" || step->text == "+") &&
      step->operands[0]->kind == Expr::Kind::Name && findLoop(scope, step->operands[0]->text)) {
    Item offset = evaluate(*step->operands[1], scope);
    if (!offset.is(Item::Kind::Number) || offset.number != std::floor(offset.number) || std::abs(offset.number) > 1e9)
      return offset.isError() ? offset : error(step->location, "an earlier step is a whole number of steps back");
    lag = static_cast<int64_t>(step->text == "-" ? offset.number : -offset.number);
    step = step->operands[0].get();
  }
  Scope *loop = step && step->kind == Expr::Kind::Name ? findLoop(scope, step->text) : nullptr;
  if (loop) {
    if (lag < 0 || lag > 256)
      return error(first.first->location,
                   lag < 0 ? "reads a later step: only this and earlier steps are known"
                           : "reads " + std::to_string(lag) + " steps back, more than the limit of 256");
    value = base.kind == Expr::Kind::Name ? evaluateStep(base, base.text, *loop->loop, *loop, lag, scope) : Item();
    if (base.kind != Expr::Kind::Name) {
      Item whole = evaluate(base, scope);
      if (whole.is(Item::Kind::Tensor))
        value = tensor(elementOf(*loop->loop, whole.value, expr.location));
    }
    next = 1;
  } else {
    value = evaluate(base, scope);
    // `h[T]`: the last step.
    Item last = step && step->kind == Expr::Kind::Name ? evaluate(*step, scope) : Item();
    if (value.is(Item::Kind::Tensor) && last.is(Item::Kind::Dim)) {
      const Shape shape = typeOf(value.value).shape;
      if (shape.empty() || shape.front() != last.dim)
        return error(expr.location, "`" + base.text + "` has shape " + describe(shape) +
                                        ", whose first dimension is not `" + step->text + "`");
      if (value.hasFinal) {
        value = tensor(value.final);
      } else {
        Type type = typeOf(value.value);
        type.shape.erase(type.shape.begin());
        value = tensor(emit("last", {value.value}, type, scope, expr.location));
      }
      next = 1;
    }
  }
  // `x[s, l]`: steps of several loops, the outer ones first.
  while (value.is(Item::Kind::Tensor) && next > 0 && next < expr.subscripts.size()) {
    const Subscript &subscript = expr.subscripts[next];
    bool isName = !subscript.isRange && subscript.first->kind == Expr::Kind::Name;
    Scope *inner = isName ? findLoop(scope, subscript.first->text) : nullptr;
    if (!inner)
      break;
    value = tensor(elementOf(*inner->loop, value.value, expr.location));
    ++next;
  }
  if (value.isError() || next == expr.subscripts.size())
    return value;
  if (value.is(Item::Kind::Dim) || !value.is(Item::Kind::Tensor))
    return error(expr.location, "only values have elements");

  // What is left cuts fixed dimensions.
  Type type = typeOf(value.value);
  size_t free = 0;
  while (free < type.shape.size() && !type.shape[free].isFixed())
    ++free;
  std::vector<int64_t> starts, sizes;
  Shape kept(type.shape.begin(), type.shape.begin() + free);
  if (expr.subscripts.size() - next > type.shape.size() - free)
    return error(expr.location,
                 "has " + std::to_string(expr.subscripts.size() - next) + " subscripts for a value of shape " +
                     describe(type),
                 {originOf(value.value, "the value")});
  for (size_t dim = free; dim < type.shape.size(); ++dim) {
    int64_t extent = type.shape[dim].size, start = 0, end = extent;
    size_t at = next + dim - free;
    bool drops = false;
    if (at < expr.subscripts.size()) {
      const Subscript &subscript = expr.subscripts[at];
      if (subscript.first) {
        std::optional<int64_t> number = evaluateCount(*subscript.first, scope, "a subscript", 0);
        if (!number)
          return {};
        start = *number;
      }
      if (!subscript.isRange) {
        end = start + 1;
        drops = true;
      } else if (subscript.last) {
        std::optional<int64_t> number = evaluateCount(*subscript.last, scope, "a subscript", 0);
        if (!number)
          return {};
        end = *number;
      }
    }
    if (start >= end || end > extent)
      return error(expr.location,
                   "takes " + std::to_string(start) + ":" + std::to_string(end) + " of a dimension of " +
                       std::to_string(extent),
                   {originOf(value.value, "the value")});
    starts.push_back(start);
    sizes.push_back(end - start);
    if (!drops)
      kept.push_back(Dim::fixed(end - start));
    type.shape[dim] = Dim::fixed(end - start);
  }
  Value cut = emit("slice", {value.value}, type, scope, expr.location, {{"starts", starts}, {"sizes", sizes}});
  return kept == type.shape ? tensor(cut) : reshapeTo(cut, kept, scope, expr.location);
}

} // namespace nnc::dsl
