//===- Check.h - Ast -> Model ---------------------------------------------===//

#ifndef NNC_DSL_CHECK_H
#define NNC_DSL_CHECK_H

#include "dsl/Ast.h"
#include "dsl/Diagnostic.h"
#include "dsl/Model.h"

#include <functional>
#include <iosfwd>
#include <optional>

namespace nnc::dsl {

/// Where a program finds what it does not define itself.
struct Library {
  /// The file of `import "path"`, as written; null when there is none.
  std::function<SourcePtr(const std::string &path)> import;
  /// The standard library, parsed, whose layers need no import.
  std::vector<std::shared_ptr<const Ast>> standard;
};

/// Elaborates a program: layers inlined, parameters evaluated, repetitions
/// written out, names resolved, shapes inferred. Says every mistake in
/// `diagnostics`; nothing when there was one. Does not throw.
std::optional<Model> check(const Ast &ast, const Library &library, Diagnostics &diagnostics);

/// Prints a model, for -emit=model.
void print(const Model &model, std::ostream &os);

} // namespace nnc::dsl

#endif // NNC_DSL_CHECK_H
