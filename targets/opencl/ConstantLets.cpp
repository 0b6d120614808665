//===- ConstantLets.cpp - Conditions that are known, in OpenCL C ----------===//
//
// Whether a stage is needed Halide keeps under a name, even where it always is. Where it writes OpenCL C it puts what
// it prints for a value, "true", in the place of the name as if that were one, too, and prints it as one: "_true".
//
//===----------------------------------------------------------------------===//

#include "targets/opencl/ConstantLets.h"

namespace nnc::targets {

namespace {

namespace internal = Halide::Internal;

class InlineConstantLets final : public internal::IRMutator {
protected:
  using internal::IRMutator::visit;

  internal::Stmt visit(const internal::LetStmt *op) override {
    Halide::Expr value = internal::simplify(op->value);
    if (value.type().is_bool() && internal::is_const(value))
      return mutate(internal::substitute(op->name, value, op->body));
    return internal::IRMutator::visit(op);
  }
};

} // namespace

std::shared_ptr<internal::IRMutator> inlineConstantLets() { return std::make_shared<InlineConstantLets>(); }

} // namespace nnc::targets
