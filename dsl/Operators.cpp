//===- Operators.cpp - Operations from operators --------------------------===//

#include "dsl/Elaborate.h"

#include <algorithm>
#include <cmath>

namespace nnc::dsl {

Value Elaborator::constant(double number, Element element, Scope &scope, const Location &location) {
  Type type;
  type.element = element;
  if (element == Element::Float)
    return emit("constant", {}, type, scope, location, {{"value", number}});
  type.classes = 1;
  return emit("constant", {}, type, scope, location, {{"value", static_cast<int64_t>(number)}});
}

std::optional<Value> Elaborator::toTensor(const Item &item, Scope &scope, const Location &location,
                                          const std::string &what) {
  if (item.isResults)
    return toTensor(item.parts.front(), scope, location, what);
  switch (item.kind) {
  case Item::Kind::Tensor:
    return item.value;
  case Item::Kind::Number:
    return constant(item.number, Element::Float, scope, location);
  case Item::Kind::Error:
    return std::nullopt;
  case Item::Kind::Layer:
    error(location, what + " is the layer `" + item.layer->getName() + "`, not a value",
          {{location, "call it with a value, or put a value before it with `|>`"}});
    return std::nullopt;
  case Item::Kind::Tuple:
    error(location, what + " is " + std::to_string(item.parts.size()) + " values, not one");
    return std::nullopt;
  default:
    error(location, what + " is no value");
    return std::nullopt;
  }
}

/// Repeats a value to a shape whose last dimensions it has, or has as 1.
Value Elaborator::broadcast(Value value, const Shape &shape, Scope &scope, const Location &location) {
  Type type = typeOf(value);
  if (type.shape == shape)
    return value;
  Axes dims;
  for (size_t i = 0; i < type.shape.size(); ++i)
    dims.dims.push_back(static_cast<int64_t>(shape.size() - type.shape.size() + i));
  type.shape = shape;
  return emit("broadcast", {value}, type, scope, location, {{"dims", dims}});
}

/// The shape that two shapes are repeated to, aligned at their last dimensions.
static std::optional<Shape> unify(const Shape &a, const Shape &b) {
  const Shape &longer = a.size() >= b.size() ? a : b, &shorter = a.size() >= b.size() ? b : a;
  Shape shape = longer;
  for (size_t i = 0; i < shorter.size(); ++i) {
    Dim &dim = shape[longer.size() - shorter.size() + i];
    const Dim &other = shorter[i];
    if (dim == other || other == Dim::fixed(1))
      continue;
    if (dim != Dim::fixed(1))
      return std::nullopt;
    dim = other;
  }
  return shape;
}

Item Elaborator::elementwise(const std::string &name, std::vector<Item> operands, Scope &scope,
                             const Location &location, std::vector<std::pair<std::string, Attribute>> attributes) {
  static const std::vector<std::string> comparisons{"eq", "ne", "lt", "le", "gt", "ge"};
  bool compares = std::find(comparisons.begin(), comparisons.end(), name) != comparisons.end();
  bool isLogic = name == "and" || name == "or" || name == "not";
  // A number beside classes is a class.
  bool hasClass = false;
  int64_t classes = 0;
  for (const Item &item : operands)
    if (item.is(Item::Kind::Tensor) && typeOf(item.value).element == Element::Class) {
      hasClass = true;
      classes = std::max(classes, typeOf(item.value).classes);
    }
  std::vector<Value> values;
  std::vector<bool> isConstant;
  for (const Item &item : operands) {
    isConstant.push_back(item.is(Item::Kind::Number));
    if (compares && hasClass && item.is(Item::Kind::Number)) {
      bool isIn = item.number >= 0 && item.number <= static_cast<double>(classes > 0 ? classes - 1 : maxNumber);
      if (!isIn || item.number != std::floor(item.number)) {
        std::vector<Note> notes;
        if (classes > 0)
          notes.push_back({location, "there are 0 to " + std::to_string(classes - 1)});
        return error(location, "compares a class with a number that is none", std::move(notes));
      }
      values.push_back(constant(item.number, Element::Class, scope, location));
      continue;
    }
    std::optional<Value> value = toTensor(item, scope, location, "an operand");
    if (!value)
      return {};
    values.push_back(*value);
  }
  Type type = typeOf(values[0]);
  for (size_t i = 0; i < values.size(); ++i) {
    const Type &other = typeOf(values[i]);
    bool isCondition = name == "select" && i == 0;
    Element wanted = isLogic || isCondition ? Element::Bool : compares && hasClass ? Element::Class : Element::Float;
    if (other.element != wanted && !(name == "select" && i > 0 && other.element == Element::Class))
      return error(location,
                   other.element == Element::Class  ? "computes with a class, which is no number"
                   : other.element == Element::Bool ? "computes with a truth value, which is no number"
                                                    : "needs truth values, not numbers",
                   {originOf(values[i], "an operand")});
    std::optional<Shape> shape = unify(type.shape, other.shape);
    if (!shape)
      return error(location, "combines shapes " + describe(type.shape) + " and " + describe(other.shape),
                   {originOf(values[0], "the first"), originOf(values[i], "the other")});
    type.shape = *shape;
  }
  for (size_t i = 0; i < values.size(); ++i)
    if (!isConstant[i])
      values[i] = broadcast(values[i], type.shape, scope, location);
  if (std::all_of(isConstant.begin(), isConstant.end(), [](bool constant) { return constant; }))
    type.shape.clear();
  type.element = compares || isLogic ? Element::Bool : typeOf(values.back()).element;
  type.classes = type.element == Element::Class ? typeOf(values.back()).classes : 0;
  return tensor(emit(name, values, type, scope, location, std::move(attributes)));
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

Item Elaborator::matrixTimesVector(Value matrix, Value vector, Scope &scope, const Location &location) {
  const Shape shape = typeOf(matrix).shape, x = typeOf(vector).shape;
  if (shape[1] != x.back())
    return error(location,
                 "multiplies a matrix " + describe(shape) + " and a vector " + describe(x) + ": " + describe(shape[1]) +
                     " columns, " + describe(x.back()) + " elements",
                 {originOf(matrix, "the matrix"), originOf(vector, "the vector")});
  Type type;
  if (!dependsOnInputs(matrix)) {
    type.shape = {shape[0]};
    return tensor(emit("dense", {vector, matrix}, type, scope, location));
  }
  Item column = reshapeTo(vector, {x[0], Dim::fixed(1)}, scope, location);
  type.shape = {shape[0], Dim::fixed(1)};
  Value product = emit("matmul", {matrix, column.value}, type, scope, location);
  return reshapeTo(product, {shape[0]}, scope, location);
}

Item Elaborator::multiply(const Item &left, const Item &right, Scope &scope, const Location &location) {
  std::optional<Value> a, b;
  if (!left.is(Item::Kind::Number) && !(a = toTensor(left, scope, location, "the left of `*`")))
    return {};
  if (!right.is(Item::Kind::Number) && !(b = toTensor(right, scope, location, "the right of `*`")))
    return {};
  bool scales = !a || !b || typeOf(*a).shape.empty() || typeOf(*b).shape.empty();
  if (scales)
    return elementwise("mul", {left, right}, scope, location);
  for (Value value : {*a, *b})
    if (typeOf(value).element != Element::Float)
      return error(location, "multiplies classes", {originOf(value, "an operand")});
  const Shape first = typeOf(*a).shape, second = typeOf(*b).shape;
  auto isFixed = [](const Shape &shape) {
    return std::all_of(shape.begin(), shape.end(), [](const Dim &dim) { return dim.isFixed(); });
  };
  if (first.size() == 1 && second.size() == 1)
    return error(location, "multiplies two vectors, " + describe(first) + " and " + describe(second),
                 {{location, "`.*` multiplies element by element, `dot` sums the products"}});
  if (first.size() == 2 && second.size() == 1 && isFixed(first) && isFixed(second))
    return matrixTimesVector(*a, *b, scope, location);
  if (first.size() == 2 && second.size() == 2 && isFixed(first) && isFixed(second)) {
    if (first[1] != second[0])
      return error(location,
                   "multiplies matrices " + describe(first) + " and " + describe(second) + ": " + describe(first[1]) +
                       " columns, " + describe(second[0]) + " rows",
                   {originOf(*a, "the left"), originOf(*b, "the right")});
    Type type;
    type.shape = {first[0], second[1]};
    return tensor(emit("matmul", {*a, *b}, type, scope, location));
  }
  std::vector<Note> notes{originOf(*a, "the left"), originOf(*b, "the right")};
  if (first == second)
    notes.push_back({location, "`.*` multiplies element by element"});
  return error(location,
               "`*` multiplies a matrix and a vector or two matrices, not shapes " + describe(first) + " and " +
                   describe(second),
               std::move(notes));
}

} // namespace nnc::dsl
