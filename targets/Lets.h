//===- Lets.h - What names stand for in lowered code ----------------------===//

#ifndef NNC_TARGETS_LETS_H
#define NNC_TARGETS_LETS_H

#include <Halide.h>

#include <string>
#include <utility>
#include <vector>

namespace nnc::targets {

/// The values of the lets around a place in lowered code, the innermost last.
class Lets {
public:
  void push(const std::string &name, const Halide::Expr &value) { lets.emplace_back(name, value); }
  void pop() { lets.pop_back(); }

  /// A value with what its names stand for.
  Halide::Expr expand(Halide::Expr value) const {
    for (size_t i = lets.size(); i-- > 0;)
      value = Halide::Internal::substitute(lets[i].first, lets[i].second, value);
    return value;
  }

private:
  std::vector<std::pair<std::string, Halide::Expr>> lets;
};

/// Visits code with the lets around each place.
class VisitorWithLets : public Halide::Internal::IRVisitor {
protected:
  using Halide::Internal::IRVisitor::visit;
  void visit(const Halide::Internal::Let *op) override { visitLet(op); }
  void visit(const Halide::Internal::LetStmt *op) override { visitLet(op); }

  Lets lets;

private:
  template <typename Op> void visitLet(const Op *op) {
    op->value.accept(this);
    lets.push(op->name, op->value);
    op->body.accept(this);
    lets.pop();
  }
};

} // namespace nnc::targets

#endif // NNC_TARGETS_LETS_H
