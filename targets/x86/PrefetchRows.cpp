//===- PrefetchRows.cpp - Rows that are asked for while others are multiplied -===//
//
//   for slice, tile                                 of a product
//     for row in this pass's share
//       prefetch(a[row], b[row])
//     for step in slice: acc += x[step] * slice[step]
//
// Requests for all rows at once, before the product, gain half of that.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/PrefetchRows.h"

#include "targets/Lets.h"
#include "targets/x86/LoweredCode.h"

#include <algorithm>
#include <optional>

namespace nnc::targets::x86 {

namespace internal = Halide::Internal;
using Halide::Expr;

bool Nest::isRectangular() const {
  return std::all_of(rows.begin(), rows.end(), [&](const RowLoop &loop) {
    return std::none_of(rows.begin(), rows.end(),
                        [&](const RowLoop &outer) { return internal::expr_uses_var(loop.extent, outer.name); });
  });
}

namespace {

/// Finds what code reads and writes of memory that is not its own: where it makes these Funcs, or everywhere else.
class FindLines final : public VisitorWithLets {
public:
  FindLines(const std::set<std::string> &funcs, bool inside) : funcs(funcs), inside(inside) {}

  std::vector<Nest> nests;

protected:
  using VisitorWithLets::visit;

  void visit(const internal::ProducerConsumer *op) override {
    bool makes = op->is_producer && funcs.count(op->name) != 0;
    if (makes && !inside)
      return;
    makers += makes;
    VisitorWithLets::visit(op);
    makers -= makes;
  }
  void visit(const internal::Allocate *op) override {
    own.insert(op->name);
    VisitorWithLets::visit(op);
  }
  void visit(const internal::For *op) override {
    loops.push_back(op);
    VisitorWithLets::visit(op);
    loops.pop_back();
  }
  void visit(const internal::Load *op) override {
    VisitorWithLets::visit(op);
    addVector(op->name, op->index);
  }
  void visit(const internal::Store *op) override {
    VisitorWithLets::visit(op);
    addVector(op->name, op->index);
  }

private:
  static bool hasLoad(const Expr &index) {
    class FindLoad final : public internal::IRVisitor {
    public:
      bool found = false;

    protected:
      using internal::IRVisitor::visit;
      void visit(const internal::Load *) override { found = true; }
    } find;
    index.accept(&find);
    return find.found;
  }

  /// Adds the lines of a row's vectors, of which this is one.
  void addVector(const std::string &buffer, const Expr &index) {
    auto vector = index.as<internal::Ramp>();
    if ((inside && makers == 0) || own.count(buffer) || !vector || !internal::is_const_one(vector->stride))
      return;
    Expr start = lets.expand(vector->base);
    std::vector<const internal::For *> around = loops;
    int64_t floats = vector->lanes;
    if (!around.empty()) { // vectors side by side
      const internal::For &last = *around.back();
      Expr step = internal::simplify(internal::substitute(last.name, getVar(last) + 1, start) - start);
      std::optional<int64_t> extent = internal::as_const_int(last.extent);
      if (extent && internal::is_const(step, vector->lanes)) {
        floats *= *extent;
        start = internal::substitute(last.name, last.min, start);
        around.pop_back();
      }
    }
    bool isOfRow = std::any_of(around.begin(), around.end(),
                               [&](const internal::For *loop) { return internal::expr_uses_var(start, loop->name); });
    // An element that says where others are must not be read before its time.
    if ((!around.empty() && !isOfRow) || hasLoad(start))
      return;
    Nest &nest = getNest(around);
    for (int64_t i = 0; i < floats; i += lineFloats)
      addLine(nest, {buffer, internal::simplify(start + static_cast<int32_t>(i))});
  }

  static void addLine(Nest &nest, const Line &line) {
    bool isKnown = std::any_of(nest.lines.begin(), nest.lines.end(), [&](const Line &known) {
      return known.buffer == line.buffer && internal::equal(known.index, line.index);
    });
    if (!isKnown)
      nest.lines.push_back(line);
  }

  Nest &getNest(const std::vector<const internal::For *> &around) {
    auto isSame = [](const RowLoop &row, const internal::For *loop) { return row.name == loop->name; };
    for (Nest &nest : nests)
      if (std::equal(nest.rows.begin(), nest.rows.end(), around.begin(), around.end(), isSame))
        return nest;
    Nest &nest = nests.emplace_back();
    for (const internal::For *loop : around)
      nest.rows.push_back({loop->name, lets.expand(loop->min), lets.expand(loop->extent)});
    return nest;
  }

  const std::set<std::string> &funcs;
  bool inside;
  int makers = 0;            // of these Funcs, around what is visited
  std::set<std::string> own; // memory of the code's own
  std::vector<const internal::For *> loops;
};

/// Lets each run of the first product's innermost loop ask for its share of the rows first.
class ShareRows final : public internal::IRMutator {
public:
  ShareRows(const std::vector<Nest> &nests, const std::string &name) : nests(nests), name(name) {}

protected:
  using internal::IRMutator::visit;

  internal::Stmt visit(const internal::For *op) override {
    if (isInnermost(*op))
      return isOfFirst(*op) ? askAndRun(op) : op;
    passes.push_back(op);
    internal::Stmt result = internal::IRMutator::visit(op);
    passes.pop_back();
    return result;
  }

private:
  /// Whether a loop is of the first update that is met: not of what sets sums to zero, nor of another product's.
  bool isOfFirst(const internal::For &loop) {
    if (first.empty())
      first = getUpdatedFunc(loop);
    return !first.empty() && getUpdatedFunc(loop) == first;
  }

  internal::Stmt askAndRun(internal::Stmt run) const {
    for (size_t i = nests.size(); i-- > 0;)
      run = internal::Block::make(askForShare(nests[i], name + ".asked_row" + std::to_string(i)), run);
    return run;
  }

  internal::Stmt askForShare(const Nest &nest, const std::string &loopName) const {
    Expr pass = 0, passCount = 1, rowCount = 1;
    for (const internal::For *loop : passes) {
      pass = pass * loop->extent + (getVar(*loop) - loop->min);
      passCount = passCount * loop->extent;
    }
    Expr row = internal::Variable::make(Halide::Int(32), loopName);
    std::vector<Line> lines = nest.lines;
    for (size_t i = nest.rows.size(); i-- > 0;) {
      const RowLoop &loop = nest.rows[i];
      for (Line &line : lines)
        line.index = internal::substitute(loop.name, loop.min + (i == 0 ? row : row % loop.extent), line.index);
      row = row / loop.extent;
      rowCount = rowCount * loop.extent;
    }
    std::vector<internal::Stmt> requests;
    for (const Line &line : lines)
      requests.push_back(prefetch(line.buffer, line.index));
    Expr first = internal::simplify(pass * rowCount / passCount);
    Expr end = internal::simplify((pass + 1) * rowCount / passCount);
    return internal::For::make(loopName, first, internal::simplify(end - first), internal::ForType::Serial,
                               Halide::Partition::Never, Halide::DeviceAPI::None, internal::Block::make(requests));
  }

  const std::vector<Nest> &nests;
  const std::string &name;
  std::string first; ///< product
  std::vector<const internal::For *> passes;
};

} // namespace

std::vector<Nest> findLinesInside(const internal::Stmt &code, const std::set<std::string> &funcs) {
  FindLines find(funcs, /*inside=*/true);
  code.accept(&find);
  return std::move(find.nests);
}

std::vector<Nest> findLinesOutside(const internal::Stmt &code, const std::set<std::string> &funcs) {
  FindLines find(funcs, /*inside=*/false);
  code.accept(&find);
  return std::move(find.nests);
}

internal::Stmt shareRows(const internal::Stmt &code, const std::vector<Nest> &nests, const std::string &name) {
  return ShareRows(nests, name).mutate(code);
}

internal::Stmt AskInLoops::visit(const internal::For *op) {
  loops.push_back(op);
  internal::Stmt result = internal::IRMutator::visit(op);
  loops.pop_back();
  // A loop whose last step is apart has inside what is around the others.
  return chosen.count(op) && result.same_as(op) ? askIn(*op) : result;
}

internal::Stmt AskInLoops::visit(const internal::ProducerConsumer *op) {
  if (!op->is_producer || !funcs.count(op->name))
    return internal::IRMutator::visit(op);
  if (!loops.empty())
    chosen.insert(loops.back());
  return op;
}

} // namespace nnc::targets::x86
