//===- Layers.h - The table of built-in layers ----------------------------===//

#ifndef NNC_DSL_LAYERS_H
#define NNC_DSL_LAYERS_H

#include <string>
#include <vector>

namespace nnc::dsl {

/// What a parameter of a built-in layer may be.
enum class ParameterKind {
  Count,   ///< a whole number, at least 1
  Number,  ///< any number
  Flag,    ///< true or false
  Extents, ///< a count, or a tuple with one for each spatial dimension
  Padding, ///< valid, same, a number, or per dimension a number or (before, after)
  Axes,    ///< a dimension, or a tuple of them, counted from 0
  Numbers  ///< a tuple of whole numbers
};

struct Parameter {
  std::string name;
  ParameterKind kind;
  std::string fallback; ///< as written in the reference; empty when required

  bool isRequired() const { return fallback.empty(); }
};

/// A layer or function that the compiler knows. Only what needs a derivative or
/// a schedule of its own is built in.
struct Layer {
  std::string name;
  std::vector<Parameter> parameters;
  int minValues, maxValues; ///< maxValues -1: any number
  std::string weights;      ///< for the reference: "kernel[n, k], bias[n]"
  std::string documentation;

  bool hasRequired() const { return !parameters.empty() && parameters.front().isRequired(); }
};

/// All of them, by family.
const std::vector<Layer> &builtinLayers();

/// Null when there is none of that name.
const Layer *findBuiltin(const std::string &name);

bool isOneOf(const std::string &name, std::initializer_list<const char *> names);

/// The candidate that `name` most likely is a misspelling of; "" when none is near.
std::string suggest(const std::string &name, const std::vector<std::string> &candidates);

} // namespace nnc::dsl

#endif // NNC_DSL_LAYERS_H
