//===- Reshape.cpp - Algorithms of moved elements -------------------------===//

#include "compiler/halide/Builder.h"

#include "llvm/ADT/TypeSwitch.h"

#include <numeric>

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;

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

/// Parts are told apart by blocks that are in one part each: a vector within a block comes from one place.
static Expr atConcat(AlgorithmBuilder &builder, ConcatOp op, const Indices &indices) {
  int64_t axis = op.getAxis();
  auto getSize = [&](Value value) { return static_cast<int32_t>(nn::getType(value).getDimSize(axis)); };
  int32_t size = 0;
  for (Value input : op.getInputs())
    size = std::gcd(size, getSize(input));
  Expr element, block = indices[axis] / size;
  int32_t end = getSize(op.getResult()) / size;
  for (Value input : llvm::reverse(op.getInputs())) {
    int32_t blocks = getSize(input) / size, start = end - blocks;
    Indices place(indices);
    place[axis] = clamp(block - start, 0, blocks - 1) * size + indices[axis] % size;
    Expr part = builder.at(input, place);
    element = element.defined() ? Halide::select(block < end, part, element) : part;
    end = start;
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

/// The part where it is, zeros around it.
static Expr atPad(AlgorithmBuilder &builder, PadOp op, const Indices &indices) {
  RankedTensorType type = nn::getType(op.getX());
  unsigned dynamic = getDynamicRank(type);
  Indices place(indices);
  Expr inside = Halide::Internal::const_true();
  for (auto [i, size] : llvm::enumerate(getFixedShape(type))) {
    int32_t start = op.getStarts()[i], extent = op.getShape()[i];
    if (size == extent)
      continue;
    Expr shifted = indices[dynamic + i] - start;
    inside = inside && shifted >= 0 && shifted < static_cast<int32_t>(size);
    place[dynamic + i] = clamp(shifted, 0, static_cast<int32_t>(size) - 1);
  }
  Expr element = builder.at(op.getX(), place);
  return Halide::select(inside, element, Halide::cast(element.type(), 0));
}

static Expr atDelay(AlgorithmBuilder &builder, DelayOp op, const Indices &indices) {
  Indices place(indices);
  place.front() = max(indices.front() - 1, 0);
  Expr start = builder.at(op.getStart(), Indices(indices.begin() + 1, indices.end()));
  return Halide::select(indices.front() > 0, builder.at(op.getX(), place), start);
}

/// An element of a step, 0 past the last one.
static Expr atStep(AlgorithmBuilder &builder, Value value, const Indices &indices, int64_t axis) {
  Expr steps = builder.size(getExtents(nn::getType(value))[axis]), step = indices[axis];
  Indices place(indices);
  place[axis] = Halide::clamp(step, 0, steps - 1);
  Expr element = builder.at(value, place);
  return Halide::select(step < steps, element, Halide::cast(element.type(), 0));
}

static Expr atSegment(AlgorithmBuilder &builder, SegmentOp op, const Indices &indices) {
  Indices place(indices.begin() + 1, indices.end());
  place.insert(place.begin() + op.getAxis(), builder.at(op.getFirst(), {}) + indices.front());
  return atStep(builder, op.getX(), place, op.getAxis());
}

static Expr atSplit(AlgorithmBuilder &builder, SplitStepsOp op, const Indices &indices) {
  Expr steps = builder.size(getExtents(nn::getType(op.getResult()))[1]);
  Indices place(indices.begin() + 1, indices.end());
  place.front() = indices[0] * steps + indices[1];
  return atStep(builder, op.getX(), place, 0);
}

static Expr atJoin(AlgorithmBuilder &builder, JoinStepsOp op, const Indices &indices) {
  Extents extents = getExtents(nn::getType(op.getX()));
  Expr steps = builder.size(extents[1]);
  Indices place{Halide::unsafe_promise_clamped(indices[0] / steps, 0, builder.size(extents[0]) - 1),
                Halide::unsafe_promise_clamped(indices[0] % steps, 0, steps - 1)};
  place.insert(place.end(), indices.begin() + 1, indices.end());
  return builder.at(op.getX(), place);
}

/// Each row is added to the row of its class.
static void buildEmbedGradient(AlgorithmBuilder &builder, EmbedGradientOp op) {
  Halide::RDom r;
  Indices row;
  std::tie(r, row) = builder.domainOver("r", getExtents(nn::getType(op.getIds())));
  int32_t classes = op.getClasses();
  Expr id = builder.at(op.getIds(), row), place = clamp(id, 0, classes - 1);
  builder.scatter(
      op.getResult(), r, [](const Indices &) { return Expr(0.0f); }, {place},
      [&](Expr self, const Indices &indices) {
        Indices from(row);
        from.push_back(indices.back());
        return self + Halide::select(id >= 0 && id < classes, builder.at(op.getDy(), from), 0.0f);
      });
}

/// The elements in the order in which panels lie, [panel][other…][lane].
/// The elements of a value that lies along another dimension than its copy will: two stages
/// of [other…][`to`][lies along], and of the last two the other way round. The schedule may
/// turn blocks of them in registers. `element` is given the type's indices.
static Func turn(AlgorithmBuilder &builder, RankedTensorType from, unsigned along, unsigned to, int64_t places,
                 const Element &element) {
  Extents extents = getExtents(from), shape; // of a slice the extent along `to` is another
  SmallVector<unsigned> order;               // of the stage's dimensions
  for (unsigned i = 0; i < extents.size(); ++i)
    if (i != along && i != to)
      order.push_back(i);
  order.append({to, along});
  for (unsigned dim : order)
    shape.push_back(dim == to ? Extent(places) : extents[dim]);
  if (auto panel = dyn_cast_or_null<PanelAttr>(from.getEncoding()))
    shape.back() = static_cast<int64_t>(llvm::alignTo(extents[along].size, panel.getWidth()));
  Func rows = builder.stage("rows", targets::Role::Padded, shape, [&](const Indices &indices) {
    Indices place(indices.size());
    for (auto [dim, index] : llvm::zip_equal(order, indices))
      place[dim] = index;
    return element(place);
  });
  std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
  return builder.stage("turned", targets::Role::Padded, shape, [&](const Indices &indices) {
    Indices place(indices);
    std::swap(place[place.size() - 1], place[place.size() - 2]);
    return AlgorithmBuilder::call(rows, place);
  });
}

/// The dimension whose neighbours are neighbours in memory.
static unsigned getInnermost(RankedTensorType type) {
  auto panel = dyn_cast_or_null<PanelAttr>(type.getEncoding());
  return panel ? panel.getDim() : type.getRank() - 1;
}

static void buildPack(AlgorithmBuilder &builder, PackOp op) {
  RankedTensorType type = nn::getType(op.getResult());
  // A slice of the same kernel lies as what it is of.
  RankedTensorType from = nn::getType(op.getX());
  if (auto slice = op.getX().getDefiningOp<SliceOp>()) {
    RankedTensorType whole = nn::getType(slice.getX());
    if (unsigned along = getInnermost(whole); whole.getDimSize(along) == from.getDimSize(along))
      from = whole;
  }
  auto panel = cast<PanelAttr>(type.getEncoding());
  unsigned dim = panel.getDim(), along = getInnermost(from);
  auto width = static_cast<int32_t>(panel.getWidth()), extent = static_cast<int32_t>(type.getDimSize(dim));
  bool isWhole = extent % width == 0;
  // `indices` may go on beyond the last element, to the end of the last panel.
  auto element = [&](Indices indices) {
    Expr place = indices[dim];
    if (isWhole)
      return builder.at(op.getX(), indices);
    indices[dim] = clamp(place, 0, extent - 1);
    return Halide::select(place < extent, builder.at(op.getX(), indices), 0.0f);
  };
  std::vector<Halide::Var> vars; // innermost first
  for (int64_t i = 0; i <= type.getRank(); ++i)
    vars.emplace_back(builder.unique("i"));
  Indices indices(vars.rbegin() + 1, vars.rend() - 1); // the other dimensions
  Expr place = vars.back() * width + vars.front();
  Func packed(builder.unique("packed"));
  // What lies along the last of the other dimensions comes next to the lanes.
  if (along != dim && along + (dim > along) + 1 == type.getRank()) {
    Func turned = turn(builder, from, along, dim, llvm::alignTo(extent, width), element);
    indices.insert(indices.end(), place); // [other…][along][place]
    packed(vars) = AlgorithmBuilder::call(turned, indices);
  } else {
    indices.insert(indices.begin() + dim, place);
    packed(vars) = element(indices);
  }
  builder.bind(op.getResult(), packed);
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
      .Case([&](PadOp pad) { return atPad(builder, pad, indices); })
      .Case([&](DelayOp delay) { return atDelay(builder, delay, indices); })
      .Case([&](SegmentOp segment) { return atSegment(builder, segment, indices); })
      .Case([&](SplitStepsOp split) { return atSplit(builder, split, indices); })
      .Case([&](JoinStepsOp join) { return atJoin(builder, join, indices); })
      .Case([&](OneHotOp hot) {
        Expr id = builder.at(hot.getIds(), Indices(indices.begin(), indices.end() - 1));
        return Halide::select(id == indices.back(), 1.0f, 0.0f);
      })
      .Default([](Operation *) { return Expr(); });
}

bool buildReshape(AlgorithmBuilder &builder, Operation &op) {
  if (auto pack = dyn_cast<PackOp>(op))
    return buildPack(builder, pack), true;
  if (auto gradient = dyn_cast<EmbedGradientOp>(op))
    return buildEmbedGradient(builder, gradient), true;
  if (!isa<BroadcastOp, ReshapeOp, TimeMajorOp, BatchMajorOp, TransposeOp, SliceOp, ConcatOp, ReverseOp, LastOp,
           EmbedOp, OneHotOp, PadOp, DelayOp, SegmentOp, SplitStepsOp, JoinStepsOp>(op))
    return false;
  builder.define(op.getResult(0), [&](const Indices &indices) { return atMoved(builder, op, indices); });
  return true;
}

} // namespace nnc
