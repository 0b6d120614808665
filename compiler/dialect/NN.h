//===- NN.h - The nn dialect ----------------------------------------------===//

#ifndef NNC_COMPILER_DIALECT_NN_H
#define NNC_COMPILER_DIALECT_NN_H

#include "compiler/dialect/Shape.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "compiler/dialect/NNDialect.h.inc"
#include "compiler/dialect/NNEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "compiler/dialect/NNAttributes.h.inc"

namespace nnc::nn {

/// The check behind every ComputeOp: its type is the one that its operands give.
llvm::LogicalResult verifyInferredType(mlir::Operation *op);

/// The shape that an op's result declares, which its operands alone do not give;
/// says so at the op when it declares none.
llvm::FailureOr<mlir::RankedTensorType> getDeclaredType(mlir::Operation *op);

/// The type, in the panels that the op's result declares.
mlir::RankedTensorType inDeclaredPanels(mlir::Operation *op, mlir::RankedTensorType type);

/// A location that also says what the user calls the value that an op there computes.
mlir::Location withName(mlir::Location location, llvm::StringRef name);

/// That name; empty where the user gave none.
llvm::StringRef getName(mlir::Location location);

/// The location without that name.
mlir::Location withoutName(mlir::Location location);

namespace OpTrait {
/// One element of the result from the elements at its place in the operands.
template <typename ConcreteType> class Elementwise : public mlir::OpTrait::TraitBase<ConcreteType, Elementwise> {};

/// Sums over all rows of its operands.
template <typename ConcreteType> class SumsRows : public mlir::OpTrait::TraitBase<ConcreteType, SumsRows> {};
} // namespace OpTrait

} // namespace nnc::nn

#include "compiler/dialect/NNInterfaces.h.inc"

#define GET_OP_CLASSES
#include "compiler/dialect/NNOps.h.inc"

namespace nnc::nn {

/// Makes an op whose result type follows from its operands; the operands must
/// fit.
template <typename OpTy>
OpTy createInferred(mlir::OpBuilder &builder, mlir::Location location, mlir::ValueRange operands,
                    llvm::ArrayRef<mlir::NamedAttribute> attributes = {}) {
  auto unknown = mlir::UnrankedTensorType::get(builder.getF32Type());
  auto op = OpTy::create(builder, location, mlir::TypeRange(unknown), operands, attributes);
  op->getResult(0).setType(*op.inferType());
  return op;
}

/// The value whose elements a chain of reshapes shows.
mlir::Value getRoot(mlir::Value value);

/// Steps of the windows in which a train block goes through sequences, by what `nn.train` says of it; 0: whole
/// sequences.
int64_t getWindowLength(mlir::DictionaryAttr train);

/// A weight's or result's type, which is ranked after InferShapes.
inline mlir::RankedTensorType getType(mlir::Value value) { return llvm::cast<mlir::RankedTensorType>(value.getType()); }

} // namespace nnc::nn

#endif // NNC_COMPILER_DIALECT_NN_H
