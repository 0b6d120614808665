//===- Rate.cpp - Expressions of steps and epochs -------------------------===//

#include "dsl/Rate.h"

#include <algorithm>

namespace nnc::dsl {

namespace {

/// Writes an expression in postfix.
class RateReader {
public:
  RateReader(const std::map<std::string, double> &constants, std::vector<Diagnostic> &diagnostics)
      : constants(constants), diagnostics(diagnostics) {}

  enum class Kind { Number, Truth };

  /// An expression where a number or a truth value is wanted.
  void read(const Expr &expr, Kind wanted) {
    Kind kind = wanted;
    if (expr.kind == Expr::Kind::If) {
      read(*expr.operands[0], Kind::Truth);
      read(*expr.operands[1], wanted);
      read(*expr.operands[2], wanted);
      push("select");
    } else if (expr.kind == Expr::Kind::Boolean) {
      kind = Kind::Truth;
      pushTruth(expr.number != 0);
    } else if (expr.kind == Expr::Kind::Unary) {
      kind = expr.text == "not" ? Kind::Truth : Kind::Number;
      read(*expr.operands[0], kind);
      kind == Kind::Truth ? pushNot() : push("neg");
    } else if (expr.kind == Expr::Kind::Binary) {
      kind = expr.text == "and" || expr.text == "or" ? readJoin(expr) : readOperator(expr);
    } else {
      kind = Kind::Number;
      expr.kind == Expr::Kind::Call ? readFunction(expr) : readNumber(expr);
    }
    if (kind != wanted)
      error(expr.location, wanted == Kind::Number ? "is a truth value, and a rate is computed of numbers"
                                                  : "is a number, and a condition a truth value");
  }

  RateExpression result;

private:
  void error(const Location &location, const std::string &message, std::vector<Note> notes = {}) {
    diagnostics.push_back({Diagnostic::Severity::Error, location, message, std::move(notes)});
  }

  void push(const std::string &name) { result.postfix.push_back({name}); }
  void pushNumber(double number) { result.postfix.push_back({"", number}); }

  /// As postfix has no truth values of its own: 0 <= 0, or 0 < 0.
  void pushTruth(bool value) {
    pushNumber(0);
    pushNumber(0);
    push(value ? "less_equal" : "less");
  }

  void pushNot() {
    pushTruth(false);
    pushTruth(true);
    push("select");
  }

  void readNumber(const Expr &expr) {
    auto known = constants.find(expr.text);
    if (expr.kind == Expr::Kind::Number)
      pushNumber(expr.number);
    else if (expr.kind == Expr::Kind::Name && (expr.text == "step" || expr.text == "epoch"))
      push(expr.text);
    else if (expr.kind == Expr::Kind::Name && known != constants.end())
      pushNumber(known->second);
    else
      refuse(expr);
  }

  void refuse(const Expr &expr) {
    error(
        expr.location, "a rate is an expression of numbers, `step` and `epoch`",
        {{expr.location, "it has + - * /, comparisons, `if`, exp, log, sqrt, cos, pow, min, max, and parameters of the "
                         "network that are numbers"}});
  }

  void readFunction(const Expr &expr) {
    static const std::map<std::string, size_t> operandCounts{{"exp", 1}, {"log", 1}, {"sqrt", 1}, {"cos", 1},
                                                             {"pow", 2}, {"min", 2}, {"max", 2}};
    const Expr &head = *expr.operands[0];
    auto found = operandCounts.find(head.text);
    if (head.kind != Expr::Kind::Name || found == operandCounts.end())
      return refuse(expr);
    const auto &[name, count] = *found;
    bool isNamed = std::any_of(expr.arguments.begin(), expr.arguments.end(), [](const Argument &argument) {
      return !argument.name.empty() || argument.binds || !argument.value;
    });
    if (isNamed || expr.arguments.size() != count)
      return error(expr.location, "in a rate `" + name + "` takes " + (count == 1 ? "a number" : "two numbers"));
    for (const Argument &argument : expr.arguments)
      read(*argument.value, Kind::Number);
    push(name);
  }

  /// What joins truth values chooses between the right one and one that is known.
  Kind readJoin(const Expr &expr) {
    read(*expr.operands[0], Kind::Truth);
    if (expr.text == "or")
      pushTruth(true);
    read(*expr.operands[1], Kind::Truth);
    if (expr.text == "and")
      pushTruth(false);
    push("select");
    return Kind::Truth;
  }

  Kind readOperator(const Expr &expr) {
    struct Operator {
      std::string name;
      Kind gives;
    };
    static const std::map<std::string, Operator> operators{
        {"+", {"add", Kind::Number}},        {"-", {"sub", Kind::Number}},   {"*", {"mul", Kind::Number}},
        {".*", {"mul", Kind::Number}},       {"/", {"div", Kind::Number}},   {"./", {"div", Kind::Number}},
        {"<", {"less", Kind::Truth}},        {">", {"less", Kind::Truth}},   {"<=", {"less_equal", Kind::Truth}},
        {">=", {"less_equal", Kind::Truth}}, {"==", {"equal", Kind::Truth}}, {"!=", {"equal", Kind::Truth}}};
    const auto &[name, gives] = operators.at(expr.text);
    bool swaps = expr.text == ">" || expr.text == ">=";
    read(*expr.operands[swaps ? 1 : 0], Kind::Number);
    read(*expr.operands[swaps ? 0 : 1], Kind::Number);
    push(name);
    if (expr.text == "!=")
      pushNot();
    return gives;
  }

  const std::map<std::string, double> &constants;
  std::vector<Diagnostic> &diagnostics;
};

} // namespace

RateExpression readRate(const Expr &expr, const std::map<std::string, double> &constants,
                        std::vector<Diagnostic> &diagnostics) {
  RateReader reader(constants, diagnostics);
  reader.read(expr, RateReader::Kind::Number);
  return std::move(reader.result);
}

} // namespace nnc::dsl
