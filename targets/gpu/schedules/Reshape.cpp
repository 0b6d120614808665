//===- Reshape.cpp - Moved elements on a device ---------------------------===//
//
// What is read from other places is an element-wise chain (Default.cpp). What is added to
// places that the data gives (the gradient of an embedding's table):
//
//   for block, thread: out[point] = 0
//   for block, thread (a column):
//     for row: out[class of the row][column] += dy[row][column]
//
// A thread goes through all rows in order for a column of its own: no two add to one
// element, and the sums are the same in every run.
//
//===----------------------------------------------------------------------===//

#include "targets/gpu/Gpu.h"

namespace nnc::targets::gpu {

void scheduleReshape(Group &group) {
  if (group.out.reductions.empty())
    return scheduleDefault(group);
  launchPoints(group.out.func, group.out.loops);
  launchUpdate(group.out.func.update(), {group.out.loops[0]});
}

} // namespace nnc::targets::gpu
