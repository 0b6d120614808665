//===- AstExpressions.cpp - ANTLR's trees of expressions -> Ast ------------===//

#include "dsl/AstBuilder.h"

#include <cmath>
#include <cstdlib>

namespace nnc::dsl {

ExprPtr AstBuilder::buildExpr(NNParser::ExprContext *tree) {
  if (tree->chain())
    return buildChain(tree->chain());
  ExprPtr choice = make(Expr::Kind::If, tree);
  for (auto *part : tree->expr())
    choice->operands.push_back(buildExpr(part));
  return finish(std::move(choice));
}

ExprPtr AstBuilder::buildChain(NNParser::ChainContext *tree) {
  ExprPtr value = buildDisjunction(tree->disjunction());
  for (auto *stage : tree->postfix()) {
    ExprPtr pipe = make(Expr::Kind::Pipe, stage);
    pipe->operands.push_back(std::move(value));
    pipe->operands.push_back(buildPostfix(stage));
    value = finish(std::move(pipe));
  }
  return value;
}

// ANTLR gathers the children of a kind anew whenever it is asked for them: once a list is enough.
ExprPtr AstBuilder::buildDisjunction(NNParser::DisjunctionContext *tree) {
  const auto operands = tree->conjunction();
  ExprPtr value = buildConjunction(operands[0]);
  for (size_t i = 1; i < operands.size(); ++i)
    value = makeBinary("or", std::move(value), buildConjunction(operands[i]), tree);
  return value;
}

ExprPtr AstBuilder::buildConjunction(NNParser::ConjunctionContext *tree) {
  const auto operands = tree->negation();
  ExprPtr value = buildNegation(operands[0]);
  for (size_t i = 1; i < operands.size(); ++i)
    value = makeBinary("and", std::move(value), buildNegation(operands[i]), tree);
  return value;
}

ExprPtr AstBuilder::buildNegation(NNParser::NegationContext *tree) {
  if (tree->comparison())
    return buildComparison(tree->comparison());
  ExprPtr negation = make(Expr::Kind::Unary, tree, "not");
  negation->operands.push_back(buildNegation(tree->negation()));
  return finish(std::move(negation));
}

/// The text of the operator that is child number `index` of a tree.
static std::string operatorAt(antlr4::ParserRuleContext *tree, size_t index) {
  return tree->children[index]->getText();
}

ExprPtr AstBuilder::buildComparison(NNParser::ComparisonContext *tree) {
  ExprPtr value = buildSum(tree->sum(0));
  if (tree->sum().size() == 1)
    return value;
  return makeBinary(operatorAt(tree, 1), std::move(value), buildSum(tree->sum(1)), tree);
}

ExprPtr AstBuilder::buildSum(NNParser::SumContext *tree) {
  const auto operands = tree->product();
  ExprPtr value = buildProduct(operands[0]);
  for (size_t i = 1; i < operands.size(); ++i)
    value = makeBinary(operatorAt(tree, 2 * i - 1), std::move(value), buildProduct(operands[i]), tree);
  return value;
}

ExprPtr AstBuilder::buildProduct(NNParser::ProductContext *tree) {
  const auto operands = tree->sign();
  ExprPtr value = buildSign(operands[0]);
  std::string plain, dotted;
  for (size_t i = 1; i < operands.size(); ++i) {
    std::string op = operatorAt(tree, 2 * i - 1);
    (op[0] == '.' ? dotted : plain) = op;
    value = makeBinary(op, std::move(value), buildSign(operands[i]), tree);
  }
  if (!plain.empty() && !dotted.empty())
    diagnostics.push_back({Diagnostic::Severity::Error,
                           locate(tree),
                           "mixes `" + plain + "` and `" + dotted + "` in one product",
                           {{locate(tree), "put parentheses around the part that comes first"}}});
  return value;
}

ExprPtr AstBuilder::buildSign(NNParser::SignContext *tree) {
  if (tree->postfix())
    return buildPostfix(tree->postfix());
  ExprPtr negative = make(Expr::Kind::Unary, tree, "-");
  negative->operands.push_back(buildSign(tree->sign()));
  return finish(std::move(negative));
}

ExprPtr AstBuilder::buildPostfix(NNParser::PostfixContext *tree) {
  ExprPtr value = buildPrimary(tree->primary());
  for (auto *child : tree->children) {
    if (auto *call = dynamic_cast<NNParser::CallContext *>(child)) {
      ExprPtr built = make(Expr::Kind::Call, tree);
      built->operands.push_back(std::move(value));
      buildArguments(call, *built);
      value = finish(std::move(built));
    } else if (auto *index = dynamic_cast<NNParser::IndexContext *>(child)) {
      ExprPtr built = make(Expr::Kind::Index, tree);
      built->operands.push_back(std::move(value));
      buildSubscripts(index, *built);
      value = finish(std::move(built));
    }
  }
  return value;
}

void AstBuilder::buildArguments(NNParser::CallContext *tree, Expr &call) {
  for (auto *arg : tree->arg()) {
    Argument argument;
    argument.location = locate(arg);
    if (arg->ID()) {
      argument.name = arg->ID()->getText();
      argument.binds = arg->children[1]->getText() == "in";
    }
    argument.value = buildExpr(arg->expr());
    call.arguments.push_back(std::move(argument));
  }
}

void AstBuilder::buildSubscripts(NNParser::IndexContext *tree, Expr &index) {
  for (auto *at : tree->at()) {
    Subscript subscript;
    bool afterColon = false;
    for (auto *child : at->children) {
      if (auto *expr = dynamic_cast<NNParser::ExprContext *>(child))
        (afterColon ? subscript.last : subscript.first) = buildExpr(expr);
      else
        afterColon = subscript.isRange = true;
    }
    index.subscripts.push_back(std::move(subscript));
  }
}

ExprPtr AstBuilder::buildPrimary(NNParser::PrimaryContext *tree) {
  if (tree->ID())
    return make(Expr::Kind::Name, tree, tree->ID()->getText());
  if (tree->NUMBER()) {
    ExprPtr number = make(Expr::Kind::Number, tree, tree->NUMBER()->getText());
    number->number = std::strtod(number->text.c_str(), nullptr);
    if (!std::isfinite(number->number))
      diagnostics.push_back({Diagnostic::Severity::Error, number->location, "is too large for a number", {}});
    return number;
  }
  if (tree->SIZE()) {
    ExprPtr size = make(Expr::Kind::Size, tree, tree->SIZE()->getText());
    size->number = std::strtod(size->text.c_str(), nullptr);
    for (const char *unit : {"KiB", "MiB", "GiB"}) {
      size->number *= 1024;
      if (size->text.find(unit) != std::string::npos)
        break;
    }
    if (!std::isfinite(size->number))
      diagnostics.push_back({Diagnostic::Severity::Error, size->location, "is too large for a number", {}});
    return size;
  }
  if (tree->expr().empty()) {
    ExprPtr boolean = make(Expr::Kind::Boolean, tree, tree->getText());
    boolean->number = boolean->text == "true";
    return boolean;
  }
  if (tree->expr().size() == 1)
    return buildExpr(tree->expr(0));
  ExprPtr tuple = make(Expr::Kind::Tuple, tree);
  for (auto *part : tree->expr())
    tuple->operands.push_back(buildExpr(part));
  return finish(std::move(tuple));
}

} // namespace nnc::dsl
