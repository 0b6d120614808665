//===- Packing.cpp - Buffers side by side in arenas -----------------------===//
//
// Buffers of one unit are placed one after the other in the smallest gap that is free
// for all of their life. The largest first is mostly best (greedy by size, Pisarchyk &
// Lee 2020); where it misses the least size that there can be, other orders are tried,
// then orders in which what stood highest comes first. The best plan is kept.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Packing.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <map>

using namespace mlir;
using namespace nnc;

/// How often what stands highest is placed first, and the pairs of buffers that are
/// looked at in all.
static constexpr int maxRounds = 64;
static constexpr size_t maxPairs = 200000000;

namespace {

/// Packs the buffers of one unit.
class ArenaPacker {
public:
  explicit ArenaPacker(SmallVector<Buffer *> buffers) : buffers(std::move(buffers)) {
    SmallVector<Buffer> copies;
    for (Buffer *buffer : this->buffers)
      copies.push_back(*buffer);
    least = static_cast<int64_t>(getLeastSize(copies, [](StringRef) { return 1.0; }));
  }

  void run() {
    auto life = [](Buffer *buffer) { return static_cast<int64_t>(buffer->last) - buffer->first + 1; };
    SmallVector<Buffer *> order = buffers;
    auto tryBy = [&](function_ref<double(Buffer *)> key) {
      llvm::stable_sort(order, [&](Buffer *a, Buffer *b) { return key(a) > key(b); });
      tryOrder(order);
    };
    tryBy([](Buffer *buffer) { return static_cast<double>(buffer->bytes); });
    tryBy([&](Buffer *buffer) { return static_cast<double>(buffer->bytes) * static_cast<double>(life(buffer)); });
    tryBy([&](Buffer *buffer) { return static_cast<double>(life(buffer)); });
    tryBy([](Buffer *buffer) { return -static_cast<double>(buffer->first); });
    order = bestOrder;
    restoreBest();
    int64_t size = bestSize;
    for (int round = 0; round < maxRounds && !isDone(); ++round) {
      // What stands highest is placed first.
      std::stable_partition(order.begin(), order.end(),
                            [&](Buffer *buffer) { return buffer->offset + buffer->bytes == size; });
      size = tryOrder(order);
    }
    restoreBest();
  }

private:
  bool isDone() const { return bestSize == least || pairs > maxPairs; }

  void restoreBest() {
    for (auto [buffer, offset] : llvm::zip_equal(bestOrder, bestOffsets))
      buffer->offset = offset;
  }

  /// Places in this order; gives the size of the arena, and remembers the plan where it is
  /// the smallest so far.
  int64_t tryOrder(ArrayRef<Buffer *> order) {
    if (!bestOrder.empty() && isDone())
      return bestSize;
    int64_t size = 0;
    SmallVector<Buffer *> placed;
    for (Buffer *buffer : order) {
      place(*buffer, placed);
      placed.insert(llvm::upper_bound(placed, buffer, [](Buffer *a, Buffer *b) { return a->offset < b->offset; }),
                    buffer);
      size = std::max(size, buffer->offset + buffer->bytes);
    }
    if (!bestOrder.empty() && size >= bestSize)
      return size;
    bestSize = size;
    bestOrder.assign(order.begin(), order.end());
    bestOffsets.clear();
    for (Buffer *buffer : order)
      bestOffsets.push_back(buffer->offset);
    return size;
  }

  /// In the smallest gap among those placed, by offset, that live at the same time.
  void place(Buffer &buffer, ArrayRef<Buffer *> placed) {
    int64_t end = 0, best = -1, smallest = std::numeric_limits<int64_t>::max();
    pairs += placed.size();
    for (Buffer *other : placed) {
      if (!overlapInTime(*other, buffer))
        continue;
      if (int64_t gap = other->offset - end; gap >= buffer.bytes && gap < smallest) {
        smallest = gap;
        best = end;
      }
      end = std::max(end, other->offset + other->bytes);
    }
    buffer.offset = best >= 0 ? best : end;
  }

  SmallVector<Buffer *> buffers;
  int64_t least; ///< that any plan needs
  size_t pairs = 0;
  int64_t bestSize = 0;
  SmallVector<Buffer *> bestOrder;
  SmallVector<int64_t> bestOffsets;
};

} // namespace

void nnc::pack(MutableArrayRef<Buffer> buffers) {
  llvm::MapVector<StringRef, SmallVector<Buffer *>> byUnit;
  for (Buffer &buffer : buffers)
    byUnit[buffer.unit].push_back(&buffer);
  for (auto &[unit, list] : byUnit)
    ArenaPacker(list).run();
}

llvm::MapVector<StringRef, int64_t> nnc::getArenas(ArrayRef<Buffer> buffers) {
  llvm::MapVector<StringRef, int64_t> arenas;
  for (const Buffer &buffer : buffers) {
    int64_t &bytes = arenas[buffer.unit];
    bytes = std::max(bytes, buffer.offset + buffer.bytes);
  }
  return arenas;
}

double nnc::getLeastSize(ArrayRef<Buffer> buffers, function_ref<double(StringRef)> weigh) {
  std::map<unsigned, double> changes; // of the sum, at each op
  for (const Buffer &buffer : buffers) {
    double size = static_cast<double>(buffer.bytes) * weigh(buffer.unit);
    changes[buffer.first] += size;
    changes[buffer.last + 1] -= size;
  }
  double sum = 0, largest = 0;
  for (auto [op, change] : changes)
    largest = std::max(largest, sum += change);
  return largest;
}
