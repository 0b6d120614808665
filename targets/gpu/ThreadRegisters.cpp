//===- ThreadRegisters.cpp - A block's values in its threads' registers ---===//
//
// In lowered code, the place of an element is that of its thread's part, which depends on
// the numbers of the thread, and a constant within the part:
//
//   sums[(thread_y * 64 + thread_x) * 8 + 64]   becomes   sums[64]
//
// The first term must be the same wherever the Func is read or written, so that parts do
// not mix.
//
//===----------------------------------------------------------------------===//

#include "targets/gpu/ThreadRegisters.h"

#include "targets/Lets.h"

#include <algorithm>
#include <map>
#include <sstream>

namespace nnc::targets::gpu {

namespace {

namespace internal = Halide::Internal;
using Halide::Expr;

class KeepInRegisters final : public internal::IRMutator {
public:
  explicit KeepInRegisters(std::string func) : func(std::move(func)) {}

protected:
  using internal::IRMutator::visit;

  internal::Stmt visit(const internal::LetStmt *op) override { return visitLet<internal::Stmt>(op); }
  Expr visit(const internal::Let *op) override { return visitLet<Expr>(op); }

  internal::Stmt visit(const internal::For *op) override {
    if (op->for_type != internal::ForType::GPUThread)
      return internal::IRMutator::visit(op);
    std::optional<int64_t> extent = internal::as_const_int(op->extent);
    threads.emplace_back(op->name, static_cast<int32_t>(extent.value_or(1024)));
    internal::Stmt loop = internal::IRMutator::visit(op);
    threads.pop_back();
    return loop;
  }

  internal::Stmt visit(const internal::IfThenElse *op) override {
    conditions.push_back(op->condition);
    internal::Stmt thenCase = mutate(op->then_case);
    conditions.pop_back();
    internal::Stmt elseCase = op->else_case.defined() ? mutate(op->else_case) : op->else_case;
    return internal::IfThenElse::make(mutate(op->condition), thenCase, elseCase);
  }

  internal::Stmt visit(const internal::Allocate *op) override {
    if (!isOurs(op->name))
      return internal::IRMutator::visit(op);
    size = 0;
    threadPart = Expr();
    internal::Stmt body = mutate(op->body);
    return internal::Allocate::make(op->name, op->type, op->memory_type, {static_cast<int32_t>(size)}, op->condition,
                                    body);
  }

  Expr visit(const internal::Load *op) override {
    if (!isOurs(op->name))
      return internal::IRMutator::visit(op);
    return internal::Load::make(op->type, op->name, findInPart(op->index), op->image, op->param, mutate(op->predicate),
                                internal::ModulusRemainder());
  }

  internal::Stmt visit(const internal::Store *op) override {
    if (!isOurs(op->name))
      return internal::IRMutator::visit(op);
    Expr value = mutate(op->value);
    return internal::Store::make(op->name, value, findInPart(op->index), op->param, mutate(op->predicate),
                                 internal::ModulusRemainder());
  }

private:
  template <typename Result, typename Op> Result visitLet(const Op *op) {
    lets.push(op->name, op->value);
    Result result = internal::IRMutator::visit(op);
    lets.pop();
    return result;
  }

  /// Halide numbers what it stores of a Func.
  bool isOurs(const std::string &name) const { return name == func || name.rfind(func + ".", 0) == 0; }

  [[noreturn]] void fail(const Expr &index) const {
    std::ostringstream os;
    os << func << '[' << internal::simplify(index) << "] is not of one thread alone, whose part begins at "
       << threadPart;
    throw Halide::InternalError(os.str());
  }

  /// Where an element lies in its thread's part.
  Expr findInPart(const Expr &stored) {
    Expr index = lets.expand(stored), first = index;
    for (const auto &[name, extent] : threads)
      first = internal::substitute(name, 0, first);
    first = internal::simplify(first);
    auto vector = first.as<internal::Ramp>();
    std::optional<int64_t> place = internal::as_const_int(vector ? vector->base : first);
    Expr part = internal::simplify(index - first);
    if (auto same = part.as<internal::Broadcast>())
      part = same->value;
    if (!threadPart.defined())
      threadPart = part;
    if (!place || *place < 0 || (vector && !internal::is_const_one(vector->stride)) || !isThreadPart(part))
      fail(index);
    size = std::max(size, *place + (vector ? vector->lanes : 1));
    return first;
  }

  /// Whether `part` is where the part of each thread begins that comes here. Of threads whose number in one dimension
  /// is 0, as a condition says, Halide leaves that out; and it writes one number in several ways.
  bool isThreadPart(const Expr &part) const {
    if (internal::can_prove(part == threadPart))
      return true;
    std::map<std::string, Expr> thread;
    return isThreadPart(part, thread);
  }

  /// The same of the threads with these numbers in the first dimensions.
  bool isThreadPart(const Expr &part, std::map<std::string, Expr> &thread) const {
    auto at = [&](const Expr &value) { return internal::simplify(internal::substitute(thread, value)); };
    if (thread.size() == threads.size())
      return internal::is_const_zero(at(part - threadPart)) ||
             std::any_of(conditions.begin(), conditions.end(),
                         [&](const Expr &condition) { return internal::is_const_zero(at(lets.expand(condition))); });
    const auto &[name, extent] = threads[thread.size()];
    bool isSame = true;
    for (int32_t number = 0; number < extent && isSame; ++number) {
      thread[name] = number;
      isSame = isThreadPart(part, thread);
    }
    thread.erase(name);
    return isSame;
  }

  std::string func;
  Lets lets;
  std::vector<Expr> conditions;                         ///< that hold
  std::vector<std::pair<std::string, int32_t>> threads; ///< loops over threads, and their steps
  Expr threadPart;                                      ///< where the part of a thread begins
  int64_t size = 0;                                     ///< of a part
};

} // namespace

std::shared_ptr<internal::IRMutator> keepInRegisters(const Halide::Func &func) {
  return std::make_shared<KeepInRegisters>(func.name());
}

} // namespace nnc::targets::gpu
