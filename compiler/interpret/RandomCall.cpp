//===- RandomCall.cpp - What a function is given, at random ---------------===//

#include "compiler/interpret/RandomCall.h"

#include <cmath>

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;
using namespace nnc::interpret;

std::map<std::string, int64_t> interpret::chooseLengths(func::FuncOp function, const CallSize &size) {
  std::map<std::string, int64_t> chosen{{batchName.str(), size.batch}};
  auto train = function->getAttrOfType<DictionaryAttr>("nn.train");
  int64_t window = getWindowLength(train);
  for (unsigned index = 0; index < function.getNumArguments(); ++index) {
    auto name = function.getArgAttrOfType<StringAttr>(index, "nn.lengths");
    if (!name)
      continue;
    auto given = size.lengths.find(name.str());
    int64_t length = given == size.lengths.end() ? 7 : given->second;
    if (auto bound = function.getArgAttrOfType<IntegerAttr>(index, "nn.bound"))
      length = std::min(length, bound.getInt());
    if (window > 0)
      length = std::min(length, window);
    auto steps = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(length))));
    chosen[name.str()] = length;
    chosen[getStepsName(name)] = steps;
    chosen[getSegmentsName(name)] = llvm::divideCeil(length, steps);
  }
  return chosen;
}

void RandomCall::draw(int number) {
  random.seed(number + 1);
  positive = number % 2 == 1;
  ends.clear();
  arguments.clear();
  drawValues();
  for (unsigned index = 0; index < function.getNumArguments(); ++index)
    if (auto name = function.getArgAttrOfType<StringAttr>(index, "nn.lengths")) {
      Tensor own = run.make(function.getArgumentTypes()[index]);
      for (int64_t i = 0; i < own.size(); ++i)
        own[i] = static_cast<double>(i == 0 ? lengths.at(name.str()) : pick(1, lengths.at(name.str())));
      ends[name.str()] = own;
    }
  for (unsigned index = 0; index < function.getNumArguments(); ++index)
    arguments.push_back(drawArgument(index));
}

void RandomCall::drawValues() {
  run.values.clear();
  for (auto weight : module.getOps<WeightOp>()) {
    Tensor values = run.make(weight.getType());
    auto fan = static_cast<double>(std::max<int64_t>(1, weight.getInit().getFanIn()));
    double bound = std::min(0.7, std::sqrt(3 / fan));
    for (double &value : values.data)
      value = weight.getFrozen() || positive ? uniform(0.2, 0.2 + bound) : uniform(-bound, bound);
    run.values[weight.getSymName().str()] = values;
  }
  for (auto state : module.getOps<StateOp>()) {
    Tensor values = run.make(state.getType());
    bool isReal = cast<RankedTensorType>(state.getType()).getElementType().isF32();
    for (double &value : values.data)
      value = isReal ? uniform(-1, 1) : 0;
    run.values[state.getSymName().str()] = values;
  }
}

Tensor RandomCall::drawArgument(unsigned index) {
  if (auto name = function.getArgAttrOfType<StringAttr>(index, "nn.lengths"))
    return ends.at(name.str());
  if (auto name = function.getArgAttrOfType<StringAttr>(index, "nn.window"))
    return drawWindow(name);
  if (function.getArgAttr(index, "nn.cotangent") || function.getArgAttr(index, "nn.seed")) {
    Tensor values = run.make(function.getArgumentTypes()[index]);
    for (double &value : values.data)
      value = function.getArgAttr(index, "nn.seed") ? static_cast<double>(pick(0, 1 << 20))
                                                    : uniform(0.5, 1.5) * (pick(0, 1) ? 1 : -1);
    return values;
  }
  return drawInput(index);
}

/// What the runtime says of a window (compiler/import/Graph.h): any that may come.
Tensor RandomCall::drawWindow(StringRef name) {
  Tensor values = ends.begin()->second;
  if (name == "total")
    for (double &value : values.data)
      value += 2;
  if (name == "kept" || name == "first" || name == "ends")
    for (double &value : values.data)
      value = static_cast<double>(pick(0, 1));
  return values;
}

/// Numbers of a caller, which are none past an example's end.
Tensor RandomCall::drawInput(unsigned index) {
  auto type = cast<RankedTensorType>(function.getArgumentTypes()[index]);
  Tensor values = run.make(type);
  auto classes = function.getArgAttrOfType<IntegerAttr>(index, "nn.classes");
  bool isReal = type.getElementType().isF32();
  Extents extents = getExtents(type);
  forEachIndex(values.shape, [&](ArrayRef<int64_t> place, int64_t i) {
    bool isPast = false;
    for (auto [dim, extent] : llvm::enumerate(extents))
      if (extent.isDynamic() && ends.count(extent.name.str()))
        isPast |= static_cast<double>(place[dim]) >= ends.at(extent.name.str())[place[0]];
    if (isPast)
      values[i] = isReal ? std::nan("") : -1;
    else if (isReal)
      values[i] = positive ? uniform(0.1, 1.1) : uniform(-1, 1);
    else
      values[i] = static_cast<double>(pick(0, classes ? classes.getInt() - 1 : 1));
  });
  return values;
}
