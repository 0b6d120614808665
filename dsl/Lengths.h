//===- Lengths.h - Free dimensions as numbers -------------------------------===//

#ifndef NNC_DSL_LENGTHS_H
#define NNC_DSL_LENGTHS_H

#include "dsl/Model.h"

namespace nnc::dsl {

/// Makes of a network's train blocks what they would be if `lengths[i]` stood in the source for free dimension number
/// i: there are no free dimensions then, and nothing is truncated. Inference is left out.
void fixLengths(Network &network, const std::vector<int64_t> &lengths);

/// The least length of free dimension number `free` with which no value of a train block is empty.
int64_t getLeastLength(const Network &network, int32_t free);

} // namespace nnc::dsl

#endif // NNC_DSL_LENGTHS_H
