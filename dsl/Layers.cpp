//===- Layers.cpp - The table of built-in layers --------------------------===//

#include "dsl/Layers.h"

#include <algorithm>

namespace nnc::dsl {

using Kind = ParameterKind;

const std::vector<Layer> &builtinLayers() {
  static const std::vector<Layer> layers{
      // Contractions.
      {"dense",
       {{"n", Kind::Count, ""}, {"bias", Kind::Flag, "true"}},
       1,
       1,
       "kernel[n, k], bias[n]",
       "kernel * x + bias over the last dimension"},
      {"conv",
       {{"n", Kind::Count, ""},
        {"kernel", Kind::Extents, ""},
        {"stride", Kind::Extents, "1"},
        {"padding", Kind::Padding, "valid"},
        {"dilation", Kind::Extents, "1"},
        {"groups", Kind::Count, "1"},
        {"bias", Kind::Flag, "true"},
        {"flip", Kind::Flag, "false"}},
       1,
       1,
       "kernel[k…, channels / groups, n], bias[n]",
       "cross-correlation over one to three dimensions; convolution proper with flip"},
      {"dot", {}, 2, 2, "", "sum of the products of two vectors"},
      // Pools.
      {"max_pool",
       {{"window", Kind::Extents, ""},
        {"stride", Kind::Extents, "window"},
        {"padding", Kind::Padding, "valid"},
        {"ceil", Kind::Flag, "false"}},
       1,
       1,
       "",
       "the largest of each window; padding counts as minus infinity"},
      {"avg_pool",
       {{"window", Kind::Extents, ""},
        {"stride", Kind::Extents, "window"},
        {"padding", Kind::Padding, "valid"},
        {"ceil", Kind::Flag, "false"},
        {"count_padding", Kind::Flag, "true"}},
       1,
       1,
       "",
       "the mean of each window; says whether padding counts"},
      {"adaptive_avg_pool",
       {{"n", Kind::Extents, ""}},
       1,
       1,
       "",
       "means of windows that split each spatial dimension into n parts, as even as they can be"},
      {"global_avg_pool", {}, 1, 1, "", "the mean over all spatial dimensions"},
      {"global_max_pool", {}, 1, 1, "", "the largest over all spatial dimensions"},
      // Activations.
      {"identity", {}, 1, 1, "", "x"},
      {"sigmoid", {}, 1, 1, "", "1 / (1 + exp(-x))"},
      {"tanh", {{"scale", Kind::Number, "1"}}, 1, 1, "", "2 / (1 + exp(-2 scale x)) - 1"},
      {"relu", {}, 1, 1, "", "max(x, 0)"},
      {"leaky_relu", {{"slope", Kind::Number, "0.01"}}, 1, 1, "", "x where x > 0, else slope x"},
      {"softplus", {}, 1, 1, "", "log(1 + exp(x))"},
      {"elu", {{"alpha", Kind::Number, "1"}}, 1, 1, "", "x where x > 0, else alpha (exp(x) - 1)"},
      {"gelu", {}, 1, 1, "", "x (1 + erf(x / sqrt(2))) / 2"},
      {"softmax", {}, 1, 1, "", "exp(x) / sum of exp(x) over the last dimension"},
      {"log_softmax", {}, 1, 1, "", "log of softmax, without loss of accuracy"},
      {"exp", {}, 1, 1, "", "e to the x"},
      {"log", {}, 1, 1, "", "natural logarithm"},
      {"sqrt", {}, 1, 1, "", "square root"},
      {"square", {}, 1, 1, "", "x times x"},
      {"abs", {}, 1, 1, "", "absolute value"},
      {"pow", {}, 2, 2, "", "a to the b, element by element"},
      // Norms.
      {"batch_norm",
       {{"epsilon", Kind::Number, "1e-5"}, {"momentum", Kind::Number, "0.1"}},
       1,
       1,
       "scale[c] = 1, shift[c] = 0, mean[c] = 0, variance[c] = 1",
       "over the batch in training, by running statistics in inference"},
      {"layer_norm",
       {{"epsilon", Kind::Number, "1e-5"}},
       1,
       1,
       "scale[c] = 1, shift[c] = 0",
       "over the last dimension of each example"},
      {"local_response_norm",
       {{"size", Kind::Count, "5"},
        {"alpha", Kind::Number, "1e-4"},
        {"beta", Kind::Number, "0.75"},
        {"k", Kind::Number, "1"}},
       1,
       1,
       "",
       "x / (k + alpha / size * sum of squares of neighbouring channels)^beta"},
      {"dropout", {{"rate", Kind::Number, ""}}, 1, 1, "", "zeroes a share in training; nothing in inference"},
      // Reductions.
      {"sum", {{"axis", Kind::Axes, "all"}}, 1, 1, "", "over the dimensions of axis"},
      {"mean", {{"axis", Kind::Axes, "all"}}, 1, 1, "", "over the dimensions of axis"},
      {"max", {{"axis", Kind::Axes, "all"}}, 1, 2, "", "over the dimensions of axis; of two values element by element"},
      {"min", {{"axis", Kind::Axes, "all"}}, 1, 2, "", "over the dimensions of axis; of two values element by element"},
      {"argmax", {}, 1, 1, "", "the class whose value is largest, the first of equals"},
      {"predict",
       {{"beam", Kind::Count, "1"}},
       1,
       1,
       "",
       "the most likely class; with beams of the likeliest sequence"},
      // Moves.
      {"flatten", {}, 1, 1, "", "all fixed dimensions as one"},
      {"reshape", {{"shape", Kind::Numbers, ""}}, 1, 1, "", "the same elements under another fixed shape"},
      {"transpose", {{"order", Kind::Numbers, "reversed"}}, 1, 1, "", "fixed dimensions in another order"},
      {"concat", {{"axis", Kind::Axes, "last"}}, 1, -1, "", "one after the other along a dimension"},
      {"last", {}, 1, 1, "", "the last step of each example"},
      {"reverse", {{"axis", Kind::Axes, "0"}}, 1, 1, "", "backwards, each example within its own length"},
      {"embed", {{"n", Kind::Count, ""}}, 1, 1, "table[classes, n]", "a vector for each class"},
      {"one_hot", {}, 1, 1, "", "1 at the place of the class, 0 elsewhere"},
      {"select", {}, 3, 3, "", "the second where the first holds, else the third"},
      // Losses.
      {"cross_entropy", {}, 2, 2, "", "-log of the probability of the label"},
      {"nll", {}, 2, 2, "", "minus the log-probability of the label"},
      {"mse", {}, 2, 2, "", "mean of squared differences"},
      {"l1", {}, 2, 2, "", "mean of absolute differences"},
      {"binary_cross_entropy", {}, 2, 2, "", "mean of -t log(y) - (1 - t) log(1 - y)"},
      {"hinge", {}, 2, 2, "", "mean over the other classes of max(0, 1 - y[label] + y)"},
  };
  return layers;
}

const Layer *findBuiltin(const std::string &name) {
  for (const Layer &layer : builtinLayers())
    if (layer.name == name)
      return &layer;
  return nullptr;
}

/// Levenshtein's distance.
static size_t distance(const std::string &a, const std::string &b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

bool isOneOf(const std::string &name, std::initializer_list<const char *> names) {
  return std::any_of(names.begin(), names.end(), [&](const char *other) { return name == other; });
}

std::string suggest(const std::string &name, const std::vector<std::string> &candidates) {
  std::string nearest;
  size_t least = name.size() / 3 + 1;
  if (name.size() > 64)
    return nearest;
  for (const std::string &candidate : candidates) {
    // `maxpool` is `max_pool`.
    std::string bare = candidate;
    bare.erase(std::remove(bare.begin(), bare.end(), '_'), bare.end());
    size_t far = std::min(distance(name, candidate), bare == name ? size_t(0) : distance(name, bare) + 1);
    if (far < least || (far == least && nearest.empty())) {
      least = far;
      nearest = candidate;
    }
  }
  return nearest;
}

} // namespace nnc::dsl
