//===- Reshape.cpp - Algorithms of moved elements -------------------------===//

#include "compiler/halide/Builder.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;

namespace nnc {

/// The index into `from` of the element at `indices` of a type with the same
/// dynamic dimensions and the same elements in row-major order.
static Indices relinearize(const Indices &indices, RankedTensorType to, RankedTensorType from) {
  unsigned dynamic = getDynamicRank(to);
  Expr place = 0;
  for (auto [i, size] : llvm::enumerate(getFixedShape(to)))
    place = place * static_cast<int32_t>(size) + indices[dynamic + i];
  Indices result(indices.begin(), indices.begin() + dynamic);
  int64_t inner = getFixedSize(from);
  for (int64_t size : getFixedShape(from)) {
    inner /= size;
    result.push_back(place / static_cast<int32_t>(inner) % static_cast<int32_t>(size));
  }
  return result;
}

static Expr atConcat(AlgorithmBuilder &builder, ConcatOp op, const Indices &indices) {
  int64_t axis = op.getAxis();
  Expr element;
  int32_t start = nn::getType(op.getResult()).getDimSize(axis);
  for (Value input : llvm::reverse(op.getInputs())) {
    int32_t size = nn::getType(input).getDimSize(axis);
    start -= size;
    Indices place(indices);
    place[axis] = clamp(indices[axis] - start, 0, size - 1);
    Expr part = builder.at(input, place);
    element = element.defined() ? Halide::select(indices[axis] < start + size, part, element) : part;
  }
  return element;
}

static Expr atReverse(AlgorithmBuilder &builder, ReverseOp op, const Indices &indices) {
  int64_t axis = op.getAxis();
  Extents extents = getExtents(nn::getType(op.getX()));
  Expr length = builder.size(extents[axis]);
  Indices place(indices);
  if (!op.getLengths()) {
    place[axis] = length - 1 - indices[axis];
    return builder.at(op.getX(), place);
  }
  Extent batch = getExtents(nn::getType(op.getLengths())).front();
  Expr own = builder.at(op.getLengths(), {indices[llvm::find(extents, batch) - extents.begin()]});
  Expr mirrored = Halide::select(indices[axis] < own, own - 1 - indices[axis], indices[axis]);
  place[axis] = Halide::unsafe_promise_clamped(mirrored, 0, length - 1);
  return builder.at(op.getX(), place);
}

static Expr atLast(AlgorithmBuilder &builder, LastOp op, const Indices &indices) {
  Extents extents = getExtents(nn::getType(op.getX()));
  Expr steps = builder.size(extents.front()), own = steps;
  if (op.getLengths()) {
    Extent batch = getExtents(nn::getType(op.getLengths())).front();
    own = builder.at(op.getLengths(), {indices[llvm::find(extents, batch) - extents.begin() - 1]});
  }
  Indices place{Halide::unsafe_promise_clamped(max(own - 1, 0), 0, max(steps - 1, 0))};
  place.insert(place.end(), indices.begin(), indices.end());
  // Of no steps there is none to read.
  Expr element = builder.at(op.getX(), place);
  return Halide::select(own > 0, element, Halide::cast(element.type(), 0));
}

static Expr atEmbed(AlgorithmBuilder &builder, EmbedOp op, const Indices &indices) {
  int32_t classes = nn::getType(op.getTable()).getDimSize(0);
  Expr id = builder.at(op.getIds(), Indices(indices.begin(), indices.end() - 1));
  Expr row = builder.at(op.getTable(), {clamp(id, 0, classes - 1), indices.back()});
  return Halide::select(id >= 0 && id < classes, row, 0.0f);
}

static Expr atMoved(AlgorithmBuilder &builder, Operation &op, const Indices &indices) {
  return llvm::TypeSwitch<Operation *, Expr>(&op)
      .Case([&](BroadcastOp broadcast) {
        Indices place;
        RankedTensorType from = nn::getType(broadcast.getX()), to = nn::getType(broadcast.getResult());
        Extents small = getExtents(from), large = getExtents(to);
        for (auto [i, dim] : llvm::enumerate(broadcast.getDims()))
          place.push_back(small[i] == large[dim] ? indices[dim] : Expr(0));
        return builder.at(broadcast.getX(), place);
      })
      .Case([&](ReshapeOp reshape) {
        return builder.at(reshape.getX(),
                          relinearize(indices, nn::getType(reshape.getResult()), nn::getType(reshape.getX())));
      })
      .Case([&](TimeMajorOp major) { // [batch, steps…] from [steps…, batch]
        Indices place(indices);
        std::rotate(place.begin(), place.begin() + major.getSteps(), place.begin() + major.getSteps() + 1);
        return builder.at(major.getX(), place);
      })
      .Case([&](BatchMajorOp major) {
        Indices place(indices);
        std::rotate(place.begin(), place.begin() + 1, place.begin() + major.getSteps() + 1);
        return builder.at(major.getX(), place);
      })
      .Case([&](TransposeOp transpose) {
        Indices place(indices.size());
        for (auto [i, dim] : llvm::enumerate(transpose.getPermutation()))
          place[dim] = indices[i];
        return builder.at(transpose.getX(), place);
      })
      .Case([&](SliceOp slice) {
        Indices place(indices);
        unsigned dynamic = getDynamicRank(nn::getType(slice.getX()));
        for (auto [i, start] : llvm::enumerate(slice.getStarts()))
          place[dynamic + i] = indices[dynamic + i] + static_cast<int32_t>(start);
        return builder.at(slice.getX(), place);
      })
      .Case([&](ConcatOp concat) { return atConcat(builder, concat, indices); })
      .Case([&](ReverseOp reverse) { return atReverse(builder, reverse, indices); })
      .Case([&](LastOp last) { return atLast(builder, last, indices); })
      .Case([&](EmbedOp embed) { return atEmbed(builder, embed, indices); })
      .Case([&](OneHotOp hot) {
        Expr id = builder.at(hot.getIds(), Indices(indices.begin(), indices.end() - 1));
        return Halide::select(id == indices.back(), 1.0f, 0.0f);
      })
      .Default([](Operation *) { return Expr(); });
}

bool buildReshape(AlgorithmBuilder &builder, Operation &op) {
  if (!isa<BroadcastOp, ReshapeOp, TimeMajorOp, BatchMajorOp, TransposeOp, SliceOp, ConcatOp, ReverseOp, LastOp,
           EmbedOp, OneHotOp>(op))
    return false;
  builder.define(op.getResult(0), [&](const Indices &indices) { return atMoved(builder, op, indices); });
  return true;
}

} // namespace nnc
