//===- InPlace.h - Results in the memory of operands ----------------------===//

#ifndef NNC_TARGETS_INPLACE_H
#define NNC_TARGETS_INPLACE_H

#include "targets/Group.h"

namespace nnc::targets {

/// Lets results of a scheduled group lie where its arguments `inPlace` do, on a processor: no element is computed
/// twice, and of each vector all is read before any result of it is stored.
void computeInPlace(Group &group);

} // namespace nnc::targets

#endif // NNC_TARGETS_INPLACE_H
