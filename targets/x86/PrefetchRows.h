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

/// A product whose innermost loop asks in each of its runs for a share of the rows first. The loops over rows are of
/// that name, and the nests are rectangular.
Halide::Internal::Stmt shareRows(const Halide::Internal::Stmt &product, const std::vector<Nest> &nests,
                                 const std::string &name);

} // namespace nnc::targets::x86

#endif // NNC_TARGETS_X86_PREFETCHROWS_H
