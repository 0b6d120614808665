//===- LoweredCode.h - What passes over lowered code share ----------------===//

#ifndef NNC_TARGETS_X86_LOWEREDCODE_H
#define NNC_TARGETS_X86_LOWEREDCODE_H

#include <Halide.h>

#include <string>

namespace nnc::targets::x86 {

/// Floats in a line of a cache.
inline constexpr int lineFloats = 16;

/// A request for the line of an element.
inline Halide::Internal::Stmt prefetch(const std::string &buffer, const Halide::Expr &index) {
  namespace internal = Halide::Internal;
  Halide::Expr start = internal::Variable::make(Halide::Handle(), buffer);
  return internal::Evaluate::make(internal::Call::make(Halide::Float(32), internal::Call::prefetch,
                                                       {start, internal::simplify(index), 1, 1},
                                                       internal::Call::Intrinsic));
}

/// The same loop with another body.
inline Halide::Internal::Stmt replaceBody(const Halide::Internal::For &loop, const Halide::Internal::Stmt &body) {
  namespace internal = Halide::Internal;
  return internal::For::make(loop.name, loop.min, loop.extent, loop.for_type, loop.partition_policy, loop.device_api,
                             body);
}

/// The variable of a loop.
inline Halide::Expr getVar(const Halide::Internal::For &loop) {
  return Halide::Internal::Variable::make(Halide::Int(32), loop.name);
}

/// Whether a loop has no other one inside.
inline bool isInnermost(const Halide::Internal::For &loop) {
  class FindLoop final : public Halide::Internal::IRVisitor {
  public:
    bool found = false;

  protected:
    using Halide::Internal::IRVisitor::visit;
    void visit(const Halide::Internal::For *) override { found = true; }
  } inner;
  loop.body.accept(&inner);
  return !inner.found;
}

/// The Func to which a loop's steps add, whose first update it is of; none where they define one.
inline std::string getUpdatedFunc(const Halide::Internal::For &loop) {
  size_t end = loop.name.find(".s1.");
  return end == std::string::npos ? std::string() : loop.name.substr(0, end);
}

} // namespace nnc::targets::x86

#endif // NNC_TARGETS_X86_LOWEREDCODE_H
