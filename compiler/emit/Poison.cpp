//===- Poison.cpp - What a kernel may touch, for AddressSanitizer ---------===//
//
// The values of a network lie side by side in few blocks of memory, so that a
// kernel that leaves one of them meets another, not a red zone. In a sanitized
// library all blocks are poisoned while a kernel runs, but for its operands.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/Body.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::emit;

static constexpr StringLiteral poison = "__asan_poison_memory_region", unpoison = "__asan_unpoison_memory_region";

/// Calls one of the sanitizer's functions for a stretch of memory.
void BodyEmitter::setPoison(StringRef function, Value begin, Value bytes) {
  auto callee =
      builder.getFunction(context.module, function, builder.voidType(), {builder.pointerType(), builder.getI64Type()});
  LLVM::CallOp::create(builder, callee, ValueRange{begin, bytes});
}

/// The address and the bytes of each block: workspace, weights, prepared values,
/// states; in training the gradients and what the optimizer keeps.
void BodyEmitter::findMemories() {
  if (workspaceBytes)
    memories.emplace_back(getField(FrameField::Workspace), workspaceBytes);
  auto addFixed = [&](FrameField field, int64_t bytes) {
    if (bytes > 0)
      memories.emplace_back(getField(field), inEntry([&] { return builder.i64(bytes); }));
  };
  addFixed(FrameField::Weights, context.interface.weightsBytes);
  addFixed(FrameField::Prepared, context.interface.preparedBytes);
  if (!context.interface.states.empty()) {
    Value state = getField(FrameField::State);
    memories.emplace_back(state, inEntry([&] { return getStateOffset(context.interface.states, /*state=*/nullptr); }));
  }
  for (const Train &train : context.interface.trains) {
    bool isUpdate = train.update >= 0 && context.interface.functions[train.update].op == function;
    if (isUpdate || context.interface.functions[train.gradients].op == function)
      addFixed(FrameField::Gradients, context.interface.weightsBytes);
    if (isUpdate)
      addFixed(FrameField::Slots, train.getSlotCount() * context.interface.trainableBytes);
  }
}

/// Hides everything but what a kernel is given. The caller's inputs are in none of
/// the blocks: of them everything stays as hidden as the caller made it.
void BodyEmitter::hideMemory(nn::LaunchOp launch, ArrayRef<Value> pointers) {
  if (memories.empty())
    findMemories();
  for (auto [begin, bytes] : memories)
    setPoison(poison, begin, bytes);
  SmallVector<Value> values(launch.getInputs());
  llvm::append_range(values, launch.getResults());
  Block *entry = &function.getBody().front();
  for (auto [value, pointer] : llvm::zip_equal(values, pointers)) {
    auto argument = dyn_cast<BlockArgument>(nn::getRoot(value));
    if (!argument || argument.getOwner() != entry)
      setPoison(unpoison, pointer, lengths->getBytes(nn::getType(value)));
  }
}

void BodyEmitter::showMemory() {
  for (auto [begin, bytes] : memories)
    setPoison(unpoison, begin, bytes);
}
