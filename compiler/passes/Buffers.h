//===- Buffers.h - What lies in the workspace, and when -------------------===//

#ifndef NNC_COMPILER_PASSES_BUFFERS_H
#define NNC_COMPILER_PASSES_BUFFERS_H

#include "compiler/dialect/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

#include <optional>
#include <string>
#include <vector>

namespace nnc {

/// A stretch of the workspace.
struct Buffer {
  std::string unit;     ///< the product of lengths that its size is proportional to
  int64_t bytes = 0;    ///< for one unit
  unsigned first = ~0u; ///< the op before which it is free
  unsigned last = 0;    ///< the op after which it is free
  int64_t offset = -1;  ///< for one unit, once packed
};

/// The bytes that a value takes in the workspace for one unit.
int64_t getPlannedBytes(mlir::RankedTensorType type);

/// Whether two buffers are needed at one moment.
bool overlapInTime(const Buffer &a, const Buffer &b);

/// Where the values of a function lie.
struct FunctionBuffers {
  /// A buffer of the workspace, or a place elsewhere.
  struct Choice {
    std::optional<unsigned> buffer;
    nn::PlaceAttr place;
  };
  std::vector<Buffer> buffers;
  llvm::DenseMap<mlir::Value, Choice> choices;                              ///< of launch results and loop outputs
  llvm::DenseMap<std::pair<mlir::Operation *, unsigned>, unsigned> carries; ///< of a loop's states that have slots
  /// What launches read in memory that a result of theirs takes: the number of the operand.
  std::vector<std::pair<nn::LaunchOp, unsigned>> inPlace;
};

/// Says of each result of a function of launches and loops where it lies, and of each
/// buffer when it is needed. Does not look at places that there are. Where kernels work
/// `inPlace`, a stack may take the memory of a sequence.
FunctionBuffers chooseBuffers(mlir::func::FuncOp function, bool inPlace);

} // namespace nnc

#endif // NNC_COMPILER_PASSES_BUFFERS_H
