//===- Reduce.cpp - Algorithms of sums, means, maxima ---------------------===//

#include "compiler/halide/Builder.h"
#include "compiler/halide/Math.h"

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;

namespace nnc {

/// Combines the elements along the axes of an op, each within its example's own
/// length.
template <typename ReduceOp>
static Func accumulateAxes(AlgorithmBuilder &builder, ReduceOp op, Expr initial,
                           const std::function<Expr(Expr, Expr)> &combine) {
  Extents extents = getExtents(nn::getType(op.getX()));
  ArrayRef<int64_t> axes = op.getAxes();
  std::vector<Expr> sizes; // innermost first
  for (int64_t axis : llvm::reverse(axes))
    sizes.push_back(builder.size(extents[axis]));
  Halide::RDom r = builder.domain("r", sizes);
  Func reduced = builder.accumulate(
      "reduce", targets::Role::Reduction, getExtents(nn::getType(op.getResult())), r,
      [&](const Indices &) { return initial; },
      [&](Expr self, const Indices &indices) {
        Indices x;
        unsigned kept = 0, reduced = axes.size();
        Expr step;
        for (int64_t dim = 0, rank = extents.size(); dim < rank; ++dim) {
          bool isReduced = llvm::is_contained(axes, dim);
          x.push_back(isReduced ? Expr(r[--reduced]) : indices[kept++]);
          if (isReduced && extents[dim].isDynamic())
            step = x.back();
        }
        Expr combined = combine(self, builder.at(op.getX(), x));
        if (!op.getLengths())
          return combined;
        Extent batch = getExtents(nn::getType(op.getLengths())).front();
        Expr example = x[llvm::find(extents, batch) - extents.begin()];
        return Halide::select(step < builder.at(op.getLengths(), {example}), combined, self);
      });
  builder.getLastStage().alongRow = llvm::is_contained(axes, static_cast<int64_t>(extents.size()) - 1);
  return reduced;
}

static void buildMean(AlgorithmBuilder &builder, MeanOp op) {
  Func sum = accumulateAxes(builder, op, 0.0f, [](Expr self, Expr x) { return self + x; });
  Extents extents = getExtents(nn::getType(op.getX()));
  Extents kept = getExtents(nn::getType(op.getResult()));
  builder.define(op.getResult(), [&](const Indices &indices) {
    Expr total = AlgorithmBuilder::call(sum, indices);
    Expr count = 1;
    for (int64_t axis : op.getAxes()) {
      if (op.getLengths() && extents[axis].isDynamic()) {
        Extent batch = getExtents(nn::getType(op.getLengths())).front();
        count = count * builder.at(op.getLengths(), {indices[llvm::find(kept, batch) - kept.begin()]});
      } else {
        count = count * builder.size(extents[axis]);
      }
    }
    return total / Halide::cast<float>(max(count, 1));
  });
}

/// The largest of each row. NaN is not looked for: what is made of the element
/// itself has it.
static Func getLargest(AlgorithmBuilder &builder, Value value) {
  Extents rows = getExtents(nn::getType(value));
  Halide::RDom k = builder.domain("k", {Expr(static_cast<int32_t>(rows.pop_back_val().size))});
  return builder.accumulate(
      "largest", targets::Role::Reduction, rows, k, [](const Indices &) { return Halide::Float(32).min(); },
      [&](Expr self, const Indices &indices) {
        Indices x(indices);
        x.push_back(k.x);
        return Halide::max(self, builder.at(value, x));
      });
}

/// exp(x - largest) of a row, stored, and its sum. The exponential of the logarithm, which its derivative needs, is the
/// share of that.
static void buildSoftmax(AlgorithmBuilder &builder, Operation &op, bool logarithm) {
  Value value = op.getOperand(0);
  Extents extents = getExtents(nn::getType(value));
  Extents rows = extents;
  rows.pop_back();
  Func largest = getLargest(builder, value);
  auto rowOf = [](const Indices &indices) { return Indices(indices.begin(), indices.end() - 1); };
  auto shifted = [&](const Indices &indices) {
    return builder.at(value, indices) - AlgorithmBuilder::call(largest, rowOf(indices));
  };
  Func exponential = builder.stage("exponential", targets::Role::Value, extents,
                                   [&](const Indices &indices) { return math::exp(shifted(indices)); });
  Halide::RDom k = builder.domain("k", {Expr(static_cast<int32_t>(extents.back().size))});
  Func total = builder.accumulate(
      "total", targets::Role::Reduction, rows, k, [](const Indices &) { return Expr(0.0f); },
      [&](Expr self, const Indices &indices) {
        Indices x(indices);
        x.push_back(k.x);
        return self + AlgorithmBuilder::call(exponential, x);
      });
  auto makeOfTotal = [&](const std::string &name, const std::function<Expr(Expr)> &make) {
    return builder.stage(name, targets::Role::Value, rows,
                         [&](const Indices &indices) { return make(AlgorithmBuilder::call(total, indices)); });
  };
  bool isExponentiated = llvm::any_of(op.getUsers(), [](Operation *user) { return isa<ExpOp>(user); });
  Element share;
  if (!logarithm || isExponentiated) {
    Func scale = makeOfTotal("scale", [](Expr sum) { return 1.0f / sum; });
    share = [=](const Indices &indices) {
      return AlgorithmBuilder::call(exponential, indices) * AlgorithmBuilder::call(scale, rowOf(indices));
    };
  }
  if (!logarithm)
    return builder.define(op.getResult(0), share);
  Func offset = makeOfTotal("offset", [](Expr sum) { return math::log(sum); });
  builder.define(op.getResult(0), [&](const Indices &indices) {
    return shifted(indices) - AlgorithmBuilder::call(offset, rowOf(indices));
  });
  if (isExponentiated)
    builder.noteExponential(op.getResult(0), share);
}

/// The first of the largest.
static void buildArgmax(AlgorithmBuilder &builder, ArgmaxOp op) {
  Value value = op.getX();
  Extents rows = getExtents(nn::getType(value));
  int32_t columns = rows.pop_back_val().size;
  Func largest = getLargest(builder, value);
  Halide::RDom k = builder.domain("k", {Expr(columns)});
  Func first = builder.accumulate(
      "first", targets::Role::Reduction, rows, k, [&](const Indices &) { return Expr(columns - 1); },
      [&](Expr self, const Indices &indices) {
        Indices x(indices);
        x.push_back(k.x);
        Expr isLargest = builder.at(value, x) == AlgorithmBuilder::call(largest, indices);
        return Halide::select(isLargest, min(self, k.x), self);
      });
  builder.bind(op.getResult(), first);
}

bool buildReduce(AlgorithmBuilder &builder, Operation &op) {
  if (auto sum = dyn_cast<SumOp>(op)) {
    builder.bind(sum.getResult(), accumulateAxes(builder, sum, 0.0f, [](Expr self, Expr x) { return self + x; }));
    return true;
  }
  if (auto mean = dyn_cast<MeanOp>(op))
    return buildMean(builder, mean), true;
  if (auto largest = dyn_cast<ReduceMaxOp>(op)) {
    builder.bind(largest.getResult(), accumulateAxes(builder, largest, math::infinity(true),
                                                     [](Expr self, Expr x) { return math::maximum(self, x); }));
    return true;
  }
  if (auto smallest = dyn_cast<ReduceMinOp>(op)) {
    builder.bind(smallest.getResult(), accumulateAxes(builder, smallest, math::infinity(false),
                                                      [](Expr self, Expr x) { return math::minimum(self, x); }));
    return true;
  }
  if (isa<SoftmaxOp>(op))
    return buildSoftmax(builder, op, /*logarithm=*/false), true;
  if (isa<LogSoftmaxOp>(op))
    return buildSoftmax(builder, op, /*logarithm=*/true), true;
  if (auto argmax = dyn_cast<ArgmaxOp>(op))
    return buildArgmax(builder, argmax), true;
  return false;
}

} // namespace nnc
