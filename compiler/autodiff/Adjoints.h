//===- Adjoints.h - The cotangents of a block's values --------------------===//
//
// Reverse mode: a block's ops are visited from the last to the first, and each
// says what its operands' cotangents are, given that of its result. A family's
// file says it for the family's ops; nothing here walks.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_COMPILER_AUTODIFF_ADJOINTS_H
#define NNC_COMPILER_AUTODIFF_ADJOINTS_H

#include "compiler/dialect/NN.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

#include <functional>

namespace nnc {

/// The values through which weights that are trained can change a loss: a
/// cotangent is built for no other.
using ActiveValues = llvm::DenseSet<mlir::Value>;

/// The cotangents of the values of one block, and where the ops that compute them
/// go.
class Adjoints {
public:
  Adjoints(mlir::OpBuilder &builder, ActiveValues &active) : builder(builder), active(active) {}
  virtual ~Adjoints() = default;

  /// The value of the forward computation, as code at the builder's place reads it.
  virtual mlir::Value primal(mlir::Value value) { return value; }

  /// Adds to the cotangent of a value of the forward computation, where it has one.
  /// A cotangent of the shape that the value is repeated to is summed.
  virtual void add(mlir::Value value, mlir::Value cotangent);

  /// The cotangent gathered so far, or null.
  mlir::Value get(mlir::Value value) const { return cotangents.lookup(value); }

  /// The same, or zeros.
  mlir::Value getOrZero(mlir::Value value);

  ActiveValues &getActive() { return active; }
  bool isActive(mlir::Value value) const { return active.contains(value); }

  /// One value of the forward computation takes another's place.
  virtual void replace(mlir::Value from, mlir::Value to);

  /// An op with an inferred type, where derivatives are built.
  template <typename OpTy>
  mlir::Value make(mlir::ValueRange operands, llvm::ArrayRef<mlir::NamedAttribute> attributes = {}) {
    return nn::createInferred<OpTy>(builder, location, operands, attributes)->getResult(0);
  }

  /// An op whose type is declared.
  template <typename OpTy>
  mlir::Value makeDeclared(mlir::RankedTensorType type, mlir::ValueRange operands,
                           llvm::ArrayRef<mlir::NamedAttribute> attributes = {}) {
    return OpTy::create(builder, location, mlir::TypeRange(type), operands, attributes)->getResult(0);
  }

  mlir::Value plus(mlir::Value a, mlir::Value b) { return make<nn::AddOp>({a, b}); }
  mlir::Value times(mlir::Value a, mlir::Value b) { return make<nn::MulOp>({a, b}); }
  mlir::Value minus(mlir::Value a, mlir::Value b) { return make<nn::SubOp>({a, b}); }
  mlir::Value over(mlir::Value a, mlir::Value b) { return make<nn::DivOp>({a, b}); }

  /// A number.
  mlir::Value number(double value);

  /// A number everywhere in a shape.
  mlir::Value fill(double value, mlir::RankedTensorType type);

  /// The sum along these axes.
  mlir::Value sum(mlir::Value value, llvm::ArrayRef<int64_t> axes);

  /// The mean along the last dimension.
  mlir::Value meanOfLast(mlir::Value value);

  /// `value`, which lacks these axes of a shape, repeated along them.
  mlir::Value repeat(mlir::Value value, mlir::RankedTensorType type, llvm::ArrayRef<int64_t> axes);

  /// The same along the last dimension.
  mlir::Value repeatLast(mlir::Value value, mlir::RankedTensorType type);

  mlir::NamedAttribute axes(llvm::ArrayRef<int64_t> axes) {
    return builder.getNamedAttr("axes", builder.getDenseI64ArrayAttr(axes));
  }

  mlir::OpBuilder &builder;
  mlir::Location location = builder.getUnknownLoc(); ///< of the op whose derivative is built

protected:
  /// A value's cotangent: an element-wise op repeats what is the end of its shape, and each
  /// repetition counts.
  mlir::Value sumRepetitions(mlir::Value value, mlir::Value cotangent);

  ActiveValues &active;
  llvm::DenseMap<mlir::Value, mlir::Value> cotangents;
};

} // namespace nnc

#endif // NNC_COMPILER_AUTODIFF_ADJOINTS_H
