//===- Ast.cpp - Printing a program as it is written ----------------------===//

#include "dsl/Ast.h"

#include <ostream>

namespace nnc::dsl {

namespace {

/// Writes expressions with all their parentheses, statements one a line.
class Printer {
public:
  explicit Printer(std::ostream &os) : os(os) {}

  void print(const Ast &ast) {
    for (const ImportDecl &import : ast.imports)
      os << "import \"" << import.path << "\"\n";
    for (const NetworkDecl &network : ast.networks) {
      os << "network " << network.name;
      print(network.params);
      os << '\n';
      print(network.body, 1);
    }
    for (const LayerDecl &layer : ast.layers) {
      os << "layer " << layer.name;
      print(layer.params);
      print("(", layer.values, ")");
      print(" -> ", layer.results, "\n");
      print(layer.body, 1);
    }
    for (const TrainDecl &train : ast.trains)
      print(train);
  }

private:
  void indent(int depth) { os << std::string(2 * depth, ' '); }

  void print(const std::vector<ParamDecl> &params) {
    if (params.empty())
      return;
    const char *separator = "(";
    for (const ParamDecl &param : params) {
      os << separator << param.name;
      if (param.value)
        os << " = ", print(*param.value);
      separator = ", ";
    }
    os << ')';
  }

  void print(const char *open, const std::vector<PortDecl> &ports, const char *close) {
    os << open;
    for (size_t i = 0; i < ports.size(); ++i) {
      os << (i ? ", " : "") << ports[i].name;
      if (ports[i].hasShape)
        printShape(ports[i].shape);
      if (ports[i].classes)
        os << " : class[", print(*ports[i].classes), os << ']';
    }
    os << close;
  }

  void printShape(const std::vector<ExprPtr> &shape) {
    os << '[';
    for (size_t i = 0; i < shape.size(); ++i)
      os << (i ? ", " : ""), print(*shape[i]);
    os << ']';
  }

  void print(const TrainDecl &train) {
    os << "train " << train.network;
    if (!train.name.empty())
      os << " as " << train.name;
    if (!train.labels.empty())
      print("(", train.labels, ")");
    os << '\n';
    for (const Setting &setting : train.settings) {
      indent(1);
      os << (setting.given ? "given " : "") << setting.name << " = ";
      print(*setting.value);
      os << '\n';
    }
  }

  void print(const std::vector<Statement> &block, int depth) {
    for (const Statement &statement : block)
      print(statement, depth);
  }

  void print(const Statement &statement, int depth) {
    indent(depth);
    switch (statement.kind) {
    case Statement::Kind::Input:
      print("input ", statement.ports, "\n");
      break;
    case Statement::Kind::Output:
      print("output ", statement.ports, "\n");
      break;
    case Statement::Kind::Weight:
      printWeights(statement.weights);
      break;
    case Statement::Kind::Definition:
      for (size_t i = 0; i < statement.places.size(); ++i) {
        os << (i ? ", " : "") << statement.places[i].name;
        if (!statement.places[i].index.empty())
          os << '[' << statement.places[i].index << ']';
      }
      os << " = ";
      print(*statement.value);
      os << '\n';
      break;
    case Statement::Kind::Each:
      printEach(statement, depth);
      break;
    }
  }

  void printWeights(const std::vector<WeightDecl> &weights) {
    const char *separator = "weight ";
    for (const WeightDecl &weight : weights) {
      os << separator << weight.name;
      if (!weight.shape.empty())
        printShape(weight.shape);
      if (weight.initializer)
        os << " = ", print(*weight.initializer);
      separator = ", ";
    }
    os << '\n';
  }

  void printEach(const Statement &loop, int depth) {
    os << "each " << loop.index << " in ";
    print(*loop.value);
    const char *separator = " from ";
    for (const StartDecl &start : loop.starts) {
      os << separator << start.name;
      if (start.hasShape)
        printShape(start.shape);
      if (start.classes)
        os << " : class[", print(*start.classes), os << ']';
      os << " = ";
      print(*start.value);
      separator = ", ";
    }
    if (loop.until)
      os << " until ", print(*loop.until);
    os << '\n';
    print(loop.body, depth + 1);
  }

  void print(const Expr &expr) {
    switch (expr.kind) {
    case Expr::Kind::Name:
    case Expr::Kind::Number:
    case Expr::Kind::Size:
    case Expr::Kind::Boolean:
      os << expr.text;
      break;
    case Expr::Kind::Unary:
      os << '(' << expr.text << ' ', print(*expr.operands[0]), os << ')';
      break;
    case Expr::Kind::Binary:
      os << '(', print(*expr.operands[0]), os << ' ' << expr.text << ' ', print(*expr.operands[1]), os << ')';
      break;
    case Expr::Kind::If:
      os << "(if ", print(*expr.operands[0]), os << " then ", print(*expr.operands[1]);
      os << " else ", print(*expr.operands[2]), os << ')';
      break;
    case Expr::Kind::Pipe:
      os << '(', print(*expr.operands[0]), os << " |> ", print(*expr.operands[1]), os << ')';
      break;
    case Expr::Kind::Call:
      printCall(expr);
      break;
    case Expr::Kind::Index:
      printIndex(expr);
      break;
    case Expr::Kind::Tuple:
      for (size_t i = 0; i < expr.operands.size(); ++i)
        os << (i ? ", " : "("), print(*expr.operands[i]);
      os << ')';
      break;
    }
  }

  void printCall(const Expr &call) {
    print(*call.operands[0]);
    os << '(';
    for (size_t i = 0; i < call.arguments.size(); ++i) {
      os << (i ? ", " : "");
      if (!call.arguments[i].name.empty())
        os << call.arguments[i].name << (call.arguments[i].binds ? " in " : " = ");
      print(*call.arguments[i].value);
    }
    os << ')';
  }

  void printIndex(const Expr &index) {
    print(*index.operands[0]);
    os << '[';
    for (size_t i = 0; i < index.subscripts.size(); ++i) {
      const Subscript &subscript = index.subscripts[i];
      os << (i ? ", " : "");
      if (subscript.first)
        print(*subscript.first);
      if (subscript.isRange)
        os << ':';
      if (subscript.last)
        print(*subscript.last);
    }
    os << ']';
  }

  std::ostream &os;
};

} // namespace

void print(const Ast &ast, std::ostream &os) { Printer(os).print(ast); }

} // namespace nnc::dsl
