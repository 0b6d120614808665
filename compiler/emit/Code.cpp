//===- Code.cpp - Shorthand for the LLVM dialect --------------------------===//

#include "compiler/emit/Code.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::emit;

Value CodeBuilder::align(Value bytes) {
  return LLVM::AndOp::create(*this, add(bytes, i64(memoryAlignment - 1)), i64(-memoryAlignment));
}

Value CodeBuilder::at(Value address, Value bytes) {
  return LLVM::GEPOp::create(*this, pointerType(), getI8Type(), address, ValueRange(bytes));
}

Value CodeBuilder::at(Value address, int64_t bytes) { return bytes == 0 ? address : at(address, i64(bytes)); }

Value CodeBuilder::reserve(int64_t bytes, unsigned alignment) {
  return LLVM::AllocaOp::create(*this, pointerType(), getI8Type(), i64(bytes), alignment);
}

LLVM::LLVMFuncOp CodeBuilder::getFunction(ModuleOp module, StringRef name, Type result, ArrayRef<Type> arguments) {
  if (auto known = module.lookupSymbol<LLVM::LLVMFuncOp>(name))
    return known;
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToEnd(module.getBody());
  return LLVM::LLVMFuncOp::create(*this, name, LLVM::LLVMFunctionType::get(result, arguments));
}

Value Lengths::getLength(CodeBuilder &builder, const nn::Length &length) {
  Value value;
  if (int64_t number; !StringRef(length.symbol).getAsInteger(10, number))
    value = builder.i64(number);
  else
    value = builder.load(builder.getI64Type(), builder.at(dims, 8 * (1 + interface.getFreeDim(length.symbol))));
  // The maximum comes first: for positive strides it is the same, and the
  // division is then one of natural numbers.
  if (length.offset != 0)
    value = builder.max(builder.add(value, builder.i64(length.offset)), builder.i64(0));
  if (length.stride != 1)
    value = LLVM::UDivOp::create(builder, value, builder.i64(length.stride));
  return value;
}

Value Lengths::getProduct(StringRef product) {
  Value &value = known[product];
  if (value)
    return value;
  CodeBuilder builder(terminator->getLoc());
  builder.setInsertionPoint(terminator);
  Value result;
  for (const nn::Length &length : nn::parseProduct(product)) {
    Value factor = getLength(builder, length);
    result = result ? builder.mul(result, factor) : factor;
  }
  return value = result;
}

Value Lengths::getBytes(RankedTensorType type) {
  std::string key = getUnit(type) + " bytes " + std::to_string(getFixedBytes(type));
  if (Value value = known.lookup(key))
    return value;
  Value unit = getProduct(getUnit(type));
  CodeBuilder builder(terminator->getLoc());
  builder.setInsertionPoint(terminator);
  return known[key] = builder.scale(unit, getFixedBytes(type));
}
