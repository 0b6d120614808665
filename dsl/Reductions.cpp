//===- Reductions.cpp - Sums, means and losses -----------------------------===//

#include "dsl/Elaborate.h"

#include <algorithm>

namespace nnc::dsl {

/// Every beam's states are chosen among all beams'.
static constexpr int64_t maxBeams = 64;

Item Elaborator::applyReduction(const LayerValue &layer, Value x, Scope &scope, const Location &location) {
  const std::string &name = layer.builtin->name;
  Type type = typeOf(x);
  if (isOneOf(name, {"softmax", "log_softmax", "argmax", "predict"})) {
    if (type.shape.empty() || !type.shape.back().isFixed())
      return error(location, "`" + name + "` works on a last dimension that is fixed, not on shape " + describe(type),
                   {originOf(x, "the value")});
    if (name == "softmax" || name == "log_softmax")
      return tensor(emit(name, {x}, type, scope, location));
    type.element = Element::Class;
    type.classes = type.shape.back().size;
    type.shape.pop_back();
    double beam = name == "predict" ? numberOf(layer, "beam") : 1;
    if (beam > maxBeams)
      return error(location, "`beam` is " + std::to_string(static_cast<int64_t>(beam)) + ", the most is " +
                                 std::to_string(maxBeams));
    if (beam > 1 && !isTraining)
      return tensor(emit("predict", {x}, type, scope, location, {{"beam", static_cast<int64_t>(beam)}}));
    return tensor(emit("argmax", {x}, type, scope, location));
  }
  std::vector<int64_t> axes;
  if (isOneOf(name, {"global_avg_pool", "global_max_pool"})) {
    if (type.shape.size() < 2)
      return error(location, "`" + name + "` takes spatial dimensions and channels, not shape " + describe(type),
                   {originOf(x, "the value")});
    for (size_t i = 0; i + 1 < type.shape.size(); ++i)
      axes.push_back(static_cast<int64_t>(i));
  } else if (auto given = axesOf(layer, type.shape.size(), location)) {
    axes = *given;
  } else {
    return {};
  }
  for (size_t i = axes.size(); i-- > 0;)
    type.shape.erase(type.shape.begin() + axes[i]);
  std::string op = isOneOf(name, {"mean", "global_avg_pool"}) ? "mean"
                   : name == "sum"                            ? "sum"
                   : name == "min"                            ? "reduce_min"
                                                              : "reduce_max";
  if (axes.empty())
    return tensor(x);
  return tensor(emit(op, {x}, type, scope, location, {{"axes", Axes{axes}}}));
}

Item Elaborator::applyLoss(const LayerValue &layer, Value y, Value target, Scope &scope, const Location &location) {
  const std::string &name = layer.builtin->name;
  Type type = typeOf(y);
  const Type other = typeOf(target);
  bool isLabel = isOneOf(name, {"cross_entropy", "nll", "hinge"});
  Shape rows = type.shape;
  if (rows.empty() || !rows.back().isFixed())
    return error(location, "`" + name + "` compares vectors, not a value of shape " + describe(type),
                 {originOf(y, "the value")});
  rows.pop_back();
  bool fits = isLabel
                  ? other.element == Element::Class && other.shape == rows && other.classes <= type.shape.back().size
                  : other.element == Element::Float && other.shape == type.shape;
  if (!fits)
    return error(location,
                 "`" + name + "` compares shape " + describe(type) + " with " + (isLabel ? "a label " : "a target ") +
                     describe(other),
                 {originOf(y, "the value"), originOf(target, "the other")});
  type.shape = rows;
  return tensor(emit(name, {y, target}, type, scope, location));
}

} // namespace nnc::dsl
