//===- Shape.h - Shapes with named lengths --------------------------------===//
//
// The `nn` dialect's tensors are builtin tensors whose dynamic dimensions have
// names (`#nn.dims`). This header reads and makes such types.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_COMPILER_DIALECT_SHAPE_H
#define NNC_COMPILER_DIALECT_SHAPE_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

#include <optional>
#include <string>

namespace nnc::nn {

/// The name of the number of examples of a call.
inline constexpr llvm::StringLiteral batchName = "batch";

/// A sequence that is gone through in segments: how many they are, and the steps of
/// each. A call chooses them (nnc_segments in the runtime).
inline std::string getSegmentsName(llvm::StringRef length) { return (length + ".segments").str(); }
inline std::string getStepsName(llvm::StringRef length) { return (length + ".steps").str(); }

/// One length: floor((symbol + offset) / stride), 0 where that is negative.
struct Length {
  std::string symbol;
  int64_t offset = 0;
  int64_t stride = 1;

  /// `T`, `(T-4)`, `T/2`, `(T-4)/2`.
  std::string str() const;
  /// The length after a window: floor((this + offset) / stride).
  Length after(int64_t offset, int64_t stride) const;
};

/// A name in `#nn.dims` as the product that it stands for, outermost first.
llvm::SmallVector<Length> parseProduct(llvm::StringRef name);
std::string printProduct(llvm::ArrayRef<Length> product);

/// The number that a name like "10" is.
std::optional<int64_t> getNumber(llvm::StringRef name);

/// One dimension of a type.
struct Extent {
  int64_t size = mlir::ShapedType::kDynamic;
  mlir::StringAttr name; ///< when dynamic

  Extent(int64_t size) : size(size) {}
  Extent(mlir::StringAttr name) : name(name) {}
  bool isDynamic() const { return static_cast<bool>(name); }
  bool operator==(const Extent &other) const { return size == other.size && name == other.name; }
  bool operator!=(const Extent &other) const { return !(*this == other); }
};

using Extents = llvm::SmallVector<Extent, 6>;

/// The dimensions of a type, outermost first.
Extents getExtents(mlir::RankedTensorType type);

/// The type with these dimensions; the dynamic ones come first.
mlir::RankedTensorType getTensorType(mlir::Type element, llvm::ArrayRef<Extent> extents);

/// How many dimensions, all outermost, are dynamic.
unsigned getDynamicRank(mlir::RankedTensorType type);

/// The fixed dimensions.
llvm::ArrayRef<int64_t> getFixedShape(mlir::RankedTensorType type);

/// The number of elements for one unit of every dynamic dimension.
int64_t getFixedSize(mlir::RankedTensorType type);

/// The number of elements that a type takes in memory for one unit of every dynamic
/// dimension, what pads its panels included.
int64_t getStoredSize(mlir::RankedTensorType type);

/// Whether the batch is one of the dimensions.
bool isBatched(mlir::RankedTensorType type);

/// "[T, batch, 64]", for messages.
std::string describe(mlir::RankedTensorType type);

} // namespace nnc::nn

#endif // NNC_COMPILER_DIALECT_SHAPE_H
