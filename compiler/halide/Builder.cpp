//===- Builder.cpp - Values of a kernel as Funcs --------------------------===//

#include "compiler/halide/Builder.h"

#include "compiler/halide/Algorithm.h"

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;
using Halide::Var;

namespace nnc {

AlgorithmBuilder::AlgorithmBuilder(KernelOp kernel, std::string symbol, bool onDevice)
    : kernel(kernel), symbol(std::move(symbol)), onDevice(onDevice) {
  group.name = this->symbol;
  group.family = static_cast<targets::Family>(kernel.getFamily());
}

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

Expr AlgorithmBuilder::size(const Extent &extent) {
  if (!extent.isDynamic())
    return static_cast<int32_t>(extent.size);
  Expr product;
  for (const Length &length : parseProduct(extent.name)) {
    Expr factor;
    if (std::optional<int64_t> number = getNumber(length.symbol))
      factor = static_cast<int32_t>(*number);
    else
      factor = lengths.at(length.symbol);
    if (length.offset != 0 || length.stride != 1) // Halide's division rounds down
      factor = max((factor + static_cast<int32_t>(length.offset)) / static_cast<int32_t>(length.stride), 0);
    product = product.defined() ? product * factor : factor;
  }
  return product;
}

std::vector<Var> AlgorithmBuilder::makeVars(unsigned rank) {
  std::vector<Var> vars;
  for (unsigned i = 0; i < rank; ++i)
    vars.emplace_back(unique("i"));
  return vars;
}

std::vector<targets::Loop> AlgorithmBuilder::makeLoops(ArrayRef<Extent> extents, const std::vector<Var> &vars) {
  std::vector<targets::Loop> loops;
  for (auto [extent, var] : llvm::reverse(llvm::zip_equal(extents, vars)))
    loops.push_back({var, extent.isDynamic() ? 0 : extent.size, size(extent)});
  return loops;
}

/// The dimensions in which a value lies in memory, outermost first: those of its
/// type, or [panel][other…][lane].
static Extents getStoredExtents(RankedTensorType type) {
  Extents extents = getExtents(type);
  auto panel = dyn_cast_or_null<PanelAttr>(type.getEncoding());
  if (!panel)
    return extents;
  extents.erase(extents.begin() + panel.getDim());
  extents.insert(extents.begin(), int64_t(llvm::divideCeil(type.getDimSize(panel.getDim()), panel.getWidth())));
  extents.push_back(panel.getWidth());
  return extents;
}

/// Where the element at an index lies in panels.
static Indices toPanels(PanelAttr panel, const Indices &indices) {
  Indices place(indices);
  Expr index = indices[panel.getDim()];
  int32_t width = panel.getWidth();
  place.erase(place.begin() + panel.getDim());
  place.insert(place.begin(), index / width);
  place.push_back(index % width);
  return place;
}

//===----------------------------------------------------------------------===//
// Funcs
//===----------------------------------------------------------------------===//

static std::vector<Var> reversed(std::vector<Var> vars) {
  std::reverse(vars.begin(), vars.end());
  return vars;
}

static Indices toIndices(const std::vector<Var> &vars) { return Indices(vars.begin(), vars.end()); }

Expr AlgorithmBuilder::call(const Func &func, const Indices &indices) {
  return func(std::vector<Expr>(indices.rbegin(), indices.rend()));
}

Expr AlgorithmBuilder::at(Value value, const Indices &indices) {
  if (auto constant = value.getDefiningOp<ConstantOp>()) {
    if (auto number = dyn_cast<FloatAttr>(constant.getValue()))
      return static_cast<float>(number.getValueAsDouble());
    return static_cast<int32_t>(cast<IntegerAttr>(constant.getValue()).getInt());
  }
  RankedTensorType type = nn::getType(value);
  auto panel = dyn_cast_or_null<PanelAttr>(type.getEncoding());
  bool isLogical = panel && indices.size() == static_cast<size_t>(type.getRank());
  return call(func(value), isLogical ? toPanels(panel, indices) : indices);
}

Expr AlgorithmBuilder::atSuffix(Value operand, const Indices &indices) {
  size_t rank = std::min(getStoredExtents(nn::getType(operand)).size(), indices.size());
  return at(operand, Indices(indices.end() - rank, indices.end()));
}

void AlgorithmBuilder::define(Value result, const Element &element) {
  std::vector<Var> vars = makeVars(getStoredExtents(nn::getType(result)).size());
  Func defined(unique("value"));
  defined(reversed(vars)) = element(toIndices(vars));
  bind(result, defined);
}

Func AlgorithmBuilder::accumulate(const std::string &name, targets::Role role, ArrayRef<Extent> extents,
                                  const Halide::RDom &domain, const Element &initial,
                                  const std::function<Expr(Expr, const Indices &)> &update) {
  std::vector<Var> vars = makeVars(extents.size());
  Func accumulator(unique(name));
  accumulator(reversed(vars)) = initial(toIndices(vars));
  accumulator(reversed(vars)) = update(accumulator(reversed(vars)), toIndices(vars));
  group.stages.push_back({role, accumulator, makeLoops(extents, vars), makeReductions(domain), {}, {}});
  return accumulator;
}

/// Makes a factor of a product a Func of what it depends on, innermost first: loop 0 of the
/// stage, loops of the reduction, other loops of the stage. `vars` are the stage's,
/// innermost first.
targets::Factor AlgorithmBuilder::makeFactor(const std::string &name, const Expr &value, const std::vector<Var> &vars,
                                             const Halide::RDom &domain, Expr &call) {
  targets::Factor factor;
  std::vector<Var> parameters;
  std::vector<Expr> arguments;
  std::map<std::string, Expr> renamed;
  auto depends = [&](const std::string &variable) { return Halide::Internal::expr_uses_var(value, variable); };
  auto add = [&](const std::string &variable, const Expr &argument) {
    parameters.emplace_back(unique("f"));
    arguments.push_back(argument);
    renamed.emplace(variable, parameters.back());
  };
  if (!vars.empty() && depends(vars[0].name())) {
    add(vars[0].name(), vars[0]);
    factor.loops.push_back(0);
  }
  for (int i = 0; i < domain.dimensions(); ++i)
    if (depends(domain[i].name())) {
      add(domain[i].name(), domain[i]);
      factor.reductions.push_back(i);
    }
  for (size_t i = 1; i < vars.size(); ++i)
    if (depends(vars[i].name())) {
      add(vars[i].name(), vars[i]);
      factor.loops.push_back(static_cast<int>(i));
    }
  factor.func = Func(unique(name));
  factor.func(parameters) = Halide::Internal::substitute(renamed, value);
  call = factor.func(arguments);
  return factor;
}

std::vector<Func> AlgorithmBuilder::accumulateProducts(const std::string &name, targets::Role role,
                                                       ArrayRef<Extent> extents, const Halide::RDom &domain,
                                                       ArrayRef<Factors> products) {
  std::vector<Var> &vars = productVars[extents.size()];
  if (vars.empty())
    vars = makeVars(extents.size());
  std::vector<Var> innermostFirst = reversed(vars);
  Func sum(unique(name));
  bool isOne = products.size() == 1;
  auto at = [&](size_t i) { return isOne ? Expr(sum(innermostFirst)) : Expr(sum(innermostFirst)[i]); };
  std::vector<Expr> zeros(products.size(), 0.0f), sums;
  sum(innermostFirst) = Halide::Tuple(zeros);
  std::vector<targets::Factor> made;
  for (size_t i = 0; i < products.size(); ++i) {
    auto [a, b] = products[i](toIndices(vars));
    Expr left, right;
    made.push_back(makeFactor(name + "_a", a, innermostFirst, domain, left));
    made.push_back(makeFactor(name + "_b", b, innermostFirst, domain, right));
    sums.push_back(at(i) + right * left);
  }
  sum(innermostFirst) = Halide::Tuple(sums);
  group.stages.push_back({role, sum, makeLoops(extents, vars), makeReductions(domain), {}, std::move(made)});
  if (isOne)
    return {sum};
  std::vector<Func> values;
  for (size_t i = 0; i < products.size(); ++i) {
    Func value(unique(name));
    value(innermostFirst) = at(i);
    values.push_back(value);
  }
  return values;
}

std::vector<targets::ReductionLoop> AlgorithmBuilder::makeReductions(const Halide::RDom &domain) {
  std::vector<targets::ReductionLoop> reductions;
  for (int i = 0; i < domain.dimensions(); ++i) {
    std::optional<int64_t> extent = Halide::Internal::as_const_int(Halide::Internal::simplify(domain[i].extent()));
    reductions.push_back({domain[i], extent.value_or(0), domain[i].extent()});
  }
  return reductions;
}

void AlgorithmBuilder::scatter(Value result, const Halide::RDom &domain, const Element &initial, const Indices &place,
                               const std::function<Expr(Expr, const Indices &)> &update) {
  assert(llvm::equal(kernel.getYield().getOutputs(), ArrayRef<Value>(result)) && "it is the kernel's one result");
  Extents extents = getExtents(nn::getType(result));
  std::vector<Var> vars = makeVars(extents.size());
  Func out(symbol);
  out(reversed(vars)) = initial(toIndices(vars));
  Indices to(place);
  to.insert(to.end(), vars.begin() + place.size(), vars.end());
  std::vector<Expr> arguments(to.rbegin(), to.rend());
  out(arguments) = update(out(arguments), toIndices(vars));
  makeOut(out, vars, extents);
  group.out.reductions = makeReductions(domain);
}

Func AlgorithmBuilder::stage(const std::string &name, targets::Role role, ArrayRef<Extent> extents,
                             const Element &element) {
  std::vector<Var> vars = makeVars(extents.size());
  Func staged(unique(name));
  staged(reversed(vars)) = element(toIndices(vars));
  group.stages.push_back({role, staged, makeLoops(extents, vars), {}, {}, {}});
  return staged;
}

Halide::RDom AlgorithmBuilder::domain(const std::string &name, ArrayRef<Expr> extents) {
  Halide::Region region;
  for (const Expr &extent : extents)
    region.emplace_back(0, extent);
  return Halide::RDom(region, unique(name));
}

std::pair<Halide::RDom, Indices> AlgorithmBuilder::domainOver(const std::string &name, ArrayRef<Extent> extents) {
  std::vector<Expr> sizes;
  for (const Extent &extent : llvm::reverse(extents))
    sizes.push_back(size(extent));
  if (sizes.empty()) // a domain has a dimension
    sizes.push_back(1);
  Halide::RDom r = domain(name, sizes);
  Indices index;
  for (size_t i = extents.size(); i-- > 0;)
    index.push_back(r[i]);
  return {r, index};
}

Halide::RDom AlgorithmBuilder::productDomain(int64_t terms) {
  auto [entry, isNew] = productDomains.try_emplace(terms);
  if (isNew)
    entry->second = domain("k", {Expr(static_cast<int32_t>(terms))});
  return entry->second;
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

static Halide::Type getStorageType(Type element) {
  if (element.isF32())
    return Halide::Float(32);
  return element.isInteger(1) ? Halide::UInt(8) : Halide::Int(32);
}

/// Says the bounds and strides of a dense row-major buffer, so that the kernel
/// reads nothing but its pointer. Several results have the bounds of the first.
static void describeBuffer(Halide::OutputImageParam buffer, const std::vector<Expr> &sizes, bool isFirst = true) {
  Expr stride = 1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (isFirst)
      buffer.dim(i).set_bounds(0, sizes[i]);
    buffer.dim(i).set_stride(stride);
    stride = Halide::Internal::simplify(stride * sizes[i]);
  }
}

/// Of a device's buffer whose rows are whole vectors: it begins with one.
void AlgorithmBuilder::alignRows(Halide::OutputImageParam buffer, const std::vector<Expr> &sizes) const {
  std::optional<int64_t> row;
  if (onDevice && !sizes.empty())
    row = Halide::Internal::as_const_int(Halide::Internal::simplify(sizes.front()));
  if (row && *row % 4 == 0)
    buffer.set_host_alignment(4 * (buffer.type().bits() / 8));
}

/// An argument is a buffer of what lies in memory.
void AlgorithmBuilder::bindArgument(BlockArgument argument) {
  RankedTensorType type = nn::getType(argument);
  bool inPanels = isa_and_nonnull<PanelAttr>(type.getEncoding());
  std::vector<Expr> sizes;
  Extents extents = getStoredExtents(type);
  for (const Extent &extent : llvm::reverse(extents))
    sizes.push_back(size(extent));
  Halide::ImageParam image(getStorageType(type.getElementType()), sizes.size(), unique("in"));
  describeBuffer(image, sizes);
  if (inPanels)
    image.set_host_alignment(64);
  else
    alignRows(image, sizes);
  group.arguments.push_back(image);
  if (inPanels) {
    bind(argument, image); // contractions read panels as they lie
    return;
  }
  std::vector<Var> vars = makeVars(sizes.size());
  Func element(unique("argument"));
  Expr stored = image(std::vector<Expr>(vars.begin(), vars.end()));
  element(vars) = type.getElementType().isInteger(1) ? stored != Expr(uint8_t(0)) : stored;
  bind(argument, element);
}

void AlgorithmBuilder::buildOp(Operation &op) {
  if (isa<ConstantOp>(op))
    return;
  bool built = buildElementwise(*this, op) || buildDense(*this, op) || buildDenseGradient(*this, op) ||
               buildConv(*this, op) || buildConvInputGradient(*this, op) || buildConvKernelGradient(*this, op) ||
               buildWinograd(*this, op) || buildPool(*this, op) || buildNorm(*this, op) || buildReduce(*this, op) ||
               buildReshape(*this, op);
  if (!built)
    throw Halide::CompileError("no algorithm for " + op.getName().getStringRef().str());
}

/// Makes a Func what the kernel gives.
void AlgorithmBuilder::makeOut(Func out, const std::vector<Var> &vars, Extents extents) {
  std::vector<Expr> sizes;
  for (const Extent &extent : llvm::reverse(extents))
    sizes.push_back(size(extent));
  std::vector<Halide::OutputImageParam> buffers = out.output_buffers();
  for (size_t i = 0; i < buffers.size(); ++i) {
    describeBuffer(buffers[i], sizes, /*isFirst=*/i == 0);
    alignRows(buffers[i], sizes);
  }
  group.out = {targets::Role::Value, out, makeLoops(extents, vars), {}, {}, {}};
}

/// All results as one Func, so that one loop nest computes them. A value in panels
/// is a Func of them, in which what pads the last panel is 0.
void AlgorithmBuilder::buildResults() {
  if (group.out.func.defined())
    return; // a scatter is the result already
  OperandRange results = kernel.getYield().getOutputs();
  RankedTensorType first = nn::getType(results.front());
  Extents extents = getStoredExtents(first);
  std::vector<Var> vars = makeVars(extents.size());
  std::vector<Expr> elements;
  for (Value result : results) {
    Expr element = at(result, toIndices(vars));
    elements.push_back(element.type().is_bool() ? Halide::cast<uint8_t>(element) : element);
  }
  Func out(symbol);
  if (elements.size() == 1) {
    out(reversed(vars)) = elements.front();
  } else {
    group.values = Func(unique("values"));
    group.values(reversed(vars)) = Halide::Tuple(elements);
    std::vector<Expr> stored;
    for (size_t i = 0; i < elements.size(); ++i)
      stored.push_back(group.values(reversed(vars))[i]);
    out(reversed(vars)) = Halide::Tuple(stored);
  }
  makeOut(out, vars, extents);
}

targets::Group AlgorithmBuilder::build() {
  for (StringAttr extent : kernel.getExtents()) {
    Halide::Param<int32_t> length(symbol + "_" + extent.str());
    lengths.emplace(extent.str(), length);
    group.arguments.push_back(length);
  }
  Block &body = kernel.getBody().front();
  for (BlockArgument argument : body.getArguments())
    bindArgument(argument);
  for (int64_t argument : kernel.getInPlace().value_or(ArrayRef<int64_t>()))
    group.inPlace.push_back(group.arguments[lengths.size() + argument].name);
  for (Operation &op : body.without_terminator())
    buildOp(op);
  buildResults();
  return std::move(group);
}

targets::Group buildAlgorithm(KernelOp kernel, const std::string &symbol, bool onDevice) {
  return AlgorithmBuilder(kernel, symbol, onDevice).build();
}

} // namespace nnc
