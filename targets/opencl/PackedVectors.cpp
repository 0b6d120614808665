//===- PackedVectors.cpp - Vectors of three in OpenCL's memory ------------===//
//
// Of four lanes of which two are the same element, as at the end of a row of three, Halide
// reads three and repeats one. Where it knows that the first one's place is a multiple of the
// lanes, it has OpenCL index an array of such vectors:
//
//   float3 row = ((__global float3 *)rows)[place / 3];   but sizeof(float3) is sizeof(float4)
//   float3 row = vload3(0, rows + place);                three floats, what is right
//
// It writes the second where it knows nothing of the place, which is what this pass says.
//
//===----------------------------------------------------------------------===//

#include "targets/opencl/PackedVectors.h"

namespace nnc::targets {

namespace {

namespace internal = Halide::Internal;

class PackVectors final : public internal::IRMutator {
protected:
  using internal::IRMutator::visit;

  Halide::Expr visit(const internal::Load *op) override {
    if (isPowerOfTwo(op->type.lanes()))
      return internal::IRMutator::visit(op);
    return internal::Load::make(op->type, op->name, mutate(op->index), op->image, op->param, mutate(op->predicate),
                                internal::ModulusRemainder());
  }

  internal::Stmt visit(const internal::Store *op) override {
    if (isPowerOfTwo(op->value.type().lanes()))
      return internal::IRMutator::visit(op);
    return internal::Store::make(op->name, mutate(op->value), mutate(op->index), op->param, mutate(op->predicate),
                                 internal::ModulusRemainder());
  }

private:
  static bool isPowerOfTwo(int lanes) { return (lanes & (lanes - 1)) == 0; }
};

} // namespace

std::shared_ptr<internal::IRMutator> packVectors() { return std::make_shared<PackVectors>(); }

} // namespace nnc::targets
