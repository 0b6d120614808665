//===- Prune.h - What no output needs -------------------------------------===//

#ifndef NNC_DSL_PRUNE_H
#define NNC_DSL_PRUNE_H

#include "dsl/Model.h"

namespace nnc::dsl {

/// Drops operations whose results no output of a function needs; of loops also outputs and sequences.
void pruneOperations(Function &function);

/// Drops weights that neither inference nor a train block reads.
void pruneWeights(Network &network);

} // namespace nnc::dsl

#endif // NNC_DSL_PRUNE_H
