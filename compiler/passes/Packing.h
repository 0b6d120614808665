//===- Packing.h - Buffers side by side in arenas -------------------------===//

#ifndef NNC_COMPILER_PASSES_PACKING_H
#define NNC_COMPILER_PASSES_PACKING_H

#include "compiler/passes/Buffers.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace nnc {

/// Gives each buffer an offset in the arena of its unit, so that no two overlap that are
/// needed at one moment.
void pack(llvm::MutableArrayRef<Buffer> buffers);

/// Bytes of each arena for one unit, in the order in which the units come up.
llvm::MapVector<llvm::StringRef, int64_t> getArenas(llvm::ArrayRef<Buffer> buffers);

/// The largest sum of what is needed at one moment, which no plan gets below: each byte
/// of a buffer counts as many as `weigh` gives for its unit.
double getLeastSize(llvm::ArrayRef<Buffer> buffers, llvm::function_ref<double(llvm::StringRef unit)> weigh);

} // namespace nnc

#endif // NNC_COMPILER_PASSES_PACKING_H
