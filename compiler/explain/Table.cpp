//===- Table.cpp - Columns of text ----------------------------------------===//

#include "compiler/explain/Table.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Unicode.h"

using namespace llvm;
using namespace nnc;
using namespace nnc::explain;

static size_t getWidth(const std::string &text) { return std::max(0, sys::unicode::columnWidthUTF8(text)); }

void Table::print(raw_ostream &os) const {
  std::vector<size_t> widths(alignment.size());
  for (const auto &row : rows)
    for (auto [column, text] : enumerate(row))
      widths[column] = std::max(widths[column], getWidth(text));
  for (const auto &row : rows) {
    std::string line;
    for (auto [column, text] : enumerate(row)) {
      std::string space(widths[column] - getWidth(text), ' ');
      line += "  ";
      line += alignment[column] == 'r' ? space + text : text + space;
    }
    os << StringRef(line).rtrim() << '\n';
  }
}

void Table::printWithout(StringRef nothing, raw_ostream &os) const {
  Table rest("");
  rest.rows.resize(rows.size());
  for (size_t column = 0; column < alignment.size(); ++column) {
    auto isNothing = [&](const std::vector<std::string> &row) {
      return column >= row.size() || row[column].empty() || row[column] == nothing;
    };
    if (all_of(drop_begin(rows), isNothing))
      continue;
    rest.alignment += alignment[column];
    for (auto [from, to] : zip_equal(rows, rest.rows))
      to.push_back(column < from.size() ? from[column] : "");
  }
  rest.print(os);
}

std::string explain::formatNumber(double number, int decimals) {
  std::string text;
  raw_string_ostream(text) << format("%.*f", decimals, number);
  return text;
}

/// Three digits.
static std::string formatScaled(double number, double base, ArrayRef<StringRef> units) {
  size_t unit = 0;
  for (; number >= base && unit + 1 < units.size(); ++unit)
    number /= base;
  int decimals = unit == 0 || number >= 100 ? 0 : number >= 10 ? 1 : 2;
  return formatNumber(number, decimals) + units[unit].str();
}

std::string explain::formatCount(double count) { return formatScaled(count, 1000, {"", " k", " M", " G", " T", " P"}); }

std::string explain::formatBytes(double bytes) {
  return formatScaled(bytes, 1024, {" B", " KiB", " MiB", " GiB", " TiB"});
}

std::string explain::formatShare(double share) { return formatNumber(100 * share, share < 0.1 ? 1 : 0) + " %"; }
