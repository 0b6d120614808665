//===- Api.cpp - The functions of the C header ----------------------------===//
//
// compiler/emit/Header.cpp declares what is defined here: parameters come in the
// same order.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/Api.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::emit;

namespace {

class ApiEmitter {
public:
  ApiEmitter(ModuleOp module, const Interface &interface)
      : module(module), interface(interface), builder(module.getLoc()), pointer(builder.pointerType()),
        i64(builder.getI64Type()), i32(builder.getI32Type()) {}

  void emit() {
    forward("create", i32, {pointer, pointer}, "nnc_model_create", /*withNetwork=*/true);
    forward("destroy", builder.voidType(), {pointer}, "nnc_model_destroy");
    emitContextCreate("context_create", "nnc_context_create");
    forward("context_destroy", builder.voidType(), {pointer}, "nnc_context_destroy");
    for (auto [index, function] : llvm::enumerate(interface.functions))
      if (function.kind == FunctionKind::Infer || function.isStep())
        emitCall(function.name, function, "nnc_run", index);
    if (interface.reset)
      forward("reset", i32, {pointer}, "nnc_context_reset");
    if (!interface.trains.empty())
      emitContextCreate("training_create", "nnc_training_create");
    for (auto [index, train] : llvm::enumerate(interface.trains))
      emitTrain(train, index);
  }

private:
  /// Begins a function of the library.
  LLVM::LLVMFuncOp begin(StringRef name, Type result, ArrayRef<Type> parameters) {
    auto function = builder.getFunction(module, (interface.name + "_" + name).str(), result, parameters);
    builder.setInsertionPointToEnd(function.addEntryBlock(builder));
    return function;
  }

  /// Ends a function with what one of the runtime's gives for these operands.
  void end(StringRef callee, Type result, ValueRange operands) {
    auto function = builder.getFunction(module, callee, result, llvm::to_vector(operands.getTypes()));
    auto call = LLVM::CallOp::create(builder, function, operands);
    LLVM::ReturnOp::create(builder, call.getResults());
  }

  /// A function that hands its parameters on, behind the network where asked.
  void forward(StringRef name, Type result, ArrayRef<Type> parameters, StringRef callee, bool withNetwork = false) {
    auto function = begin(name, result, parameters);
    SmallVector<Value> operands;
    if (withNetwork)
      operands.push_back(LLVM::AddressOfOp::create(builder, pointer, interface.name + "_network"));
    llvm::append_range(operands, function.getArguments());
    end(callee, result, operands);
  }

  /// An array in the function's frame; null when it is empty.
  Value pack(ArrayRef<Value> values) {
    if (values.empty())
      return builder.null();
    Value array = builder.reserve(8 * values.size());
    for (auto [index, value] : llvm::enumerate(values))
      builder.store(value, builder.at(array, 8 * index));
    return array;
  }

  void emitContextCreate(StringRef name, StringRef callee) {
    SmallVector<Type> parameters{pointer, i64};
    parameters.append(interface.freeDims.size(), i64);
    parameters.push_back(pointer);
    auto function = begin(name, i32, parameters);
    auto arguments = function.getArguments();
    SmallVector<Value> lengths(arguments.drop_front(2).drop_back());
    end(callee, i32, {arguments[0], builder.null(), arguments[1], pack(lengths), arguments.back()});
  }

  /// Calls `callee` with the context, the index of what is called, whether to
  /// accumulate where that is asked for, the batch and the arrays.
  void emitCall(StringRef name, const Function &function, StringRef callee, int32_t index, bool accumulates = false) {
    SmallVector<Type> parameters{pointer};
    if (accumulates)
      parameters.push_back(i32);
    parameters.push_back(i64);
    if (!function.isStep())
      for (size_t dim = 0; dim < interface.freeDims.size(); ++dim)
        parameters.append({i64, pointer});
    parameters.append(function.arguments.size(), pointer);
    auto op = begin(name, i32, parameters);
    auto arguments = op.getArguments();
    SmallVector<Value> operands{arguments[0], builder.i32(index)};
    llvm::append_range(operands, arguments.slice(1, accumulates ? 2 : 1));

    SmallVector<Value> lengths, ragged;
    auto rest = arguments.drop_front(accumulates ? 3 : 2);
    for (size_t dim = 0; dim < interface.freeDims.size(); ++dim) {
      lengths.push_back(function.isStep() ? builder.i64(1) : rest[0]);
      ragged.push_back(function.isStep() ? builder.null() : rest[1]);
      if (!function.isStep())
        rest = rest.drop_front(2);
    }
    SmallVector<Value> buffers(rest);
    operands.append({pack(lengths), pack(ragged), pack(buffers)});
    end(callee, i32, operands);
  }

  void emitTrain(const Train &train, int32_t index) {
    const Function &gradients = interface.functions[train.gradients];
    emitCall(train.name + "_step", gradients, "nnc_train_step", index);
    emitCall(train.name + "_gradients", gradients, "nnc_train_gradients", index, /*accumulates=*/true);
    auto function = begin(train.name + "_update", i32, {pointer});
    end("nnc_train_update", i32, {function.getArgument(0), builder.i32(index)});
    if (train.flow >= 0)
      emitCall(train.name + "_flow", interface.functions[train.flow], "nnc_gradient_flow", index);
  }

  ModuleOp module;
  const Interface &interface;
  CodeBuilder builder;
  Type pointer, i64, i32;
};

} // namespace

void emit::emitApi(ModuleOp module, const Interface &interface) { ApiEmitter(module, interface).emit(); }
