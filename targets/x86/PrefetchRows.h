//===- PrefetchRows.h - Rows that are asked for while others are multiplied -===//

#ifndef NNC_TARGETS_X86_PREFETCHROWS_H
#define NNC_TARGETS_X86_PREFETCHROWS_H

#include <Halide.h>

#include <set>
#include <string>
#include <vector>

namespace nnc::targets::x86 {

/// A line of memory: a buffer, and the index of an element.
struct Line {
  std::string buffer;
  Halide::Expr index;
};

/// A loop over rows, or over rows of rows.
struct RowLoop {
  std::string name;
  Halide::Expr min, extent;
};

/// What code reads and writes in the same loops.
struct Nest {
  std::vector<RowLoop> rows; ///< the outermost first
  std::vector<Line> lines;   ///< of one row

  /// Whether each row of rows has as many as the others.
  bool isRectangular() const;
};

/// What code reads and writes of memory that is not its own, by vectors: where it makes some Funcs, or everywhere else.
std::vector<Nest> findLinesInside(const Halide::Internal::Stmt &code, const std::set<std::string> &funcs);
std::vector<Nest> findLinesOutside(const Halide::Internal::Stmt &code, const std::set<std::string> &funcs);

/// Code whose first product asks, in each run of its innermost loop, for a share of the rows first. The loops over rows
/// have names that begin with this one, and the nests are rectangular.
Halide::Internal::Stmt shareRows(const Halide::Internal::Stmt &code, const std::vector<Nest> &nests,
                                 const std::string &name);

/// Lets loops ask for rows.
class AskInLoops : public Halide::Internal::IRMutator {
public:
  /// The loops in whose steps one of these Funcs is made.
  explicit AskInLoops(std::set<std::string> funcs) : funcs(std::move(funcs)) {}

protected:
  /// Such a loop, with requests.
  virtual Halide::Internal::Stmt askIn(const Halide::Internal::For &loop) const = 0;

  using Halide::Internal::IRMutator::visit;
  Halide::Internal::Stmt visit(const Halide::Internal::For *op) override;
  Halide::Internal::Stmt visit(const Halide::Internal::ProducerConsumer *op) override;

  std::set<std::string> funcs;

private:
  std::vector<const Halide::Internal::For *> loops; ///< that are open
  std::set<const Halide::Internal::For *> chosen;
};

} // namespace nnc::targets::x86

#endif // NNC_TARGETS_X86_PREFETCHROWS_H
