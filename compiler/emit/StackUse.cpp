//===- StackUse.cpp - How much of the stack a kernel takes ----------------===//
//
// Of what is allocated where another buffer still lives both are on the stack; of what is allocated one after the other
// the larger, since Halide's code generator uses such places again.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/StackUse.h"

#include <algorithm>

using namespace nnc::emit;

namespace internal = Halide::Internal;

/// Bytes up to which Halide puts a buffer of fixed size on the stack without being told to.
static constexpr int64_t implicitStackBytes = 16 << 10;

namespace {

class StackCounter final : public internal::IRVisitor {
public:
  int64_t most = 0;

protected:
  using internal::IRVisitor::visit;

  void visit(const internal::Allocate *op) override {
    int64_t bytes = getStackBytes(*op);
    live += bytes;
    most = std::max(most, live);
    internal::IRVisitor::visit(op);
    live -= bytes;
  }

private:
  static int64_t getStackBytes(const internal::Allocate &op) {
    int64_t bytes = int64_t(op.constant_allocation_size()) * op.type.bytes();
    switch (op.memory_type) {
    case Halide::MemoryType::Stack:
    case Halide::MemoryType::Register:
      return bytes;
    case Halide::MemoryType::Auto:
      return bytes <= implicitStackBytes ? bytes : 0;
    default:
      return 0;
    }
  }

  int64_t live = 0;
};

} // namespace

int64_t nnc::emit::countStackBytes(const Halide::Module &module) {
  int64_t most = 0;
  for (const internal::LoweredFunc &function : module.functions()) {
    StackCounter counter;
    function.body.accept(&counter);
    most = std::max(most, counter.most);
  }
  return most;
}

llvm::Error nnc::emit::checkStackUse(const Halide::Module &module) {
  int64_t bytes = countStackBytes(module);
  if (bytes <= maxStackBytes)
    return llvm::Error::success();
  return llvm::createStringError("needs " + llvm::Twine(bytes) + " bytes of the stack, of which a kernel may have " +
                                 llvm::Twine(maxStackBytes));
}
