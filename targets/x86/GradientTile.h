//===- GradientTile.h - The inner loops of derivatives --------------------===//

#ifndef NNC_TARGETS_X86_GRADIENTTILE_H
#define NNC_TARGETS_X86_GRADIENTTILE_H

#include "targets/x86/X86.h"

namespace nnc::targets::x86 {

/// A block of inner products that is computed at once: each is a vector of
/// partial sums in a register, added up in the end.
struct InnerTile {
  int columns; ///< of the innermost loop of the result
  int points;  ///< of the next
};

/// The tile for results of so many columns and points.
InnerTile chooseInnerTile(int64_t columns, int64_t points, const Isa &isa);

/// Places inner products in the loop `at` of `out`, which computes one tile.
void scheduleInnerProducts(Stage &products, Halide::Func out, Halide::Var at, const InnerTile &tile, const Isa &isa);

/// How many rows or pixels of each loop of an outer product's reduction are
/// summed in registers before the sums wait in memory: 0 for none, so that the
/// loop stays outside. One number a loop.
using RowBlocks = std::vector<int64_t>;

/// Schedules a group whose sums are outer products in panels: a task computes one
/// panel for a block of columns. False where it is no such group.
bool scheduleOuterProducts(Group &group, const RowBlocks &blocks, const Isa &isa);

/// Lets loops add to all sums of one value before those of the next. They are values of one Func.
void orderSums(Group &group);

} // namespace nnc::targets::x86

#endif // NNC_TARGETS_X86_GRADIENTTILE_H
