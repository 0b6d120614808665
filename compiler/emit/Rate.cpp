//===- Rate.cpp - The rate of a step as a function ------------------------===//

#include "compiler/emit/Entry.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::emit;

namespace {

/// Computes an expression in postfix on a stack of values.
class RateEmitter {
public:
  RateEmitter(CodeBuilder &builder, Value step, Value epoch) : builder(builder), step(step), epoch(epoch) {}

  Value emit(ArrayAttr postfix) {
    for (Attribute term : postfix)
      stack.push_back(emitTerm(term));
    assert(stack.size() == 1 && "the importer writes whole expressions");
    return stack.pop_back_val();
  }

private:
  Value emitTerm(Attribute term) {
    if (auto number = dyn_cast<FloatAttr>(term))
      return LLVM::ConstantOp::create(builder, builder.getF64Type(), number);
    StringRef name = cast<StringAttr>(term).getValue();
    if (name == "step" || name == "epoch")
      return name == "step" ? step : epoch;
    Value right = stack.pop_back_val();
    if (name == "neg")
      return LLVM::FNegOp::create(builder, right);
    if (name == "exp")
      return LLVM::ExpOp::create(builder, right);
    if (name == "log")
      return LLVM::LogOp::create(builder, right);
    if (name == "sqrt")
      return LLVM::SqrtOp::create(builder, right);
    if (name == "cos")
      return LLVM::CosOp::create(builder, right);
    Value left = stack.pop_back_val();
    if (name == "select")
      return LLVM::SelectOp::create(builder, stack.pop_back_val(), left, right);
    if (name == "add")
      return LLVM::FAddOp::create(builder, left, right);
    if (name == "sub")
      return LLVM::FSubOp::create(builder, left, right);
    if (name == "mul")
      return LLVM::FMulOp::create(builder, left, right);
    if (name == "div")
      return LLVM::FDivOp::create(builder, left, right);
    if (name == "pow")
      return LLVM::PowOp::create(builder, left, right);
    if (name == "min" || name == "max") {
      Value isLess = LLVM::FCmpOp::create(builder, LLVM::FCmpPredicate::olt, left, right);
      return LLVM::SelectOp::create(builder, isLess, name == "min" ? left : right, name == "min" ? right : left);
    }
    LLVM::FCmpPredicate predicate = llvm::StringSwitch<LLVM::FCmpPredicate>(name)
                                        .Case("less", LLVM::FCmpPredicate::olt)
                                        .Case("less_equal", LLVM::FCmpPredicate::ole)
                                        .Case("equal", LLVM::FCmpPredicate::oeq);
    return LLVM::FCmpOp::create(builder, predicate, left, right);
  }

  CodeBuilder &builder;
  Value step, epoch;
  SmallVector<Value> stack;
};

} // namespace

LLVM::LLVMFuncOp emit::emitRate(EntryContext &context, const Train &train) {
  CodeBuilder builder(context.interface.functions[train.gradients].op->getLoc());
  Type f64 = builder.getF64Type();
  auto result =
      builder.getFunction(context.module, context.interface.name + "_" + train.name + "_rate", f64, {f64, f64});
  result.setLinkage(LLVM::Linkage::Internal);
  builder.setInsertionPointToEnd(result.addEntryBlock(builder));
  Value rate =
      RateEmitter(builder, result.getArgument(0), result.getArgument(1)).emit(train.settings.getAs<ArrayAttr>("rate"));
  LLVM::ReturnOp::create(builder, rate);
  return result;
}
