//===- Pool.cpp - Pooling on x86 ------------------------------------------===//
//
//   for example, row                                (parallel)
//     for pixel                                     4 at a time
//       out[pixel][channels] = combine over the window, unrolled
//
// Backwards, an image's element gathers from the windows that hold it:
//   for example, block of rows                      (parallel)
//     first[windows][channels]                      on the stack: which element of a window wins
//     for row, pixel: out[pixel][channels] = sum over the windows around, unrolled
//
// Channels are the vectors, masked where they are few and the machine can mask.
// Bound by reading the image: each element is read once from where the producer
// left it.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/X86.h"

#include <algorithm>

namespace nnc::targets::x86 {

using Halide::TailStrategy;
using Halide::Var;

/// Windows of more elements than this stay loops.
static constexpr int64_t maxUnrolled = 16;

/// The vectors of a row of channels.
struct Vectors {
  Vectors(int64_t channels, const Isa &isa) : lanes(static_cast<int>(std::min<int64_t>(isa.vector, channels))) {
    bool masks = isa.vector == 16;
    if (masks && channels < isa.vector)
      lanes = channels <= 4 ? 4 : channels <= 8 ? 8 : 16;
    tail = channels % lanes == 0 ? TailStrategy::Auto
           : channels < lanes    ? TailStrategy::GuardWithIf
                                 : TailStrategy::ShiftInwards;
  }
  int lanes;
  TailStrategy tail;
};

/// A sum for one vector of one pixel, its window unrolled where that is short.
static void scheduleWindow(Stage &sums, Halide::Func out, Var at, int lanes) {
  sums.func.compute_at(out, at).vectorize(sums.loops[0].var, lanes, TailStrategy::GuardWithIf);
  auto update = sums.func.update();
  update.vectorize(sums.loops[0].var, lanes, TailStrategy::GuardWithIf);
  int64_t window = 1;
  for (const ReductionLoop &loop : sums.reductions)
    window *= loop.extent;
  if (window <= maxUnrolled)
    for (const ReductionLoop &loop : sums.reductions)
      update.unroll(loop.var);
}

/// Windows around so many elements that lie side by side.
static int64_t countWindows(const WindowStep &step, int64_t elements, int64_t windows) {
  int64_t count = divideCeil(elements - 1, step.stride) + divideCeil(step.span, step.stride);
  return windows ? std::min(count, windows) : count;
}

/// Where what belongs to windows is computed for the elements around: a block of
/// loop number `loop` of the image, with all that is inside of it.
struct WindowBlock {
  size_t loop;
  int64_t elements;
  std::vector<int64_t> extents; ///< of the windows' loops

  WindowBlock(const Stage &windows, size_t loop, int64_t elements) : loop(loop), elements(elements) {
    for (size_t i = 0; i < windows.loops.size(); ++i) {
      int64_t all = windows.loops[i].extent;
      extents.push_back(i < loop ? all : countWindows(windows.window[i - 1], i == loop ? elements : 1, all));
    }
  }
  int64_t bytes() const {
    int64_t product = 4;
    for (int64_t extent : extents)
      product *= extent;
    return product;
  }
};

/// The largest block whose windows stay on the stack.
static WindowBlock chooseBlock(const Stage &windows, const std::vector<Loop> &image) {
  size_t loop = image.size() > 2 && image[1].extent ? 2 : 1;
  if (loop == 2 && WindowBlock(windows, 2, 1).bytes() > maxStackBytes / 2)
    loop = 1;
  int64_t elements = 1;
  while (elements < image[loop].extent && WindowBlock(windows, loop, elements + 1).bytes() <= maxStackBytes / 2)
    ++elements;
  return WindowBlock(windows, loop, elements);
}

/// `first` of all windows around a block of the image, then the gradients of it.
static void scheduleMaxGradient(Group &group, Stage &first, Stage &gathered, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  WindowBlock block = chooseBlock(first, loops);
  Vectors vectors(loops[0].extent, isa);
  Halide::Func out = group.out.func;
  out.vectorize(loops[0].var, vectors.lanes, vectors.tail);
  Var task("task"), inner = loops[block.loop].var;
  out.split(inner, task, inner, static_cast<int>(block.elements), TailStrategy::GuardWithIf);
  for (size_t i = block.loop + 1; i < loops.size(); ++i) {
    Var next("outer" + std::to_string(i));
    out.fuse(task, loops[i].var, next);
    task = next;
  }
  out.parallel(task);
  scheduleWindow(gathered, out, loops[0].var, vectors.lanes);

  first.func.compute_at(out, task).store_in(onStack);
  for (size_t i = 0; i < first.loops.size(); ++i)
    first.func.bound_extent(first.loops[i].var, static_cast<int>(block.extents[i]));
  first.func.vectorize(first.loops[0].var, vectors.lanes, TailStrategy::GuardWithIf);
  auto update = first.func.update();
  std::vector<Halide::VarOrRVar> order{first.loops[0].var};
  for (const ReductionLoop &loop : first.reductions)
    order.push_back(loop.var);
  for (size_t i = 1; i < first.loops.size(); ++i)
    order.push_back(first.loops[i].var);
  update.reorder(order).vectorize(first.loops[0].var, vectors.lanes, TailStrategy::GuardWithIf);
}

void schedulePool(Group &group, const Isa &isa) {
  const std::vector<Loop> &loops = group.out.loops;
  auto isSum = [](const Stage &stage) { return stage.role == Role::Reduction; };
  auto sums = std::find_if(group.stages.begin(), group.stages.end(), isSum);
  if (sums != group.stages.end() && !sums->window.empty() && loops.size() > 1)
    return scheduleMaxGradient(group, *sums, *std::find_if(sums + 1, group.stages.end(), isSum), isa);
  if (loops.size() < 3 || sums == group.stages.end())
    return scheduleDefault(group, isa);

  Vectors vectors(loops[0].extent, isa);
  Halide::Func out = group.out.func;
  out.vectorize(loops[0].var, vectors.lanes, vectors.tail);
  int64_t pixels = loops[1].extent;
  for (int points : {4, 2})
    if (pixels >= points) {
      out.unroll(loops[1].var, points, pixels % points ? TailStrategy::ShiftInwards : TailStrategy::Auto);
      break;
    }
  parallelizeOuter(group.out, 2);

  // One vector of one pixel at a time; the border, where there is one, is a choice
  // at each element.
  scheduleWindow(*sums, out, loops[0].var, vectors.lanes);
}

} // namespace nnc::targets::x86
