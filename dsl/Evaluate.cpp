//===- Evaluate.cpp - Expressions -----------------------------------------===//

#include "dsl/Elaborate.h"

#include <algorithm>
#include <cmath>

namespace nnc::dsl {

static constexpr int maxDepth = 1500;
static constexpr size_t maxParts = 256;

static Item makeBoolean(bool value, const Location &location) {
  Item item = makeNumber(value, location);
  item.kind = Item::Kind::Boolean;
  return item;
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

} // namespace nnc::dsl
