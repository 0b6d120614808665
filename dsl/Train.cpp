//===- Train.cpp - train blocks -------------------------------------------===//

#include "dsl/Elaborate.h"

#include <algorithm>
#include <cmath>

namespace nnc::dsl {

using Term = RateExpression::Term;

/// Each step's calls are written out.
static constexpr int64_t maxUnroll = 256;

static const std::vector<std::string> settingNames{"loss", "optimizer", "batch",       "bptt",
                                                   "clip", "reduce",    "weight_decay"};

/// Whether a block has the setting, well spelt or not.
static bool isMeant(const TrainDecl &train, const std::string &name) {
  return std::any_of(train.settings.begin(), train.settings.end(), [&](const Setting &setting) {
    return !setting.given && (setting.name == name || suggest(setting.name, settingNames) == name);
  });
}

namespace {

/// Reads the settings of one train block; says what is wrong with them.
class SettingReader {
public:
  SettingReader(Program &program, const TrainDecl &train, Train &result)
      : program(program), train(train), result(result) {}

  void run() {
    for (const Setting &setting : train.settings)
      if (!setting.given && setting.name != "loss")
        read(setting);
    if (!isMeant(train, "optimizer"))
      error(train.location, "train block of `" + train.network + "` has no optimizer",
            {{train.location, "write `optimizer = sgd(rate = 0.1)`"}});
  }

private:
  void error(const Location &location, const std::string &message, std::vector<Note> notes = {}) {
    program.diagnostics.push_back({Diagnostic::Severity::Error, location, message, std::move(notes)});
  }

  std::optional<double> number(const Expr &expr) {
    if (expr.kind == Expr::Kind::Number || expr.kind == Expr::Kind::Size)
      return expr.number;
    if (expr.kind == Expr::Kind::Unary && expr.text == "-")
      if (std::optional<double> inner = number(*expr.operands[0]))
        return -*inner;
    error(expr.location, "is a number here");
    return std::nullopt;
  }

  static std::string headOf(const Expr &expr) {
    const Expr &head = expr.kind == Expr::Kind::Call ? *expr.operands[0] : expr;
    return head.kind == Expr::Kind::Name ? head.text : "";
  }

  void read(const Setting &setting) {
    const Expr &value = *setting.value;
    if (setting.name == "optimizer")
      readOptimizer(value);
    else if (setting.name == "batch")
      readBatch(value);
    else if (setting.name == "bptt")
      readBptt(value);
    else if (setting.name == "clip")
      readClip(value);
    else if (setting.name == "weight_decay")
      result.weightDecay = number(value).value_or(0);
    else if (setting.name == "reduce" && (headOf(value) == "sum" || headOf(value) == "mean"))
      result.reduceSum = headOf(value) == "sum";
    else {
      std::vector<Note> notes;
      if (std::string near = suggest(setting.name, settingNames); !near.empty())
        notes.push_back({setting.location, "did you mean `" + near + "`?"});
      error(setting.location, "`" + setting.name + "` is no setting of a train block", std::move(notes));
    }
  }

  void readOptimizer(const Expr &expr) {
    static const std::map<std::string, std::vector<std::pair<std::string, double>>> optimizers{
        {"sgd", {}},
        {"momentum", {{"momentum", 0.9}}},
        {"nesterov", {{"momentum", 0.9}}},
        {"adagrad", {{"epsilon", 1e-10}}},
        {"rmsprop", {{"decay", 0.99}, {"epsilon", 1e-8}}},
        {"adam", {{"beta1", 0.9}, {"beta2", 0.999}, {"epsilon", 1e-8}}},
        {"adamw", {{"beta1", 0.9}, {"beta2", 0.999}, {"epsilon", 1e-8}, {"decay", 0.01}}}};
    std::string name = headOf(expr);
    auto known = optimizers.find(name);
    if (known == optimizers.end()) {
      std::vector<std::string> names;
      for (auto &[optimizer, parameters] : optimizers)
        names.push_back(optimizer);
      std::vector<Note> notes;
      if (std::string near = suggest(name, names); !near.empty())
        notes.push_back({expr.location, "did you mean `" + near + "`?"});
      return error(expr.location, "`" + name + "` is no optimizer", std::move(notes));
    }
    result.optimizer = name;
    result.hyperparameters = known->second;
    result.rate.postfix = {{Term::Number, 0.01}};
    for (const Argument &argument : expr.arguments) {
      if (argument.name == "rate" || (argument.name.empty() && &argument == &expr.arguments.front())) {
        result.rate.postfix.clear();
        readRate(*argument.value);
        continue;
      }
      auto slot = std::find_if(result.hyperparameters.begin(), result.hyperparameters.end(),
                               [&](const auto &parameter) { return parameter.first == argument.name; });
      if (slot == result.hyperparameters.end())
        error(argument.location, "optimizer `" + name + "` has no parameter `" + argument.name + "`");
      else
        slot->second = number(*argument.value).value_or(slot->second);
    }
  }

  /// An expression of `step` and `epoch`, in postfix.
  void readRate(const Expr &expr) {
    auto push = [&](Term::Kind kind, double value = 0) { result.rate.postfix.push_back({kind, value}); };
    static const std::map<std::string, Term::Kind> operators{
        {"+", Term::Add},  {"-", Term::Sub},        {"*", Term::Mul},   {"/", Term::Div},
        {"<", Term::Less}, {"<=", Term::LessEqual}, {"==", Term::Equal}};
    if (expr.kind == Expr::Kind::Number)
      return push(Term::Number, expr.number);
    if (expr.kind == Expr::Kind::Name && (expr.text == "step" || expr.text == "epoch"))
      return push(expr.text == "step" ? Term::Step : Term::Epoch);
    if (expr.kind == Expr::Kind::Unary && expr.text == "-") {
      readRate(*expr.operands[0]);
      return push(Term::Neg);
    }
    if (expr.kind == Expr::Kind::If) {
      for (const ExprPtr &part : expr.operands)
        readRate(*part);
      return push(Term::Select);
    }
    if (expr.kind == Expr::Kind::Binary && (operators.count(expr.text) || expr.text == ">" || expr.text == ">=")) {
      bool swaps = expr.text[0] == '>';
      readRate(*expr.operands[swaps ? 1 : 0]);
      readRate(*expr.operands[swaps ? 0 : 1]);
      return push(swaps ? (expr.text == ">" ? Term::Less : Term::LessEqual) : operators.at(expr.text));
    }
    error(expr.location, "a rate is an expression of numbers, `step` and `epoch`");
    push(Term::Number);
  }

  void readBatch(const Expr &expr) {
    std::string word = headOf(expr);
    if (word == "online" || word == "full") {
      result.batch = word == "online" ? Train::Batch::Online : Train::Batch::Full;
      return;
    }
    if (expr.kind == Expr::Kind::Number && expr.number >= 1 && expr.number <= 2147483647.0 &&
        expr.number == std::floor(expr.number)) {
      result.batchSize = static_cast<int64_t>(expr.number);
      return;
    }
    error(expr.location, "`batch` is online, full, or a number of examples from 1 to " + std::to_string(maxNumber));
  }

  void readBptt(const Expr &expr) {
    std::string head = headOf(expr);
    std::vector<double> numbers;
    bool isSqrt = false;
    for (const Argument &argument : expr.arguments) {
      if (argument.value->kind == Expr::Kind::Name && argument.value->text == "sqrt")
        isSqrt = true;
      else
        numbers.push_back(number(*argument.value).value_or(1));
    }
    for (double number : numbers)
      if (number < 1 || number != std::floor(number))
        return error(expr.location, "`" + head + "` takes whole numbers of at least 1");
    auto count = [&](size_t i) { return static_cast<int64_t>(std::min(numbers[i], 1e15)); };
    Bptt &bptt = result.bptt;
    if (head == "full" && numbers.empty()) {
      bptt.kind = Bptt::Full;
    } else if (head == "truncated" && (numbers.size() == 1 || numbers.size() == 2)) {
      bptt = {Bptt::Truncated, count(0), count(numbers.size() - 1), 0, {}};
      if (bptt.k2 < bptt.k1)
        error(expr.location, "goes back " + std::to_string(bptt.k2) + " steps, but updates every " +
                                 std::to_string(bptt.k1) + ": the steps between would have no gradient");
    } else if (head == "unroll" && numbers.size() == 1) {
      bptt = {Bptt::Unroll, count(0), 0, 0, {}};
      if (bptt.k1 > maxUnroll)
        error(expr.location, "unrolls " + std::to_string(bptt.k1) + " steps, more than the limit of 256");
    } else if (head == "checkpoint" && isSqrt) {
      bptt.kind = Bptt::CheckpointSqrt;
    } else if (head == "checkpoint" && numbers.size() == 1) {
      bptt = {Bptt::CheckpointBytes, 0, 0, count(0), {}};
    } else {
      error(expr.location, "`bptt` is full, truncated(k), truncated(k1, k2), checkpoint(sqrt), checkpoint(16 MiB) or "
                           "unroll(k)");
    }
    bptt.location = expr.location;
  }

  void readClip(const Expr &expr) {
    std::string head = headOf(expr);
    if ((head != "norm" && head != "value") || expr.arguments.size() != 1)
      return error(expr.location, "`clip` is norm(bound) or value(bound)");
    std::optional<double> bound = number(*expr.arguments[0].value);
    if (bound && *bound <= 0)
      error(expr.arguments[0].location, "the bound of `clip` is above 0");
    (head == "norm" ? result.clipNorm : result.clipValue) = bound.value_or(0);
  }

  Program &program;
  const TrainDecl &train;
  Train &result;
};

} // namespace

/// Whether a loop, or one within it, defines the name at each step.
static bool isStepOfLoops(const std::string &name, const std::vector<Statement> &body) {
  return std::any_of(body.begin(), body.end(), [&](const Statement &loop) {
    auto isStep = [&](const Statement &statement) {
      return std::any_of(statement.places.begin(), statement.places.end(),
                         [&](const Place &place) { return place.name == name && place.index == loop.index; });
    };
    return loop.kind == Statement::Kind::Each &&
           (std::any_of(loop.body.begin(), loop.body.end(), isStep) || isStepOfLoops(name, loop.body));
  });
}

void Elaborator::elaborateTraining(const TrainDecl &train, Train &result) {
  isTraining = true;
  SettingReader(program, train, result).run();
  Scope scope;
  declareNetwork(scope);
  for (const PortDecl &port : train.labels)
    declareInput(port, scope);
  const Setting *loss = nullptr;
  for (const Setting &setting : train.settings) {
    if (setting.given) {
      StatementGuard guard(statement, &setting);
      Item item = evaluate(*setting.value, scope);
      given[setting.name] = item;
      if (scope.names.count(setting.name) == 0 && !isStepOfLoops(setting.name, declaration.body))
        error(setting.location, "`" + setting.name + "` is not defined in network `" + train.network + "`");
    } else if (setting.name == "loss") {
      if (loss)
        error(setting.location, "`loss` is given twice", {{loss->location, "it is first given here"}});
      loss = &setting;
    }
  }
  if (!loss && isMeant(train, "loss"))
    return; // its name has been said to be wrong
  if (!loss) {
    error(train.location, "train block of `" + train.network + "` has no loss",
          {{train.location, "write `loss = cross_entropy(y, label)`"}});
    return;
  }
  StatementGuard guard(statement, loss);
  Item item = evaluate(*loss->value, scope);
  std::optional<Value> value = item.isError() ? std::nullopt : toTensor(item, scope, loss->location, "the loss");
  if (!value)
    return;
  if (!typeOf(*value).shape.empty() || typeOf(*value).element != Element::Float)
    error(loss->value->location,
          "the loss is one number for each example, not a value of shape " + describe(typeOf(*value)),
          {{loss->value->location, "take the mean over its dimensions"}});
  function.outputs.push_back({"loss", *value});
}

} // namespace nnc::dsl
