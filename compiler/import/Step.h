//===- Step.h - Which networks can run one step at a call -----------------===//

#ifndef NNC_COMPILER_IMPORT_STEP_H
#define NNC_COMPILER_IMPORT_STEP_H

#include "dsl/Model.h"

namespace nnc {

/// A network can run one step at a call when it has one free dimension, goes
/// through it in loops that carry states whose start is known before any step,
/// and nothing in it looks across time but these.
bool canStep(const dsl::Network &network);

} // namespace nnc

#endif // NNC_COMPILER_IMPORT_STEP_H
