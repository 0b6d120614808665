//===- Moves.cpp - Built-in layers that move elements ---------------------===//

#include "dsl/Elaborate.h"

#include <algorithm>

namespace nnc::dsl {

static size_t countFree(const Shape &shape) {
  return static_cast<size_t>(std::count_if(shape.begin(), shape.end(), [](const Dim &dim) { return !dim.isFixed(); }));
}

static int64_t fixedSize(const Shape &shape) {
  int64_t size = 1;
  for (const Dim &dim : shape)
    if (dim.isFixed())
      size = multiplyExtents(size, dim.size);
  return size;
}

Item Elaborator::reshapeTo(Value x, Shape shape, Scope &scope, const Location &location) {
  Type type = typeOf(x);
  if (type.shape == shape)
    return tensor(x);
  type.shape = std::move(shape);
  return tensor(emit("reshape", {x}, type, scope, location));
}

Item Elaborator::applyConcat(const LayerValue &layer, const std::vector<Value> &values, Scope &scope,
                             const Location &location) {
  Type type = typeOf(values.front());
  auto axes = axesOf(layer, type.shape.size(), location);
  if (!axes || axes->size() != 1)
    return axes ? error(location, "`concat` joins along one dimension") : Item();
  size_t axis = static_cast<size_t>(axes->front());
  if (!type.shape[axis].isFixed())
    return error(location, "`concat` joins along a fixed dimension, not along `" + describe(type.shape[axis]) + "`");
  for (size_t i = 1; i < values.size(); ++i) {
    Type other = typeOf(values[i]);
    bool fits = other.shape.size() == type.shape.size() && other.element == type.element && other.shape[axis].isFixed();
    if (fits) {
      int64_t joined = type.shape[axis].size + other.shape[axis].size;
      other.shape[axis] = type.shape[axis];
      fits = other.shape == type.shape;
      type.shape[axis] = Dim::fixed(joined);
      type.classes = std::max(type.classes, other.classes);
    }
    if (!fits)
      return error(location,
                   "`concat` joins shapes " + describe(typeOf(values[0])) + " and " + describe(typeOf(values[i])) +
                       ", which differ in more than dimension " + std::to_string(axis),
                   {originOf(values[0], "the first"), originOf(values[i], "the other")});
  }
  return tensor(emit("concat", values, type, scope, location, {{"axis", Axes{{static_cast<int64_t>(axis)}}}}));
}

Item Elaborator::applyMove(const LayerValue &layer, const std::vector<Value> &values, Scope &scope,
                           const Location &location) {
  const std::string &name = layer.builtin->name;
  Value x = values.front();
  Type type = typeOf(x);
  size_t free = countFree(type.shape);
  if (name == "concat")
    return applyConcat(layer, values, scope, location);
  if (name == "flatten") {
    Shape shape(type.shape.begin(), type.shape.begin() + free);
    shape.push_back(Dim::fixed(fixedSize(type.shape)));
    return reshapeTo(x, shape, scope, location);
  }
  if (name == "reshape") {
    const Item &wanted = *argumentOf(layer, "shape");
    Shape shape(type.shape.begin(), type.shape.begin() + free);
    std::vector<Item> parts = wanted.is(Item::Kind::Tuple) ? wanted.parts : std::vector<Item>{wanted};
    for (const Item &part : parts)
      shape.push_back(Dim::fixed(static_cast<int64_t>(part.number)));
    if (fixedSize(shape) != fixedSize(type.shape) || fixedSize(shape) == 0)
      return error(location,
                   "`reshape` makes shape " + describe(shape) + " with " + std::to_string(fixedSize(shape)) +
                       " elements of shape " + describe(type) + " with " + std::to_string(fixedSize(type.shape)),
                   {originOf(x, "the value")});
    return reshapeTo(x, shape, scope, location);
  }
  if (name == "transpose") {
    size_t rank = type.shape.size() - free;
    std::vector<int64_t> order;
    const Item *given = argumentOf(layer, "order");
    for (size_t i = 0; i < (given ? given->parts.size() : rank); ++i)
      order.push_back(given ? static_cast<int64_t>(given->parts[i].number) : static_cast<int64_t>(rank - 1 - i));
    std::vector<int64_t> sorted = order;
    std::sort(sorted.begin(), sorted.end());
    bool isOrder = sorted.size() == rank;
    for (size_t i = 0; isOrder && i < rank; ++i)
      isOrder = sorted[i] == static_cast<int64_t>(i);
    if (!isOrder)
      return error(location,
                   "`order` of `transpose` names each of the " + std::to_string(rank) +
                       " fixed dimensions once, counted from 0",
                   {originOf(x, "the value")});
    Shape shape(type.shape.begin(), type.shape.begin() + free);
    for (int64_t dim : order)
      shape.push_back(type.shape[free + dim]);
    type.shape = shape;
    return tensor(emit("transpose", {x}, type, scope, location, {{"permutation", order}}));
  }
  if (name == "last") {
    if (type.shape.empty())
      return error(location, "`last` takes a sequence, not a value of shape " + describe(type),
                   {originOf(x, "the value")});
    type.shape.erase(type.shape.begin());
    return tensor(emit("last", {x}, type, scope, location));
  }
  if (name == "reverse") {
    auto axes = axesOf(layer, type.shape.size(), location);
    if (!axes || axes->size() != 1)
      return axes ? error(location, "`reverse` turns one dimension around") : Item();
    return tensor(emit("reverse", {x}, type, scope, location, {{"axis", Axes{*axes}}}));
  }
  // embed, one_hot
  if (type.element != Element::Class)
    return error(location, "`" + name + "` takes classes, not numbers",
                 {originOf(x, "the value"), {location, "an input of classes is declared `x : class[n]`"}});
  int64_t classes = type.classes;
  type.element = Element::Float;
  type.classes = 0;
  if (name == "one_hot") {
    type.shape.push_back(Dim::fixed(classes));
    return tensor(emit("one_hot", {x}, type, scope, location, {{"classes", classes}}));
  }
  int64_t n = static_cast<int64_t>(numberOf(layer, "n"));
  Initializer init;
  init.kind = Initializer::Normal;
  init.a = 1;
  Value table = readWeight(childPath(scope, layer) + ".table", {classes, n}, init, /*trainable=*/true, location);
  type.shape.push_back(Dim::fixed(n));
  return tensor(emit("embed", {x, table}, type, scope, location));
}

} // namespace nnc::dsl
