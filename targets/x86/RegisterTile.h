//===- RegisterTile.h - The inner loops of contractions -------------------===//

#ifndef NNC_TARGETS_X86_REGISTERTILE_H
#define NNC_TARGETS_X86_REGISTERTILE_H

#include "targets/Target.h"

namespace nnc::targets::x86 {

/// A block of sums that is computed at once: one panel of outputs, or of each of several,
/// of which `lanes` at a time are in registers, by `points` rows or pixels.
struct RegisterTile {
  int vector; ///< floats in a register that is used
  int lanes;
  int points;
};

/// The tile of a panel for `extent` points, of which there may be more: all
/// accumulators, one row of the panel and one point must fit the registers, and
/// the last tile should compute little twice. Of several panels at once, each has a row.
RegisterTile chooseTile(int64_t panelWidth, int64_t extent, const Isa &isa, int panels = 1);

/// The share of a panel that a tile of so many points has in registers.
struct TileShare {
  int64_t lanes = 0;     ///< none where the points alone are too many
  double efficiency = 0; ///< of the multiply-adds that could start, the share that does
};

/// The share with which a tile of exactly `points` points is fastest.
TileShare chooseShare(int64_t panelWidth, int64_t points, const Isa &isa);

/// The tile of the variant of a product of rows with a weight for `minimum` rows or more.
RegisterTile chooseTileFor(int64_t panelWidth, int64_t minimum, const Isa &isa);

/// Places a contraction in the loop `at` of `out`, which computes one tile:
/// vectors along the panel, points unrolled, the sums in registers; those of so many panels,
/// if the loop computes a tile of each. With GuardWithIf the tile may have fewer points (TrimTiles.cpp).
void scheduleSums(Stage &contraction, Halide::Func out, Halide::Var at, const RegisterTile &tile, int panels = 1,
                  Halide::TailStrategy tail = Halide::TailStrategy::RoundUp);

/// Whether the weights of one panel are more than stay in L1 beside what they are
/// multiplied with.
bool needsSlices(const Stage &contraction);

/// Places a contraction in the loop `at` of `out`, which computes many tiles with one
/// panel: the panel is taken in slices that stay in L1 while all tiles pass, and the
/// sums wait on the stack meanwhile. The last tile may have points beyond the last. A panel that
/// is one slice needs no sums that wait: a tile adds in registers. Gives the Func of the sums.
Halide::Func scheduleSlices(Stage &contraction, Halide::Func out, Halide::Var at, const RegisterTile &tile,
                            Halide::TailStrategy tail = Halide::TailStrategy::RoundUp);

/// Lets tiles that were scheduled with GuardWithIf compute few points beyond the last: the last pass over lowered code.
void trimTiles(Group &group);

} // namespace nnc::targets::x86

#endif // NNC_TARGETS_X86_REGISTERTILE_H
