//===- Windows.h - Losses that are taken window by window -------------------===//

#ifndef NNC_DSL_WINDOWS_H
#define NNC_DSL_WINDOWS_H

#include "dsl/Model.h"

namespace nnc::dsl {

/// Fills Train::lossTerms of a train block with `bptt = truncated`, or says what in
/// its program needs more of a sequence than a window.
void splitLoss(Train &train, const Network &network, Diagnostics &diagnostics);

} // namespace nnc::dsl

#endif // NNC_DSL_WINDOWS_H
