//===- AstBuilder.cpp - ANTLR's parse tree -> Ast --------------------------===//

#include "dsl/AstBuilder.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace nnc::dsl {

/// Chains grow to the left, and what goes through a tree recurses.
static constexpr uint32_t maxDepth = 1000;

//===----------------------------------------------------------------------===//
// Places in the text
//===----------------------------------------------------------------------===//

Location AstBuilder::locate(antlr4::Token *token) const {
  return {source, static_cast<uint32_t>(token->getLine()), static_cast<uint32_t>(token->getCharPositionInLine() + 1),
          static_cast<uint32_t>(token->getText().size())};
}

/// From the first token to the last, or to the end of the first line.
Location AstBuilder::locate(antlr4::ParserRuleContext *tree) const {
  Location location = locate(tree->getStart());
  antlr4::Token *stop = tree->getStop();
  if (stop && stop->getLine() == tree->getStart()->getLine())
    location.length = static_cast<uint32_t>(stop->getStopIndex() + 1 - tree->getStart()->getStartIndex());
  return location;
}

ExprPtr AstBuilder::make(Expr::Kind kind, antlr4::ParserRuleContext *tree, std::string text) {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->location = locate(tree);
  expr->text = std::move(text);
  return expr;
}

/// Knows its depth from what it is made of. What is too deep becomes a name.
ExprPtr AstBuilder::finish(ExprPtr expr) {
  auto include = [&](const ExprPtr &part) {
    if (part)
      expr->depth = std::max(expr->depth, part->depth + 1);
  };
  for (const ExprPtr &operand : expr->operands)
    include(operand);
  for (const Argument &argument : expr->arguments)
    include(argument.value);
  for (const Subscript &subscript : expr->subscripts) {
    include(subscript.first);
    include(subscript.last);
  }
  if (expr->depth <= maxDepth)
    return expr;
  if (diagnostics.empty())
    diagnostics.push_back({Diagnostic::Severity::Error,
                           expr->location,
                           "an expression has more than the limit of " + std::to_string(maxDepth) +
                               " operators and calls one after the other",
                           {{expr->location, "give a part of it a name of its own"}}});
  auto leaf = std::make_unique<Expr>();
  leaf->kind = Expr::Kind::Name;
  leaf->location = expr->location;
  return leaf;
}

ExprPtr AstBuilder::makeBinary(std::string op, ExprPtr left, ExprPtr right, antlr4::ParserRuleContext *tree) {
  ExprPtr expr = make(Expr::Kind::Binary, tree, std::move(op));
  expr->operands.push_back(std::move(left));
  expr->operands.push_back(std::move(right));
  return finish(std::move(expr));
}

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

std::unique_ptr<Ast> AstBuilder::build(NNParser::ProgramContext *tree) {
  auto ast = std::make_unique<Ast>();
  ast->source = source;
  for (auto *import : tree->importDecl()) {
    std::string quoted = import->STRING()->getText();
    ast->imports.push_back({quoted.substr(1, quoted.size() - 2), locate(import->STRING()->getSymbol())});
  }
  for (auto *network : tree->networkDecl())
    ast->networks.push_back(buildNetwork(network));
  for (auto *layer : tree->layerDecl())
    ast->layers.push_back(buildLayer(layer));
  for (auto *train : tree->trainDecl())
    ast->trains.push_back(buildTrain(train));
  return ast;
}

NetworkDecl AstBuilder::buildNetwork(NNParser::NetworkDeclContext *tree) {
  NetworkDecl network;
  network.name = tree->ID()->getText();
  network.location = locate(tree->ID()->getSymbol());
  network.params = buildParams(tree->params());
  network.body = buildBlock(tree->block());
  return network;
}

LayerDecl AstBuilder::buildLayer(NNParser::LayerDeclContext *tree) {
  LayerDecl layer;
  layer.name = tree->ID()->getText();
  layer.location = locate(tree->ID()->getSymbol());
  layer.params = buildParams(tree->params());
  layer.values = buildPorts(tree->ports());
  for (auto *port : tree->port())
    layer.results.push_back(buildPort(port));
  layer.body = buildBlock(tree->block());
  return layer;
}

TrainDecl AstBuilder::buildTrain(NNParser::TrainDeclContext *tree) {
  TrainDecl train;
  train.network = tree->ID(0)->getText();
  train.location = locate(tree->ID(0)->getSymbol());
  if (tree->ID().size() > 1)
    train.name = tree->ID(1)->getText();
  if (tree->ports())
    train.labels = buildPorts(tree->ports());
  for (auto *setting : tree->setting()) {
    Setting built;
    built.name = setting->ID()->getText();
    built.location = locate(setting->ID()->getSymbol());
    built.given = setting->getStart() != setting->ID()->getSymbol();
    built.value = buildExpr(setting->expr());
    train.settings.push_back(std::move(built));
  }
  return train;
}

std::vector<ParamDecl> AstBuilder::buildParams(NNParser::ParamsContext *tree) {
  std::vector<ParamDecl> params;
  if (!tree)
    return params;
  for (auto *param : tree->param())
    params.push_back(
        {param->ID()->getText(), locate(param->ID()->getSymbol()), param->expr() ? buildExpr(param->expr()) : nullptr});
  return params;
}

std::vector<PortDecl> AstBuilder::buildPorts(NNParser::PortsContext *tree) {
  std::vector<PortDecl> ports;
  for (auto *port : tree->port())
    ports.push_back(buildPort(port));
  return ports;
}

PortDecl AstBuilder::buildPort(NNParser::PortContext *tree) {
  PortDecl port;
  port.name = tree->ID()->getText();
  port.location = locate(tree->ID()->getSymbol());
  port.hasShape = tree->shape() != nullptr;
  if (tree->shape())
    port.shape = buildShape(tree->shape());
  if (tree->type())
    port.classes = buildExpr(tree->type()->expr());
  return port;
}

std::vector<ExprPtr> AstBuilder::buildShape(NNParser::ShapeContext *tree) {
  std::vector<ExprPtr> shape;
  for (auto *dim : tree->expr())
    shape.push_back(buildExpr(dim));
  return shape;
}

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

std::vector<Statement> AstBuilder::buildBlock(NNParser::BlockContext *tree) {
  std::vector<Statement> block;
  for (auto *statement : tree->statement())
    block.push_back(buildStatement(statement));
  return block;
}

Statement AstBuilder::buildStatement(NNParser::StatementContext *tree) {
  Statement statement{};
  statement.location = locate(tree->getStart());
  if (auto *inputs = dynamic_cast<NNParser::InputsContext *>(tree)) {
    statement.kind = Statement::Kind::Input;
    for (auto *port : inputs->port())
      statement.ports.push_back(buildPort(port));
  } else if (auto *outputs = dynamic_cast<NNParser::OutputsContext *>(tree)) {
    statement.kind = Statement::Kind::Output;
    for (auto *port : outputs->port())
      statement.ports.push_back(buildPort(port));
  } else if (auto *weights = dynamic_cast<NNParser::WeightsContext *>(tree)) {
    statement.kind = Statement::Kind::Weight;
    for (auto *weight : weights->weight()) {
      WeightDecl built{weight->ID()->getText(), locate(weight->ID()->getSymbol()), {}, nullptr};
      if (weight->shape())
        built.shape = buildShape(weight->shape());
      if (weight->expr())
        built.initializer = buildExpr(weight->expr());
      statement.weights.push_back(std::move(built));
    }
  } else if (auto *loop = dynamic_cast<NNParser::LoopContext *>(tree)) {
    return buildEach(loop->each());
  } else {
    auto *definition = dynamic_cast<NNParser::DefinitionContext *>(tree);
    return buildDefinition(definition->place(), definition->expr(), tree);
  }
  return statement;
}

Statement AstBuilder::buildDefinition(const std::vector<NNParser::PlaceContext *> &places, NNParser::ExprContext *value,
                                      antlr4::ParserRuleContext *tree) {
  Statement statement{};
  statement.kind = Statement::Kind::Definition;
  statement.location = locate(tree->getStart());
  for (auto *place : places)
    statement.places.push_back(
        {place->ID(0)->getText(), place->ID().size() > 1 ? place->ID(1)->getText() : "", locate(place)});
  statement.value = buildExpr(value);
  return statement;
}

Statement AstBuilder::buildEach(NNParser::EachContext *tree) {
  Statement statement{};
  statement.kind = Statement::Kind::Each;
  statement.location = locate(tree->getStart());
  statement.index = tree->ID()->getText();
  statement.value = buildExpr(tree->expr(0));
  for (auto *start : tree->start()) {
    StartDecl built{
        start->ID()->getText(), locate(start->ID()->getSymbol()), start->shape() != nullptr, {}, nullptr, nullptr};
    if (start->shape())
      built.shape = buildShape(start->shape());
    if (start->type())
      built.classes = buildExpr(start->type()->expr());
    built.value = buildExpr(start->expr());
    statement.starts.push_back(std::move(built));
  }
  if (tree->expr().size() > 1)
    statement.until = buildExpr(tree->expr(1));
  for (auto *step : tree->step())
    statement.body.push_back(buildStep(step));
  return statement;
}

Statement AstBuilder::buildStep(NNParser::StepContext *tree) {
  return tree->each() ? buildEach(tree->each()) : buildDefinition(tree->place(), tree->expr(), tree);
}

} // namespace nnc::dsl
