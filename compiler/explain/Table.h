//===- Table.h - Columns of text ------------------------------------------===//

#ifndef NNC_COMPILER_EXPLAIN_TABLE_H
#define NNC_COMPILER_EXPLAIN_TABLE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace nnc::explain {

/// Rows whose columns are as wide as the widest entry. The first row is the heading.
class Table {
public:
  /// `alignment` has a letter for each column: l, r.
  explicit Table(std::string alignment) : alignment(std::move(alignment)) {}
  void add(std::vector<std::string> row) { rows.push_back(std::move(row)); }
  void print(llvm::raw_ostream &os) const;
  /// Without columns in which there is nothing but this, or nothing.
  void printWithout(llvm::StringRef nothing, llvm::raw_ostream &os) const;

private:
  std::string alignment;
  std::vector<std::vector<std::string>> rows;
};

/// A number of operations: "12.3 M".
std::string formatCount(double count);

/// Bytes in the unit that suits them: "1.50 MiB".
std::string formatBytes(double bytes);

/// "12.5 %".
std::string formatShare(double share);

/// With so many decimals.
std::string formatNumber(double number, int decimals);

} // namespace nnc::explain

#endif // NNC_COMPILER_EXPLAIN_TABLE_H
