//===- TrimTiles.cpp - The last tile has few rows that are not there -------===//
//
// The rows of a block are known only at the call, and seldom a multiple of a tile's:
//
//   for tile of rows
//     for step                                      the registers of all rows
//       acc[0] += …
//       if row 1 is there: acc[1] += …
//         if row 2 is there: acc[2] += …
//
// The loop over steps becomes several, for 1, 2, 4, … and all rows, of which the least that has
// the rows runs. What it computes beyond them is stored where nothing reads it.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/LoweredCode.h"
#include "targets/x86/RegisterTile.h"

#include <algorithm>
#include <set>

namespace nnc::targets::x86 {

namespace internal = Halide::Internal;
using Halide::Expr;

namespace {

/// The conditions of ifs that are one in the other, the outermost first, in all places the same, and known before the
/// code that has them.
class FindConditions final : public internal::IRVisitor {
public:
  std::vector<Expr> conditions;
  bool areNested = true, areKnown = true;

  explicit FindConditions(const internal::For &loop) : own{loop.name} { loop.body.accept(this); }

protected:
  using internal::IRVisitor::visit;
  void visit(const internal::LetStmt *op) override {
    own.insert(op->name);
    internal::IRVisitor::visit(op);
  }
  void visit(const internal::IfThenElse *op) override {
    if (depth == conditions.size())
      conditions.push_back(op->condition);
    areNested = areNested && !op->else_case.defined() && internal::equal(conditions[depth], op->condition);
    for (const std::string &name : own)
      areKnown = areKnown && !internal::expr_uses_var(op->condition, name);
    ++depth;
    op->then_case.accept(this);
    --depth;
  }

private:
  size_t depth = 0;
  std::set<std::string> own; // names in the loop
};

/// Code in which so many of the nested conditions hold, and no others.
class Assume final : public internal::IRMutator {
public:
  explicit Assume(size_t count) : count(count) {}

protected:
  using internal::IRMutator::visit;
  internal::Stmt visit(const internal::IfThenElse *op) override {
    if (depth == count)
      return internal::Evaluate::make(0);
    ++depth;
    internal::Stmt result = mutate(op->then_case);
    --depth;
    return result;
  }

private:
  size_t count, depth = 0;
};

class TrimTiles final : public internal::IRMutator {
protected:
  using internal::IRMutator::visit;
  internal::Stmt visit(const internal::For *op) override {
    if (!isInnermost(*op))
      return internal::IRMutator::visit(op);
    if (getUpdatedFunc(*op).empty())
      return op;
    FindConditions find(*op);
    const std::vector<Expr> &conditions = find.conditions;
    if (conditions.empty() || !find.areNested || !find.areKnown)
      return op;

    // The condition after so many says that there is one more row.
    size_t rows = 1, most = conditions.size() + 1;
    internal::Stmt result = computeRows(*op, rows);
    while (rows < most) {
      size_t more = std::min(2 * rows, most);
      result = internal::IfThenElse::make(conditions[rows - 1], computeRows(*op, more), result);
      rows = more;
    }
    return result;
  }

private:
  static internal::Stmt computeRows(const internal::For &loop, size_t rows) {
    return replaceBody(loop, Assume(rows - 1).mutate(loop.body));
  }
};

} // namespace

void trimTiles(Group &group) { group.passes.push_back(std::make_shared<TrimTiles>()); }

} // namespace nnc::targets::x86
