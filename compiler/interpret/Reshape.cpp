//===- Reshape.cpp - Values of moved elements -----------------------------===//

#include "compiler/interpret/Interpreter.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;
using namespace nnc::interpret;

namespace {

/// Evaluates one op whose elements are those of its operands, or 0.
class Mover {
public:
  Mover(Interpreter &run, Operation &op) : run(run), op(op) {}

  /// Each element of the result from an index of it.
  void fill(function_ref<double(ArrayRef<int64_t>)> element) {
    Tensor result = run.make(op.getResult(0).getType());
    forEachIndex(result.shape, [&](ArrayRef<int64_t> index, int64_t place) { result[place] = element(index); });
    run.define(op.getResult(0)) = std::move(result);
  }

  const Tensor &operand(unsigned number) const { return run.at(op.getOperand(number)); }

  /// An element of an operand.
  double at(unsigned number, ArrayRef<int64_t> index) const {
    const Tensor &x = operand(number);
    return x[placeOf(index, x.shape)];
  }

  /// The same, 0 past the end of a dimension.
  double atStep(unsigned number, ArrayRef<int64_t> index, int64_t axis) const {
    return index[axis] < operand(number).shape[axis] ? at(number, index) : 0;
  }

  /// An example's own length, where its index stands in one of the result.
  double lengthAt(Value lengths, Value sequence, ArrayRef<int64_t> index, int64_t shift) const {
    Extents extents = getExtents(getType(sequence));
    int64_t batch = llvm::find(extents, getExtents(getType(lengths)).front()) - extents.begin();
    return run.at(lengths)[index[batch + shift]];
  }

  bool evaluate();

private:
  void concat(ConcatOp op);
  void embedGradient(EmbedGradientOp op);

  Interpreter &run;
  Operation &op;
};

} // namespace

void Mover::concat(ConcatOp op) {
  fill([&](ArrayRef<int64_t> index) {
    Shape place(index);
    for (unsigned input = 0;; ++input) {
      int64_t size = operand(input).shape[op.getAxis()];
      if (place[op.getAxis()] < size)
        return at(input, place);
      place[op.getAxis()] -= size;
    }
  });
}

void Mover::embedGradient(EmbedGradientOp op) {
  const Tensor ids = operand(0), dy = operand(1);
  Tensor &table = run.define(op.getResult());
  table.data.assign(table.size(), 0);
  int64_t n = table.shape[1];
  for (int64_t i = 0; i < dy.size(); ++i) {
    auto id = static_cast<int64_t>(ids[i / n]);
    if (id >= 0 && id < table.shape[0])
      table[id * n + i % n] += dy[i];
  }
}

bool Mover::evaluate() {
  auto rotated = [](ArrayRef<int64_t> index, int64_t first, int64_t count, bool left) {
    Shape place(index);
    auto begin = place.begin() + first;
    std::rotate(begin, left ? begin + 1 : begin + count, begin + count + 1);
    return place;
  };
  return llvm::TypeSwitch<Operation *, bool>(&op)
      .Case([&](BroadcastOp broadcast) {
        fill([&](ArrayRef<int64_t> index) {
          Shape place;
          for (auto [i, dim] : llvm::enumerate(broadcast.getDims()))
            place.push_back(operand(0).shape[i] == 1 ? 0 : index[dim]);
          return at(0, place);
        });
        return true;
      })
      .Case<ReshapeOp, PackOp>([&](Operation *) {
        std::vector<double> data = operand(0).data;
        run.define(op.getResult(0)).data = std::move(data);
        return true;
      })
      .Case([&](TimeMajorOp major) {
        auto steps = static_cast<int64_t>(major.getSteps());
        fill([&](ArrayRef<int64_t> index) { return at(0, rotated(index, 0, steps, /*left=*/false)); });
        return true;
      })
      .Case([&](BatchMajorOp major) {
        auto steps = static_cast<int64_t>(major.getSteps());
        fill([&](ArrayRef<int64_t> index) { return at(0, rotated(index, 0, steps, /*left=*/true)); });
        return true;
      })
      .Case([&](TransposeOp transpose) {
        fill([&](ArrayRef<int64_t> index) {
          Shape place(index.size(), 0);
          for (auto [i, dim] : llvm::enumerate(transpose.getPermutation()))
            place[dim] = index[i];
          return at(0, place);
        });
        return true;
      })
      .Case([&](ConcatOp joined) { return concat(joined), true; })
      .Case([&](SliceOp slice) {
        unsigned dynamic = getDynamicRank(getType(slice.getX()));
        fill([&](ArrayRef<int64_t> index) {
          Shape place(index);
          for (auto [i, start] : llvm::enumerate(slice.getStarts()))
            place[dynamic + i] += start;
          return at(0, place);
        });
        return true;
      })
      .Case([&](PadOp pad) {
        unsigned dynamic = getDynamicRank(getType(pad.getX()));
        fill([&](ArrayRef<int64_t> index) {
          Shape place(index);
          for (auto [i, start] : llvm::enumerate(pad.getStarts())) {
            place[dynamic + i] -= start;
            if (place[dynamic + i] < 0 || place[dynamic + i] >= operand(0).shape[dynamic + i])
              return 0.0;
          }
          return at(0, place);
        });
        return true;
      })
      .Case([&](ReverseOp reverse) {
        auto axis = static_cast<int64_t>(reverse.getAxis());
        fill([&](ArrayRef<int64_t> index) {
          Shape place(index);
          int64_t own = operand(0).shape[axis];
          if (reverse.getLengths())
            own = static_cast<int64_t>(lengthAt(reverse.getLengths(), reverse.getX(), index, 0));
          if (place[axis] < own)
            place[axis] = own - 1 - place[axis];
          return at(0, place);
        });
        return true;
      })
      .Case([&](LastOp last) {
        fill([&](ArrayRef<int64_t> index) {
          int64_t own = operand(0).shape[0];
          if (last.getLengths())
            own = static_cast<int64_t>(lengthAt(last.getLengths(), last.getX(), index, -1));
          Shape place{own - 1};
          place.append(index.begin(), index.end());
          return own > 0 ? at(0, place) : 0.0;
        });
        return true;
      })
      .Case([&](EmbedOp embed) {
        fill([&](ArrayRef<int64_t> index) {
          auto id = static_cast<int64_t>(at(0, index.drop_back()));
          return id >= 0 && id < operand(1).shape[0] ? at(1, {id, index.back()}) : 0.0;
        });
        return true;
      })
      .Case([&](OneHotOp) {
        fill([&](ArrayRef<int64_t> index) {
          return at(0, index.drop_back()) == static_cast<double>(index.back()) ? 1.0 : 0.0;
        });
        return true;
      })
      .Case([&](DelayOp) {
        fill([&](ArrayRef<int64_t> index) {
          Shape place(index);
          return place.front()-- > 0 ? at(0, place) : at(1, index.drop_front());
        });
        return true;
      })
      .Case([&](SegmentOp segment) {
        auto axis = static_cast<int64_t>(segment.getAxis()), first = static_cast<int64_t>(operand(1)[0]);
        fill([&](ArrayRef<int64_t> index) {
          Shape place(index.drop_front());
          place.insert(place.begin() + axis, first + index.front());
          return atStep(0, place, axis);
        });
        return true;
      })
      .Case([&](SplitStepsOp split) {
        int64_t steps = run.getSize(getExtents(getType(split.getResult()))[1]);
        fill([&](ArrayRef<int64_t> index) {
          Shape place(index.drop_front());
          place.front() += index.front() * steps;
          return atStep(0, place, 0);
        });
        return true;
      })
      .Case([&](JoinStepsOp) {
        fill([&](ArrayRef<int64_t> index) {
          int64_t steps = operand(0).shape[1];
          Shape place{index.front() / steps, index.front() % steps};
          place.append(index.begin() + 1, index.end());
          return at(0, place);
        });
        return true;
      })
      .Case([&](EmbedGradientOp gradient) { return embedGradient(gradient), true; })
      .Default([](Operation *) { return false; });
}

bool interpret::evaluateReshape(Interpreter &run, Operation &op) { return Mover(run, op).evaluate(); }
