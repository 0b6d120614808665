//===- PrefetchWeights.cpp - Ask for weights before they are needed -------===//
//
// Several tiles pass over each slice of a weight. The first has to wait for memory, the others
// find the slice in L1, and memory waits for them. So each pass asks for its share of the slice
// that comes next:
//
//   for slice
//     for pass
//       for step in slice
//         prefetch(next slice[line (pass * steps + step) * lines / passes])
//         acc += x[step] * slice[step]
//
// Weights in panels lie in the order in which they are read, so that the next slice is what
// follows this one in memory, and after a network's last slice of a weight the next weight.
// The lines go to L2 (compiler/emit/PrefetchHints.cpp): two slices are more than L1 holds.
//
// 40 layers of 3x3 on 14 by 14 pixels, 256 channels, by Winograd's algorithm, whose 377 MB of
// weights come from memory: 36.7 ms of a Xeon's core for 56.2 (L2 2 MB, memory 15 GB/s; the
// multiply-adds alone take 25). Lines that go to L1: 38.9. The same lines, asked for by each
// pass, gain 3 to 8 %: the first pass asks for all, faster than they come.
//
//===----------------------------------------------------------------------===//

#include "targets/Lets.h"
#include "targets/x86/LoweredCode.h"
#include "targets/x86/Prefetch.h"

#include <algorithm>
#include <optional>
#include <set>

namespace nnc::targets::x86 {

namespace internal = Halide::Internal;
using Halide::Expr;

namespace {

/// Bits of the part of a line that a step asks for, and the lines of a slice of which a number of 32 bits can tell.
constexpr int rateBits = 16;
constexpr int64_t mostLines = int64_t(1) << (31 - rateBits);

/// The name of the buffer that a Func reads.
class FindBuffer final : public internal::IRVisitor {
public:
  std::string name;

protected:
  using internal::IRVisitor::visit;
  void visit(const internal::Call *op) override {
    if (op->call_type == internal::Call::Image)
      name = op->name;
    internal::IRVisitor::visit(op);
  }
};

/// The first element of each vector that is loaded of a buffer.
class FindLoads final : public VisitorWithLets {
public:
  explicit FindLoads(const std::string &buffer) : buffer(buffer) {}
  std::vector<Expr> starts;

protected:
  using VisitorWithLets::visit;
  void visit(const internal::Load *op) override {
    VisitorWithLets::visit(op);
    auto vector = op->index.as<internal::Ramp>();
    if (op->name == buffer && vector && internal::is_const_one(vector->stride))
      starts.push_back(lets.expand(vector->base));
  }

private:
  const std::string &buffer;
};

/// A slice, of which a step of the innermost loop reads some lines.
struct Slice {
  Expr start;          ///< its first element
  Expr step, pass;     ///< at which the loops are
  int64_t steps = 1;   ///< of the slice
  Expr passes = 1;     ///< over the slice
  int64_t lines = 0;   ///< that a step reads
  bool goesOn = false; ///< whether there is a next one
};

class PrefetchWeights final : public internal::IRMutator {
public:
  explicit PrefetchWeights(std::string buffer) : buffer(std::move(buffer)) {}

protected:
  using internal::IRMutator::visit;

  internal::Stmt visit(const internal::LetStmt *op) override {
    lets.push(op->name, op->value);
    internal::Stmt result = internal::IRMutator::visit(op);
    lets.pop();
    return result;
  }

  internal::Stmt visit(const internal::For *op) override {
    loops.push_back(op);
    internal::Stmt result = isInnermost(*op) ? askIn(*op) : internal::IRMutator::visit(op);
    loops.pop_back();
    return result;
  }

private:
  /// What the innermost of the open loops reads.
  std::optional<Slice> findSlice() const {
    FindLoads loads(buffer);
    loops.back()->body.accept(&loads);
    if (loads.starts.empty())
      return std::nullopt;
    Slice slice;
    std::set<int64_t> lines; // from the first vector's on
    for (const Expr &start : loads.starts) {
      std::optional<int64_t> distance = internal::as_const_int(internal::simplify(start - loads.starts.front()));
      if (!distance)
        return std::nullopt;
      lines.insert(*distance / lineFloats);
    }
    slice.lines = static_cast<int64_t>(lines.size());
    slice.start = lets.expand(loads.starts.front());
    slice.step = slice.pass = 0;

    size_t open = loops.size();
    auto isRead = [&] { return internal::expr_uses_var(slice.start, loops[open - 1]->name); };
    for (; open > 0 && isRead(); --open) {
      const internal::For &loop = *loops[open - 1];
      std::optional<int64_t> extent = internal::as_const_int(loop.extent);
      if (!extent)
        break;
      slice.step = slice.step + (getVar(loop) - loop.min) * static_cast<int32_t>(slice.steps);
      slice.steps *= *extent;
      slice.start = internal::substitute(loop.name, loop.min, slice.start);
    }
    for (; open > 0 && !isRead() && loops[open - 1]->for_type == internal::ForType::Serial; --open) {
      const internal::For &loop = *loops[open - 1];
      slice.pass = slice.pass + (getVar(loop) - loop.min) * slice.passes;
      slice.passes = slice.passes * loop.extent;
    }
    slice.goesOn = open > 0 && isRead();
    return slice;
  }

  /// The innermost of the open loops, in each step of which lines of the next slice are asked for.
  internal::Stmt askIn(const internal::For &loop) const {
    std::optional<Slice> slice = findSlice();
    if (!slice)
      return &loop;
    Expr passes = internal::simplify(slice->passes);
    int64_t lines = slice->steps * slice->lines;
    if (!slice->goesOn || internal::is_const_one(passes) || lines >= mostLines)
      return &loop;

    std::string rateName = loop.name + ".lines_in_step", firstName = loop.name + ".first_line";
    Expr rate = internal::Variable::make(Halide::Int(32), rateName);
    Expr line = internal::Variable::make(Halide::Int(32), firstName) + ((slice->step * rate) >> rateBits);
    int64_t leastPasses = internal::as_const_int(passes).value_or(2);
    internal::Stmt body = loop.body;
    for (int64_t i = divideCeil(slice->lines, leastPasses); i-- > 0;) {
      Expr index = slice->start + (line + static_cast<int32_t>(lines + i)) * lineFloats;
      body = internal::Block::make(prefetch(buffer, index), body);
    }
    internal::Stmt result = internal::For::make(loop.name, loop.min, loop.extent, loop.for_type, loop.partition_policy,
                                                loop.device_api, body);
    Expr first = internal::simplify(slice->pass * static_cast<int32_t>(lines) / passes);
    Expr inStep = internal::simplify(static_cast<int32_t>(slice->lines << rateBits) / passes);
    result = internal::LetStmt::make(firstName, first, result);
    return internal::LetStmt::make(rateName, inStep, result);
  }

  std::string buffer;
  std::vector<const internal::For *> loops;
  Lets lets;
};

} // namespace

void prefetchWeights(Group &group, const Stage &products) {
  FindBuffer weight;
  for (const auto &[name, function] : internal::build_environment({products.factors.at(1).func.function()}))
    function.accept(&weight);
  if (!weight.name.empty())
    group.passes.push_back(std::make_shared<PrefetchWeights>(weight.name));
}

} // namespace nnc::targets::x86
