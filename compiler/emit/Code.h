//===- Code.h - Shorthand for the LLVM dialect ----------------------------===//
//
// What entry functions are written with: numbers, memory by byte offset, the
// structures of runtime/include/nnc/network.h, lengths by name.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_COMPILER_EMIT_CODE_H
#define NNC_COMPILER_EMIT_CODE_H

#include "compiler/emit/Interface.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace nnc::emit {

/// A builder of LLVM dialect code. Offsets and lengths are i64.
class CodeBuilder : public mlir::ImplicitLocOpBuilder {
public:
  explicit CodeBuilder(mlir::Location location) : ImplicitLocOpBuilder(location, location.getContext()) {}

  mlir::Type pointerType() { return mlir::LLVM::LLVMPointerType::get(getContext()); }
  mlir::Type voidType() { return mlir::LLVM::LLVMVoidType::get(getContext()); }

  mlir::Value i64(int64_t value) { return mlir::LLVM::ConstantOp::create(*this, getI64Type(), value); }
  mlir::Value i32(int32_t value) { return mlir::LLVM::ConstantOp::create(*this, getI32Type(), value); }
  mlir::Value null() { return mlir::LLVM::ZeroOp::create(*this, pointerType()); }

  mlir::Value add(mlir::Value a, mlir::Value b) { return mlir::LLVM::AddOp::create(*this, a, b); }
  mlir::Value sub(mlir::Value a, mlir::Value b) { return mlir::LLVM::SubOp::create(*this, a, b); }
  mlir::Value mul(mlir::Value a, mlir::Value b) { return mlir::LLVM::MulOp::create(*this, a, b); }
  mlir::Value max(mlir::Value a, mlir::Value b) { return mlir::LLVM::SMaxOp::create(*this, a, b); }
  /// value * factor, without code when the factor is 1.
  mlir::Value scale(mlir::Value value, int64_t factor) { return factor == 1 ? value : mul(value, i64(factor)); }
  mlir::Value compare(mlir::LLVM::ICmpPredicate predicate, mlir::Value a, mlir::Value b) {
    return mlir::LLVM::ICmpOp::create(*this, predicate, a, b);
  }
  mlir::Value narrow(mlir::Value value) { return mlir::LLVM::TruncOp::create(*this, getI32Type(), value); }
  /// The next multiple of the memory's alignment.
  mlir::Value align(mlir::Value bytes);

  /// The address so many bytes after another.
  mlir::Value at(mlir::Value address, mlir::Value bytes);
  mlir::Value at(mlir::Value address, int64_t bytes);
  mlir::Value load(mlir::Type type, mlir::Value address) { return mlir::LLVM::LoadOp::create(*this, type, address); }
  void store(mlir::Value value, mlir::Value address) { mlir::LLVM::StoreOp::create(*this, value, address); }
  void copy(mlir::Value to, mlir::Value from, mlir::Value bytes) {
    mlir::LLVM::MemcpyOp::create(*this, to, from, bytes, /*isVolatile=*/false);
  }
  /// Room in the function's frame; to be called in its entry block.
  mlir::Value reserve(int64_t bytes, unsigned alignment = 8);

  /// A function declared or defined in the module, once.
  mlir::LLVM::LLVMFuncOp getFunction(mlir::ModuleOp module, llvm::StringRef name, mlir::Type result,
                                     llvm::ArrayRef<mlir::Type> arguments);
};

/// Positions of pointers and numbers in a nnc_frame; each takes eight bytes.
enum class FrameField {
  Workspace,
  Weights,
  Prepared,
  State,
  Arguments,
  Dims,
  Offsets,
  Ragged,
  Tasks,
  Isa,
  Gradients,
  Slots,
  Seed,
  Room
};

/// Lengths at run time, by name. Code for each length is written once.
class Lengths {
public:
  /// `dims` is the array of the batch and the free dimensions' lengths. Code is
  /// added before `terminator`, which all users are dominated by.
  Lengths(const Interface &interface, mlir::Value dims, mlir::Operation *terminator)
      : interface(interface), dims(dims), terminator(terminator) {}

  /// The value of a product such as "T*batch", "(T-4)/2" or "10".
  mlir::Value getProduct(llvm::StringRef product);

  /// The bytes of a value.
  mlir::Value getBytes(mlir::RankedTensorType type);

private:
  mlir::Value getLength(CodeBuilder &builder, const nn::Length &length);

  const Interface &interface;
  mlir::Value dims;
  mlir::Operation *terminator;
  llvm::StringMap<mlir::Value> known;
};

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_CODE_H
