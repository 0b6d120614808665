//===- Parameters.cpp - What layers are given -----------------------------===//

#include "dsl/Elaborate.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace nnc::dsl {

static constexpr int maxLayerDepth = 64;

static bool isWhole(const Item &item, double least) {
  return item.is(Item::Kind::Number) && item.number == std::floor(item.number) && item.number >= least &&
         item.number <= maxNumber;
}

bool Elaborator::checkParameter(const Parameter &parameter, const Item &item, const LayerValue &layer) {
  auto allWhole = [&](double least) {
    return item.is(Item::Kind::Tuple) ? std::all_of(item.parts.begin(), item.parts.end(),
                                                    [&](const Item &part) { return isWhole(part, least); })
                                      : isWhole(item, least);
  };
  std::string wanted;
  switch (parameter.kind) {
  case ParameterKind::Count:
    wanted = isWhole(item, 1) ? "" : "a whole number from 1 to " + std::to_string(maxNumber);
    break;
  case ParameterKind::Number:
    wanted = item.is(Item::Kind::Number) ? "" : "a number";
    break;
  case ParameterKind::Flag:
    wanted = item.is(Item::Kind::Boolean) ? "" : "true or false";
    break;
  case ParameterKind::Extents:
    wanted = allWhole(1) ? "" : "a whole number of at least 1, or a tuple with one for each dimension";
    break;
  case ParameterKind::Axes:
    wanted = allWhole(0) ? "" : "a dimension counted from 0, or a tuple of them";
    break;
  case ParameterKind::Numbers:
    wanted = allWhole(0) ? "" : "a tuple of whole numbers";
    break;
  case ParameterKind::Padding: {
    auto isSide = [](const Item &side) {
      return isWhole(side, 0) || (side.is(Item::Kind::Tuple) && side.parts.size() == 2 && isWhole(side.parts[0], 0) &&
                                  isWhole(side.parts[1], 0));
    };
    bool isGood = item.is(Item::Kind::Word) || isSide(item) ||
                  (item.is(Item::Kind::Tuple) && std::all_of(item.parts.begin(), item.parts.end(), isSide));
    wanted = isGood ? "" : "valid, same, a whole number, or for each dimension a number or (before, after)";
    break;
  }
  }
  if (wanted.empty())
    return true;
  std::vector<Note> notes;
  if (item.is(Item::Kind::Tensor))
    notes.push_back({item.location, "values come behind the parameters, in brackets of their own: `" + layer.getName() +
                                        "(…)(x)`, or before: `x |> " + layer.getName() + "(…)`"});
  if (!item.isError())
    error(item.location,
          "parameter `" + parameter.name + "` of `" + layer.getName() + "` is " + wanted + ", not " + describe(item),
          std::move(notes));
  return false;
}

/// Gives a layer the parameters of a call: positional ones when the call has
/// fewer than `firstPositional` values before them, the others by keyword.
std::shared_ptr<LayerValue> Elaborator::bind(const LayerValue &layer, const Expr &call, Scope &scope,
                                             size_t firstPositional) {
  auto bound = std::make_shared<LayerValue>(layer);
  bound->isBound = true;
  bool isGood = true;
  std::vector<std::string> names;
  if (layer.builtin)
    for (const Parameter &parameter : layer.builtin->parameters)
      names.push_back(parameter.name);
  else if (layer.declared)
    for (const ParamDecl &param : layer.declared->params)
      names.push_back(param.name);

  auto give = [&](const std::string &name, Item item, const Location &location) {
    for (auto &[known, value] : bound->arguments)
      if (known == name) {
        error(location, "gives parameter `" + name + "` twice");
        isGood = false;
        return;
      }
    item = settle(std::move(item));
    item.location = location;
    if (item.layer)
      bound->depth = std::max(bound->depth, item.layer->depth + 1);
    bound->arguments.emplace_back(name, std::move(item));
  };
  size_t position = 0;
  for (const Argument &argument : call.arguments) {
    if (argument.name.empty()) {
      if (firstPositional > 0)
        continue; // a value
      Item item = evaluate(*argument.value, scope);
      if (position >= names.size()) {
        error(argument.location,
              "`" + layer.getName() + "` has " + std::to_string(names.size()) + " parameters, but is given more");
        return nullptr;
      }
      give(names[position++], std::move(item), argument.location);
      continue;
    }
    if (std::find(names.begin(), names.end(), argument.name) == names.end()) {
      std::vector<Note> notes;
      if (std::string near = suggest(argument.name, names); !near.empty())
        notes.push_back({argument.location, "did you mean `" + near + "`?"});
      error(argument.location, "`" + layer.getName() + "` has no parameter `" + argument.name + "`", std::move(notes));
      isGood = false;
      continue;
    }
    give(argument.name, evaluate(*argument.value, scope), argument.location);
  }
  if (bound->depth > maxLayerDepth) {
    error(call.location, "gives layers to layers more than the limit of " + std::to_string(maxLayerDepth) + " deep");
    return nullptr;
  }
  // What is missing takes its default, or is missed.
  for (const auto &[name, item] : bound->arguments)
    isGood &= !item.isError();
  if (layer.builtin) {
    for (const Parameter &parameter : layer.builtin->parameters) {
      const Item *item = argumentOf(*bound, parameter.name);
      if (item)
        isGood &= checkParameter(parameter, *item, *bound);
      else if (parameter.isRequired() && isGood) {
        error(call.location, "`" + layer.getName() + "` needs its parameter `" + parameter.name + "`",
              {{call.location, "write `" + layer.getName() + "(" + parameter.name + " = …)`"}});
        isGood = false;
      }
    }
  } else if (layer.declared) {
    Scope defaults;
    defaults.block = scope.block;
    for (const ParamDecl &param : layer.declared->params) {
      const Item *item = argumentOf(*bound, param.name);
      if (!item && !param.value && isGood) {
        error(call.location, "`" + layer.getName() + "` needs its parameter `" + param.name + "`",
              {{param.location, "`" + param.name + "` is declared here"}});
        isGood = false;
      }
      if (!item && param.value)
        bound->arguments.emplace_back(param.name, evaluate(*param.value, defaults));
      if ((item = argumentOf(*bound, param.name)))
        defaults.names.emplace(param.name, Definition{nullptr, 0, Definition::State::Done, *item, param.location});
    }
  }
  return isGood ? bound : nullptr;
}

const Item *Elaborator::argumentOf(const LayerValue &layer, const std::string &name) {
  for (const auto &[known, item] : layer.arguments)
    if (known == name)
      return &item;
  return nullptr;
}

static const std::string &fallbackOf(const LayerValue &layer, const std::string &name) {
  for (const Parameter &parameter : layer.builtin->parameters)
    if (parameter.name == name)
      return parameter.fallback;
  static const std::string none;
  return none;
}

double Elaborator::numberOf(const LayerValue &layer, const std::string &name) {
  const Item *item = argumentOf(layer, name);
  return item ? item->number : std::strtod(fallbackOf(layer, name).c_str(), nullptr);
}

bool Elaborator::flagOf(const LayerValue &layer, const std::string &name) {
  const Item *item = argumentOf(layer, name);
  return item ? item->number != 0 : fallbackOf(layer, name) == "true";
}

std::optional<std::vector<int64_t>> Elaborator::extentsOf(const LayerValue &layer, const std::string &name,
                                                          size_t rank) {
  const Item *item = argumentOf(layer, name);
  if (!item)
    return fallbackOf(layer, name) == "window"
               ? extentsOf(layer, "window", rank)
               : std::vector<int64_t>(rank, std::atoll(fallbackOf(layer, name).c_str()));
  if (item->is(Item::Kind::Number))
    return std::vector<int64_t>(rank, static_cast<int64_t>(item->number));
  if (item->parts.size() != rank) {
    error(item->location, "`" + name + "` of `" + layer.getName() + "` has " + std::to_string(item->parts.size()) +
                              " numbers for " + std::to_string(rank) + " spatial dimensions");
    return std::nullopt;
  }
  std::vector<int64_t> extents;
  for (const Item &part : item->parts)
    extents.push_back(static_cast<int64_t>(part.number));
  return extents;
}

/// Two numbers a dimension: before, after. `same` is dilation * (kernel - 1) in
/// all, the smaller half before.
std::optional<std::vector<int64_t>> Elaborator::paddingOf(const LayerValue &layer, const std::vector<int64_t> &kernel,
                                                          const std::vector<int64_t> &dilation) {
  const Item *item = argumentOf(layer, "padding");
  std::vector<int64_t> padding;
  if (!item || item->word == "valid")
    return std::vector<int64_t>(2 * kernel.size(), 0);
  if (item->is(Item::Kind::Word)) {
    for (size_t i = 0; i < kernel.size(); ++i) {
      int64_t all = dilation[i] * (kernel[i] - 1);
      padding.push_back(all / 2);
      padding.push_back(all - all / 2);
    }
    return padding;
  }
  if (item->is(Item::Kind::Number))
    return std::vector<int64_t>(2 * kernel.size(), static_cast<int64_t>(item->number));
  // Of one dimension a pair is before and after.
  bool isPair = kernel.size() == 1 && item->parts.size() == 2 && item->parts[0].is(Item::Kind::Number);
  if (isPair)
    return std::vector<int64_t>{static_cast<int64_t>(item->parts[0].number),
                                static_cast<int64_t>(item->parts[1].number)};
  if (item->parts.size() != kernel.size()) {
    error(item->location, "`padding` of `" + layer.getName() + "` has " + std::to_string(item->parts.size()) +
                              " parts for " + std::to_string(kernel.size()) + " spatial dimensions");
    return std::nullopt;
  }
  for (const Item &side : item->parts) {
    bool isPair = side.is(Item::Kind::Tuple);
    padding.push_back(static_cast<int64_t>(isPair ? side.parts[0].number : side.number));
    padding.push_back(static_cast<int64_t>(isPair ? side.parts[1].number : side.number));
  }
  return padding;
}

std::optional<std::vector<int64_t>> Elaborator::axesOf(const LayerValue &layer, size_t rank, const Location &location) {
  std::vector<int64_t> axes;
  const Item *item = argumentOf(layer, "axis");
  const std::string &fallback = fallbackOf(layer, "axis");
  if (!item && fallback == "all") {
    for (size_t i = 0; i < rank; ++i)
      axes.push_back(static_cast<int64_t>(i));
    return axes;
  }
  if (!item && rank == 0) {
    error(location, "`" + layer.getName() + "` takes a value that has dimensions");
    return std::nullopt;
  }
  if (!item) {
    axes.push_back(fallback == "last" ? static_cast<int64_t>(rank) - 1 : 0);
  } else if (item->is(Item::Kind::Number)) {
    axes.push_back(static_cast<int64_t>(item->number));
  } else {
    for (const Item &part : item->parts)
      axes.push_back(static_cast<int64_t>(part.number));
  }
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  for (int64_t axis : axes)
    if (axis < 0 || axis >= static_cast<int64_t>(rank)) {
      error(item ? item->location : location, "has no dimension " + std::to_string(axis) + ": the value has " +
                                                  std::to_string(rank) + ", counted from 0");
      return std::nullopt;
    }
  return axes;
}

} // namespace nnc::dsl
