//===- Builtins.cpp - Operations from built-in layers ---------------------===//

#include "dsl/Elaborate.h"

#include <algorithm>

namespace nnc::dsl {

static const std::vector<std::string> activations{"sigmoid", "relu", "softplus", "gelu", "exp",
                                                  "log",     "sqrt", "square",   "abs"};

Item Elaborator::applyBuiltin(const LayerValue &layer, std::vector<Item> items, Scope &scope,
                              const Location &location) {
  const std::string &name = layer.builtin->name;
  int count = static_cast<int>(items.size());
  int least = layer.builtin->minValues, most = layer.builtin->maxValues;
  if (count < least || (most >= 0 && count > most)) {
    std::string wanted = std::to_string(least) + (most > least ? " or " + std::to_string(most) : "") +
                         (most == 1 ? " value" : " values");
    return error(location, "`" + name + "` takes " + wanted + ", not " + std::to_string(count));
  }
  if (isOneOf(name, {"max", "min", "pow"}) && count == 2)
    return elementwise(name, std::move(items), scope, location);
  if (name == "select")
    return elementwise(name, std::move(items), scope, location);
  std::vector<Value> values;
  for (const Item &item : items) {
    std::optional<Value> value = toTensor(item, scope, location, "what `" + name + "` takes");
    if (!value)
      return {};
    values.push_back(*value);
  }
  Value x = values.front();
  const Type type = typeOf(x);
  bool takesClasses = isOneOf(name, {"embed", "one_hot", "concat", "last", "reverse", "identity"});
  if (type.element != Element::Float && !takesClasses)
    return error(location,
                 "`" + name + "` takes numbers, not " + (type.element == Element::Class ? "classes" : "truth values"),
                 {originOf(x, "the value")});

  if (name == "identity")
    return items.front();
  if (std::find(activations.begin(), activations.end(), name) != activations.end())
    return elementwise(name, {items.front()}, scope, location);
  if (name == "tanh") {
    double scale = numberOf(layer, "scale");
    Item scaled = items.front();
    if (scale != 1) {
      Item factor;
      factor.kind = Item::Kind::Number;
      factor.number = scale;
      scaled = elementwise("mul", {scaled, factor}, scope, location);
    }
    return elementwise("tanh", {scaled}, scope, location);
  }
  if (name == "leaky_relu")
    return elementwise(name, {items.front()}, scope, location, {{"slope", numberOf(layer, "slope")}});
  if (name == "elu")
    return elementwise(name, {items.front()}, scope, location, {{"alpha", numberOf(layer, "alpha")}});
  if (name == "dropout") {
    double rate = numberOf(layer, "rate");
    if (rate < 0 || rate >= 1)
      return error(location, "`dropout` has a rate of at least 0 and below 1");
    return isTraining ? elementwise(name, {items.front()}, scope, location, {{"rate", rate}}) : items.front();
  }
  if (name == "dense")
    return applyDense(layer, x, scope, location);
  if (name == "conv")
    return applyConv(layer, x, scope, location);
  if (isOneOf(name, {"max_pool", "avg_pool"}))
    return applyPool(layer, x, scope, location);
  if (name == "adaptive_avg_pool")
    return applyAdaptivePool(layer, x, scope, location);
  if (isOneOf(name, {"batch_norm", "layer_norm", "local_response_norm"}))
    return applyNorm(layer, x, scope, location);
  if (isOneOf(name, {"sum", "mean", "max", "min", "global_avg_pool", "global_max_pool", "softmax", "log_softmax",
                     "argmax", "predict"}))
    return applyReduction(layer, x, scope, location);
  if (name == "dot") {
    if (type.shape != typeOf(values[1]).shape || type.shape.size() != 1)
      return error(location, "`dot` takes two vectors of one length, not shapes " + describe(type) + " and " +
                                 describe(typeOf(values[1])));
    Item product = elementwise("mul", items, scope, location);
    return product.isError() ? product
                             : tensor(emit("sum", {product.value}, Type(), scope, location, {{"axes", Axes{{0}}}}));
  }
  if (isOneOf(name, {"cross_entropy", "nll", "mse", "l1", "binary_cross_entropy", "hinge"}))
    return applyLoss(layer, x, values[1], scope, location);
  return applyMove(layer, values, scope, location);
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

Value Elaborator::addBias(Value x, int64_t n, Scope &scope, const std::string &path, const Location &location) {
  Initializer zero;
  zero.kind = Initializer::Constant;
  Value bias = readWeight(path + ".bias", {n}, zero, /*trainable=*/true, location);
  Item sum = elementwise("add", {tensor(x), tensor(bias)}, scope, location);
  return sum.value;
}

Item Elaborator::applyDense(const LayerValue &layer, Value x, Scope &scope, const Location &location) {
  Type type = typeOf(x);
  if (type.shape.empty() || !type.shape.back().isFixed())
    return error(location, "`dense` works on a last dimension that is fixed, but the value has shape " + describe(type),
                 {originOf(x, "the value")});
  std::string path = childPath(scope, layer);
  int64_t n = static_cast<int64_t>(numberOf(layer, "n")), k = type.shape.back().size;
  Initializer init;
  init.fanIn = k;
  init.fanOut = n;
  Value kernel = readWeight(path + ".kernel", {n, k}, init, /*trainable=*/true, location);
  type.shape.back() = Dim::fixed(n);
  Value result = emit("dense", {x, kernel}, type, scope, location);
  return tensor(flagOf(layer, "bias") ? addBias(result, n, scope, path, location) : result);
}

/// Where a window of this span, moved by this stride, stops; none where it does
/// not fit once. A free dimension stays an expression of its length.
static std::optional<Dim> slide(Dim dim, int64_t span, int64_t stride, int64_t added) {
  if (!dim.isFixed()) {
    // floor((length + added - span) / stride) + 1
    int64_t offset;
    if (__builtin_mul_overflow(dim.stride, added - span + stride, &offset) ||
        __builtin_add_overflow(dim.offset, offset, &dim.offset) ||
        __builtin_mul_overflow(dim.stride, stride, &dim.stride))
      return std::nullopt;
    return dim;
  }
  if (dim.size + added < span)
    return std::nullopt;
  return Dim::fixed((dim.size + added - span) / stride + 1);
}

/// Whether an image fits in memory with what is put around it.
bool Elaborator::checkPadded(Type type, const std::vector<int64_t> &padding, const Location &location) {
  for (size_t i = 0; i + 1 < type.shape.size(); ++i)
    if (int64_t added = padding[2 * i] + padding[2 * i + 1]; added > 0)
      type.shape[i] = Dim::fixed(added + (type.shape[i].isFixed() ? type.shape[i].size : 0));
  return checkSize(type, location);
}

/// Windows go over one length at most: of two there is no code.
bool Elaborator::checkSpatial(const LayerValue &layer, Value x, const Location &location) {
  const Type &type = typeOf(x);
  auto isFree = [](const Dim &dim) { return !dim.isFixed(); };
  if (std::count_if(type.shape.begin(), type.shape.end(), isFree) < 2)
    return true;
  error(location, "`" + layer.getName() + "` goes over one length at most, not over a value of shape " + describe(type),
        {originOf(x, "the value")});
  return false;
}

Item Elaborator::applyConv(const LayerValue &layer, Value x, Scope &scope, const Location &location) {
  Type type = typeOf(x);
  size_t rank = type.shape.size() - 1;
  if (type.shape.size() < 2 || type.shape.size() > 4 || !type.shape.back().isFixed())
    return error(location,
                 "`conv` takes one to three spatial dimensions and channels, not a value of shape " + describe(type),
                 {originOf(x, "the value")});
  if (!checkSpatial(layer, x, location))
    return {};
  auto kernel = extentsOf(layer, "kernel", rank), stride = extentsOf(layer, "stride", rank),
       dilation = extentsOf(layer, "dilation", rank);
  if (!kernel || !stride || !dilation)
    return {};
  auto padding = paddingOf(layer, *kernel, *dilation);
  if (!padding || !checkPadded(type, *padding, location))
    return {};
  int64_t n = static_cast<int64_t>(numberOf(layer, "n")), channels = type.shape.back().size;
  int64_t groups = static_cast<int64_t>(numberOf(layer, "groups"));
  if (channels % groups != 0 || n % groups != 0)
    return error(location,
                 "`conv` has " + std::to_string(groups) + " groups, which must divide its " + std::to_string(channels) +
                     " channels in and " + std::to_string(n) + " out",
                 {originOf(x, "the value")});
  int64_t taps = 1;
  for (size_t i = 0; i < rank; ++i) {
    int64_t span = (*dilation)[i] * ((*kernel)[i] - 1) + 1, added = (*padding)[2 * i] + (*padding)[2 * i + 1];
    std::optional<Dim> dim = slide(type.shape[i], span, (*stride)[i], added);
    if (!dim)
      return error(
          location,
          "a kernel of " + std::to_string(span) + " does not fit an extent of " + describe(type.shape[i]) +
              (added ? " with padding of " + std::to_string(added) : ""),
          {originOf(x, "the value"),
           {location, "padding = " + std::to_string((span - type.shape[i].size + 1) / 2) + " would make it fit"}});
    type.shape[i] = *dim;
    taps = multiplyExtents(taps, (*kernel)[i]);
  }
  std::string path = childPath(scope, layer);
  std::vector<int64_t> shape = *kernel;
  shape.push_back(channels / groups);
  shape.push_back(n);
  Initializer init;
  init.fanIn = multiplyExtents(taps, channels / groups);
  init.fanOut = multiplyExtents(taps, n / groups);
  Value weight = readWeight(path + ".kernel", shape, init, /*trainable=*/true, location);
  type.shape.back() = Dim::fixed(n);
  Value result = emit("conv", {x, weight}, type, scope, location,
                      {{"strides", *stride},
                       {"dilations", *dilation},
                       {"padding", *padding},
                       {"groups", groups},
                       {"flip", flagOf(layer, "flip")}});
  return tensor(flagOf(layer, "bias") ? addBias(result, n, scope, path, location) : result);
}

//===----------------------------------------------------------------------===//
// Pools and norms
//===----------------------------------------------------------------------===//

Item Elaborator::applyPool(const LayerValue &layer, Value x, Scope &scope, const Location &location) {
  Type type = typeOf(x);
  size_t rank = type.shape.size() - 1;
  if (type.shape.size() < 2 || type.shape.size() > 4 || !type.shape.back().isFixed())
    return error(location,
                 "`" + layer.getName() +
                     "` takes one to three spatial dimensions and channels, not a value "
                     "of shape " +
                     describe(type),
                 {originOf(x, "the value")});
  if (!checkSpatial(layer, x, location))
    return {};
  auto window = extentsOf(layer, "window", rank), stride = extentsOf(layer, "stride", rank);
  if (!window || !stride)
    return {};
  auto padding = paddingOf(layer, *window, std::vector<int64_t>(rank, 1));
  if (!padding || !checkPadded(type, *padding, location))
    return {};
  bool isSame = argumentOf(layer, "padding") && argumentOf(layer, "padding")->word == "same";
  std::vector<int64_t> overhang(rank, 0);
  for (size_t i = 0; i < rank; ++i) {
    int64_t span = (*window)[i], before = (*padding)[2 * i], added = before + (*padding)[2 * i + 1];
    if (!isSame && (before >= span || (*padding)[2 * i + 1] >= span))
      return error(location, "padding of " + std::to_string(std::max(before, (*padding)[2 * i + 1])) +
                                 " is as wide as the window of " + std::to_string(span));
    if (flagOf(layer, "ceil")) {
      // Round up, but let no window start behind the padding.
      overhang[i] = (*stride)[i] - 1;
      if (type.shape[i].isFixed()) {
        int64_t size = type.shape[i].size, starts = (size + added - span + overhang[i]) / (*stride)[i];
        if (size + added >= span && starts * (*stride)[i] >= size + before)
          --starts;
        overhang[i] = std::max<int64_t>(0, starts * (*stride)[i] + span - size - added);
      }
    }
    std::optional<Dim> dim = slide(type.shape[i], span, (*stride)[i], added + overhang[i]);
    if (!dim)
      return error(location,
                   "a window of " + std::to_string(span) + " does not fit an extent of " + describe(type.shape[i]),
                   {originOf(x, "the value")});
    type.shape[i] = *dim;
  }
  std::vector<std::pair<std::string, Attribute>> attributes{
      {"window", *window}, {"strides", *stride}, {"padding", *padding}, {"overhang", overhang}};
  if (layer.getName() == "avg_pool")
    attributes.emplace_back("count_padding", flagOf(layer, "count_padding"));
  return tensor(emit(layer.getName(), {x}, type, scope, location, std::move(attributes)));
}

/// The means of `parts` windows along one dimension. Window i is from
/// floor(i * extent / parts) to ceil((i + 1) * extent / parts), so that windows of
/// an extent that does not divide overlap, and none is empty.
Value Elaborator::splitAndAverage(Value x, size_t dim, int64_t parts, Scope &scope, const Location &location) {
  const Type type = typeOf(x);
  size_t rank = type.shape.size() - 1;
  int64_t extent = type.shape[dim].size;
  Axes axis{{static_cast<int64_t>(dim)}};
  std::vector<Value> means;
  for (int64_t i = 0; i < parts; ++i) {
    std::vector<int64_t> starts(rank + 1, 0), sizes, window(rank, 1);
    for (const Dim &whole : type.shape)
      sizes.push_back(whole.size);
    starts[dim] = i * extent / parts;
    sizes[dim] = window[dim] = ((i + 1) * extent + parts - 1) / parts - starts[dim];
    Type cut = type, mean = type;
    cut.shape[dim] = Dim::fixed(window[dim]);
    mean.shape[dim] = Dim::fixed(1);
    Value part = emit("slice", {x}, cut, scope, location, {{"starts", starts}, {"sizes", sizes}});
    if (window[dim] > 1)
      part = averageWindows(part, window, mean, scope, location);
    means.push_back(part);
  }
  Type whole = type;
  whole.shape[dim] = Dim::fixed(parts);
  return emit("concat", means, whole, scope, location, {{"axis", axis}});
}

/// The means of windows side by side.
Value Elaborator::averageWindows(Value x, const std::vector<int64_t> &window, Type result, Scope &scope,
                                 const Location &location) {
  std::vector<int64_t> none(2 * window.size(), 0), overhang(window.size(), 0);
  return emit(
      "avg_pool", {x}, std::move(result), scope, location,
      {{"window", window}, {"strides", window}, {"padding", none}, {"overhang", overhang}, {"count_padding", true}});
}

Item Elaborator::applyAdaptivePool(const LayerValue &layer, Value x, Scope &scope, const Location &location) {
  Type type = typeOf(x);
  size_t rank = type.shape.size() - 1;
  bool isFixed = std::all_of(type.shape.begin(), type.shape.end(), [](const Dim &dim) { return dim.isFixed(); });
  if (type.shape.size() < 2 || type.shape.size() > 4 || !isFixed)
    return error(location,
                 "`adaptive_avg_pool` takes one to three fixed spatial dimensions and channels, not a value of shape " +
                     describe(type),
                 {originOf(x, "the value")});
  auto parts = extentsOf(layer, "n", rank);
  if (!parts)
    return {};
  // Extents that divide are windows of one pool.
  std::vector<int64_t> window(rank, 1);
  for (size_t i = 0; i < rank; ++i)
    if (int64_t extent = type.shape[i].size; extent % (*parts)[i] == 0) {
      window[i] = extent / (*parts)[i];
      type.shape[i] = Dim::fixed((*parts)[i]);
    }
  if (type.shape != typeOf(x).shape)
    x = averageWindows(x, window, type, scope, location);
  for (size_t i = 0; i < rank; ++i)
    if (typeOf(x).shape[i].size != (*parts)[i])
      x = splitAndAverage(x, i, (*parts)[i], scope, location);
  return tensor(x);
}

Item Elaborator::applyNorm(const LayerValue &layer, Value x, Scope &scope, const Location &location) {
  const Type type = typeOf(x);
  const std::string &name = layer.builtin->name;
  if (type.shape.empty() || !type.shape.back().isFixed())
    return error(location, "`" + name + "` works on a last dimension that is fixed, not on shape " + describe(type),
                 {originOf(x, "the value")});
  if (name == "local_response_norm")
    return tensor(emit(name, {x}, type, scope, location,
                       {{"size", static_cast<int64_t>(numberOf(layer, "size"))},
                        {"alpha", numberOf(layer, "alpha")},
                        {"beta", numberOf(layer, "beta")},
                        {"k", numberOf(layer, "k")}}));
  std::string path = childPath(scope, layer);
  auto read = [&](const std::string &weight, double start, bool trainable) {
    Initializer init;
    init.kind = Initializer::Constant;
    init.a = start;
    return readWeight(path + "." + weight, {type.shape.back().size}, init, trainable, location);
  };
  std::vector<Value> operands{x, read("scale", 1, true), read("shift", 0, true)};
  if (name == "batch_norm") {
    operands.push_back(read("mean", 0, false));
    operands.push_back(read("variance", 1, false));
  }
  std::vector<std::pair<std::string, Attribute>> attributes{{"epsilon", numberOf(layer, "epsilon")}};
  if (name == "batch_norm" && isTraining)
    attributes.emplace_back("momentum", numberOf(layer, "momentum"));
  return tensor(emit(name, operands, type, scope, location, std::move(attributes)));
}

} // namespace nnc::dsl
