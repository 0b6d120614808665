//===- Prefetch.h - Ask for memory before it is needed --------------------===//

#ifndef NNC_TARGETS_X86_PREFETCH_H
#define NNC_TARGETS_X86_PREFETCH_H

#include "targets/Group.h"

namespace nnc::targets::x86 {

/// Lets the loops that multiply with the weight of `products`, which is in panels, ask for what they need of it next
/// while they work on what they have. For weights that come from memory or from L3.
void prefetchWeights(Group &group, const Stage &products);

/// Lets each task ask, before its products, for the operands of what becomes of their sums.
void prefetchOperands(Group &group);

/// Lets outer products of a block of rows ask for what the next block's copies are made of.
void prefetchCopies(Group &group);

} // namespace nnc::targets::x86

#endif // NNC_TARGETS_X86_PREFETCH_H
