//===- Reshape.cpp - Derivatives of moved elements ------------------------===//

#include "compiler/autodiff/Autodiff.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

/// What was repeated is summed.
void differentiateBroadcast(Adjoints &a, BroadcastOp op, Value dy) {
  RankedTensorType from = nn::getType(op.getX()), to = nn::getType(dy);
  SmallVector<int64_t> repeated;
  for (int64_t dim = 0; dim < to.getRank(); ++dim) {
    auto place = llvm::find(op.getDims(), dim);
    if (place == op.getDims().end() || getExtents(from)[place - op.getDims().begin()] != getExtents(to)[dim])
      repeated.push_back(dim);
  }
  Value dx = repeated.empty() ? dy : a.sum(dy, repeated);
  if (nn::getType(dx) != from) // an extent of 1 that was repeated
    dx = ReshapeOp::create(a.builder, a.location, from, dx);
  a.add(op.getX(), dx);
}

void differentiateConcat(Adjoints &a, ConcatOp op, Value dy) {
  RankedTensorType type = nn::getType(dy);
  unsigned axis = op.getAxis() - getDynamicRank(type);
  SmallVector<int64_t> starts(getFixedShape(type).size(), 0), sizes(getFixedShape(type));
  for (Value input : op.getInputs()) {
    sizes[axis] = getFixedShape(nn::getType(input))[axis];
    if (a.isActive(input))
      a.add(input, a.make<SliceOp>(dy, {a.builder.getNamedAttr("starts", a.builder.getDenseI64ArrayAttr(starts)),
                                        a.builder.getNamedAttr("sizes", a.builder.getDenseI64ArrayAttr(sizes))}));
    starts[axis] += sizes[axis];
  }
}

/// Step lengths - 1 of each example gets the cotangent: the steps before its end
/// less those before its last.
void differentiateLast(Adjoints &a, LastOp op, Value dy) {
  Value everywhere = a.repeat(dy, nn::getType(op.getX()), 0);
  Value lengths = a.primal(op.getLengths());
  auto keepBefore = [&](Value end) {
    return a.make<MaskOp>({everywhere, end}, {a.builder.getNamedAttr("axis", a.builder.getI64IntegerAttr(0)),
                                              a.builder.getNamedAttr("fill", a.builder.getF64FloatAttr(0))});
  };
  Value shorter = a.make<LengthsOp>(lengths, {a.builder.getNamedAttr("offset", a.builder.getI64IntegerAttr(-1)),
                                              a.builder.getNamedAttr("stride", a.builder.getI64IntegerAttr(1))});
  a.add(op.getX(), a.minus(keepBefore(lengths), keepBefore(shorter)));
}

SmallVector<int64_t> invert(ArrayRef<int64_t> permutation) {
  SmallVector<int64_t> inverse(permutation.size());
  for (auto [to, from] : llvm::enumerate(permutation))
    inverse[from] = to;
  return inverse;
}

} // namespace

bool nnc::differentiateReshape(Adjoints &a, Operation *op, Value dy) {
  auto steps = [&](IntegerAttr count) { return a.builder.getNamedAttr("steps", count); };
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](BroadcastOp broadcast) { return differentiateBroadcast(a, broadcast, dy), true; })
      .Case([&](ConcatOp concat) { return differentiateConcat(a, concat, dy), true; })
      .Case([&](ReshapeOp reshape) {
        a.add(reshape.getX(), ReshapeOp::create(a.builder, a.location, nn::getType(reshape.getX()), dy));
        return true;
      })
      .Case([&](TimeMajorOp major) {
        return a.add(major.getX(), a.make<BatchMajorOp>(dy, steps(major.getStepsAttr()))), true;
      })
      .Case([&](BatchMajorOp major) {
        return a.add(major.getX(), a.make<TimeMajorOp>(dy, steps(major.getStepsAttr()))), true;
      })
      .Case([&](TransposeOp transpose) {
        auto inverse = a.builder.getDenseI64ArrayAttr(invert(transpose.getPermutation()));
        return a.add(transpose.getX(), a.make<TransposeOp>(dy, a.builder.getNamedAttr("permutation", inverse))), true;
      })
      .Case([&](SliceOp slice) {
        auto shape = a.builder.getDenseI64ArrayAttr(getFixedShape(nn::getType(slice.getX())));
        return a.add(slice.getX(), a.make<PadOp>(dy, {a.builder.getNamedAttr("starts", slice.getStartsAttr()),
                                                      a.builder.getNamedAttr("shape", shape)})),
               true;
      })
      .Case([&](ReverseOp reverse) {
        SmallVector<Value> operands{dy};
        if (reverse.getLengths())
          operands.push_back(a.primal(reverse.getLengths()));
        return a.add(reverse.getX(),
                     a.make<ReverseOp>(operands, a.builder.getNamedAttr("axis", reverse.getAxisAttr()))),
               true;
      })
      .Case([&](LastOp last) { return last.getLengths() ? (differentiateLast(a, last, dy), true) : false; })
      .Case([&](SplitStepsOp split) {
        return a.add(split.getX(), a.makeDeclared<JoinStepsOp>(nn::getType(split.getX()), dy)), true;
      })
      .Case([&](JoinStepsOp join) {
        return a.add(join.getX(), a.makeDeclared<SplitStepsOp>(nn::getType(join.getX()), dy)), true;
      })
      .Case([&](EmbedOp embed) {
        auto classes = a.builder.getI64IntegerAttr(nn::getType(embed.getTable()).getDimSize(0));
        Value ids = a.primal(embed.getIds());
        if (nn::getType(ids).getRank() == 0) { // one class for all examples: a row, as of several
          Type element = nn::getType(ids).getElementType();
          ids = ReshapeOp::create(a.builder, a.location, RankedTensorType::get({1}, element), ids);
          auto row = RankedTensorType::get({1, nn::getType(dy).getDimSize(0)}, nn::getType(dy).getElementType());
          dy = ReshapeOp::create(a.builder, a.location, row, dy);
        }
        Value table = a.make<EmbedGradientOp>({ids, dy}, a.builder.getNamedAttr("classes", classes));
        return a.add(embed.getTable(), table), true;
      })
      .Default([](Operation *) { return false; });
}
