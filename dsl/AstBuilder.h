//===- AstBuilder.h - ANTLR's parse tree -> Ast ---------------------------===//

#ifndef NNC_DSL_ASTBUILDER_H
#define NNC_DSL_ASTBUILDER_H

#include "dsl/Ast.h"
#include "dsl/Diagnostic.h"

#include "NNParser.h"

namespace nnc::dsl {

/// Walks a tree without errors by the types of its contexts.
class AstBuilder {
public:
  AstBuilder(SourcePtr source, Diagnostics &diagnostics) : source(std::move(source)), diagnostics(diagnostics) {}

  std::unique_ptr<Ast> build(NNParser::ProgramContext *tree);

private:
  NetworkDecl buildNetwork(NNParser::NetworkDeclContext *tree);
  LayerDecl buildLayer(NNParser::LayerDeclContext *tree);
  TrainDecl buildTrain(NNParser::TrainDeclContext *tree);
  std::vector<ParamDecl> buildParams(NNParser::ParamsContext *tree);
  std::vector<PortDecl> buildPorts(NNParser::PortsContext *tree);
  PortDecl buildPort(NNParser::PortContext *tree);
  std::vector<Statement> buildBlock(NNParser::BlockContext *tree);
  Statement buildStatement(NNParser::StatementContext *tree);
  Statement buildEach(NNParser::EachContext *tree);
  Statement buildStep(NNParser::StepContext *tree);
  Statement buildDefinition(const std::vector<NNParser::PlaceContext *> &places, NNParser::ExprContext *value,
                            antlr4::ParserRuleContext *tree);
  std::vector<ExprPtr> buildShape(NNParser::ShapeContext *tree);

  ExprPtr buildExpr(NNParser::ExprContext *tree);
  ExprPtr buildChain(NNParser::ChainContext *tree);
  ExprPtr buildDisjunction(NNParser::DisjunctionContext *tree);
  ExprPtr buildConjunction(NNParser::ConjunctionContext *tree);
  ExprPtr buildNegation(NNParser::NegationContext *tree);
  ExprPtr buildComparison(NNParser::ComparisonContext *tree);
  ExprPtr buildSum(NNParser::SumContext *tree);
  ExprPtr buildProduct(NNParser::ProductContext *tree);
  ExprPtr buildSign(NNParser::SignContext *tree);
  ExprPtr buildPostfix(NNParser::PostfixContext *tree);
  ExprPtr buildPrimary(NNParser::PrimaryContext *tree);
  void buildArguments(NNParser::CallContext *tree, Expr &call);
  void buildSubscripts(NNParser::IndexContext *tree, Expr &index);

  ExprPtr make(Expr::Kind kind, antlr4::ParserRuleContext *tree, std::string text = {});
  ExprPtr makeBinary(std::string op, ExprPtr left, ExprPtr right, antlr4::ParserRuleContext *tree);
  ExprPtr finish(ExprPtr expr);
  Location locate(antlr4::Token *token) const;
  Location locate(antlr4::ParserRuleContext *tree) const;

  SourcePtr source;
  Diagnostics &diagnostics;
};

} // namespace nnc::dsl

#endif // NNC_DSL_ASTBUILDER_H
