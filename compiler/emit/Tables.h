//===- Tables.h - Constant tables of C structures -------------------------===//

#ifndef NNC_COMPILER_EMIT_TABLES_H
#define NNC_COMPILER_EMIT_TABLES_H

#include "compiler/emit/Code.h"

#include <variant>

namespace nnc::emit {

/// The address of a global or a function; null when empty.
struct Symbol {
  std::string name;
};

/// One field of a C structure: int32_t, int64_t, double, or a pointer.
using Field = std::variant<int32_t, int64_t, double, Symbol>;
using Row = std::vector<Field>;

/// Adds constants to a module. LLVM lays structures out as C does.
class Tables {
public:
  explicit Tables(mlir::ModuleOp module) : module(module), builder(module.getLoc()) {
    builder.setInsertionPointToEnd(module.getBody());
  }

  /// A text with its final null.
  Symbol addText(llvm::StringRef text);

  /// An array of structures, which all have the same fields; null when there are
  /// none. Without a name it is the module's own.
  Symbol add(llvm::ArrayRef<Row> rows, llvm::StringRef name = "",
             mlir::LLVM::Linkage linkage = mlir::LLVM::Linkage::Private);

  /// An array of numbers or pointers.
  template <typename T> Symbol addArray(llvm::ArrayRef<T> elements, llvm::StringRef name = "") {
    std::vector<Row> rows;
    for (const T &element : elements)
      rows.push_back({element});
    return add(rows, name);
  }

private:
  mlir::ModuleOp module;
  CodeBuilder builder;
  llvm::StringMap<Symbol> texts;
  unsigned count = 0;
};

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_TABLES_H
