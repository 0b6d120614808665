//===- Parse.h - Source -> Ast --------------------------------------------===//

#ifndef NNC_DSL_PARSE_H
#define NNC_DSL_PARSE_H

#include "dsl/Ast.h"
#include "dsl/Diagnostic.h"

namespace nnc::dsl {

/// Parses one file. Says every mistake of form in `diagnostics`; null when
/// there was one. Nothing throws past this, and no text exhausts the stack.
std::unique_ptr<Ast> parse(SourcePtr source, Diagnostics &diagnostics);

} // namespace nnc::dsl

#endif // NNC_DSL_PARSE_H
