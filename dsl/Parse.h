//===- Parse.h - Source -> Ast --------------------------------------------===//

#ifndef NNC_DSL_PARSE_H
#define NNC_DSL_PARSE_H

#include "dsl/Ast.h"
#include "dsl/Diagnostic.h"

namespace nnc::dsl {

/// The most that a file may have. Who reads one needs no more than a byte beyond it.
inline constexpr size_t maxBytes = 1 << 20;

/// Parses one file. Says every mistake of form in `diagnostics`; null when
/// there was one. Nothing throws past this, and no text exhausts the stack.
std::unique_ptr<Ast> parse(SourcePtr source, Diagnostics &diagnostics);

} // namespace nnc::dsl

#endif // NNC_DSL_PARSE_H
