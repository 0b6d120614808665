//===- DenseGradient.cpp - Derivatives of matrix products on x86 ----------===//
//
// The vectors' cotangent is a product with the transposed weight (Dense.cpp), the
// weight's cotangent outer products (GradientTile.cpp).
//
//===----------------------------------------------------------------------===//

#include "targets/x86/GradientTile.h"

#include <algorithm>

namespace nnc::targets::x86 {

/// Rows whose outer products are added in registers: those of the lanes that are multiplied with all columns stay in
/// L1. Of several values a tile has more lanes. With AVX2 steps of training of LSTMs and GRUs of 256 units (batch 32,
/// Zen 3) take 1.06 times as long by 64 rows.
static int64_t chooseRows(const Stage &sums, const Isa &isa) {
  if (sums.func.outputs() == 1)
    return 128;
  return isa.vector == 16 ? 64 : 32;
}

void scheduleDenseGradient(Group &group, const Isa &isa) {
  auto sums = std::find_if(group.stages.begin(), group.stages.end(),
                           [](const Stage &stage) { return stage.role == Role::OuterProduct; });
  if (sums != group.stages.end()) {
    RowBlocks blocks(sums->reductions.size());
    int64_t rows = chooseRows(*sums, isa);
    blocks.front() = sums->reductions.front().extent ? std::min(sums->reductions.front().extent, rows) : rows;
    if (sums->reductions.front().extent && blocks.size() == 1)
      blocks.front() = 0;
    if (scheduleOuterProducts(group, blocks, isa))
      return;
  }
  scheduleDefault(group, isa);
}

} // namespace nnc::targets::x86
