//===- Rate.h - Expressions of steps and epochs ---------------------------===//

#ifndef NNC_DSL_RATE_H
#define NNC_DSL_RATE_H

#include "dsl/Ast.h"
#include "dsl/Diagnostic.h"
#include "dsl/Model.h"

#include <map>
#include <string>
#include <vector>

namespace nnc::dsl {

/// The rate that an expression of numbers, `step`, `epoch` and `constants` gives; says what is wrong with it.
RateExpression readRate(const Expr &expr, const std::map<std::string, double> &constants,
                        std::vector<Diagnostic> &diagnostics);

} // namespace nnc::dsl

#endif // NNC_DSL_RATE_H
