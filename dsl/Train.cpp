//===- Train.cpp - train blocks -------------------------------------------===//

#include "dsl/Elaborate.h"
#include "dsl/Rate.h"

#include <algorithm>
#include <cmath>

namespace nnc::dsl {

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

/// What an optimizer is told beside its rate: a number of at least 0, a factor or a share below 1.
struct Hyperparameter {
  std::string name;
  double value;
  bool isBelowOne;
};

/// Reads the settings of one train block; says what is wrong with them. `constants` are the network's parameters that
/// are numbers.
class SettingReader {
public:
  SettingReader(Program &program, const TrainDecl &train, Train &result, std::map<std::string, double> constants)
      : program(program), train(train), result(result), constants(std::move(constants)) {}

  void run() {
    std::map<std::string, const Setting *> known;
    for (const Setting &setting : train.settings) {
      if (setting.given)
        continue;
      if (auto [first, isNew] = known.emplace(setting.name, &setting); !isNew)
        error(setting.location, "`" + setting.name + "` is given twice",
              {{first->second->location, "it is first given here"}});
      else if (setting.name != "loss")
        read(setting);
    }
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
    if (auto known = constants.find(expr.text); expr.kind == Expr::Kind::Name && known != constants.end())
      return known->second;
    error(expr.location, "is a number here");
    return std::nullopt;
  }

  /// A number of at least 0, where `isBelowOne` below 1.
  std::optional<double> share(const Expr &expr, const std::string &what, bool isBelowOne) {
    std::optional<double> value = number(expr);
    if (value && (*value < 0 || (isBelowOne && *value >= 1))) {
      error(expr.location, what + " is at least 0" + (isBelowOne ? " and below 1" : ""));
      return std::nullopt;
    }
    return value;
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
      result.weightDecay = share(value, "`weight_decay`", /*isBelowOne=*/false).value_or(0);
    else if (setting.name == "reduce" && (headOf(value) == "sum" || headOf(value) == "mean"))
      result.reduceSum = headOf(value) == "sum";
    else if (setting.name == "reduce")
      error(value.location, "`reduce` is sum or mean");
    else {
      std::vector<Note> notes;
      if (std::string near = suggest(setting.name, settingNames); !near.empty())
        notes.push_back({setting.location, "did you mean `" + near + "`?"});
      error(setting.location, "`" + setting.name + "` is no setting of a train block", std::move(notes));
    }
  }

  void readOptimizer(const Expr &expr) {
    static const Hyperparameter epsilon{"epsilon", 1e-8, false}, momentum{"momentum", 0.9, true},
        beta1{"beta1", 0.9, true}, beta2{"beta2", 0.999, true};
    static const std::map<std::string, std::vector<Hyperparameter>> optimizers{
        {"sgd", {}},
        {"momentum", {momentum}},
        {"nesterov", {momentum}},
        {"adagrad", {{"epsilon", 1e-10, false}}},
        {"rmsprop", {{"decay", 0.99, true}, epsilon}},
        {"adam", {beta1, beta2, epsilon}},
        {"adamw", {beta1, beta2, epsilon, {"decay", 0.01, false}}}};
    std::string name = headOf(expr);
    auto known = optimizers.find(name);
    if (known == optimizers.end()) {
      std::vector<std::string> names;
      for (auto &[optimizer, parameters] : optimizers)
        names.push_back(optimizer);
      std::vector<Note> notes;
      if (std::string near = suggest(name, names); !near.empty())
        notes.push_back({expr.location, "did you mean `" + near + "`?"});
      if (name.empty())
        return error(expr.location, "an optimizer is sgd, momentum, nesterov, adagrad, rmsprop, adam or adamw");
      return error(expr.location, "`" + name + "` is no optimizer", std::move(notes));
    }
    result.optimizer = name;
    for (const Hyperparameter &parameter : known->second)
      result.hyperparameters.emplace_back(parameter.name, parameter.value);
    result.rate.postfix = {{"", 0.01}};
    std::set<std::string> given;
    for (const Argument &argument : expr.arguments) {
      bool isRate = argument.name == "rate" || (argument.name.empty() && &argument == &expr.arguments.front());
      if (argument.name.empty() && !isRate)
        error(argument.location, "optimizer `" + name + "` takes its rate first, and all else by name");
      else if (!given.insert(isRate ? "rate" : argument.name).second)
        error(argument.location, "gives parameter `" + (isRate ? "rate" : argument.name) + "` twice");
      else if (isRate)
        result.rate = readRate(*argument.value, constants, program.diagnostics);
      else
        readHyperparameter(argument, known->second);
    }
  }

  void readHyperparameter(const Argument &argument, const std::vector<Hyperparameter> &parameters) {
    for (size_t i = 0; i < parameters.size(); ++i)
      if (parameters[i].name == argument.name) {
        double &value = result.hyperparameters[i].second;
        std::string what = "`" + argument.name + "` of `" + result.optimizer + "`";
        value = share(*argument.value, what, parameters[i].isBelowOne).value_or(value);
        return;
      }
    error(argument.location, "optimizer `" + result.optimizer + "` has no parameter `" + argument.name + "`");
  }

  void readBatch(const Expr &expr) {
    std::string word = headOf(expr);
    if (word == "online" || word == "full") {
      result.batch = word == "online" ? Train::Batch::Online : Train::Batch::Full;
      return;
    }
    auto known = constants.find(word);
    bool isNumber = expr.kind == Expr::Kind::Number || known != constants.end();
    double size = known == constants.end() ? expr.number : known->second;
    if (isNumber && size >= 1 && size <= static_cast<double>(maxNumber) && size == std::floor(size)) {
      result.batchSize = static_cast<int64_t>(size);
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
  std::map<std::string, double> constants;
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
  Scope scope;
  declareNetwork(scope);
  std::map<std::string, double> constants;
  for (const ParamDecl &param : declaration.params)
    if (const Item &item = scope.names.at(param.name).item; item.is(Item::Kind::Number))
      constants.emplace(param.name, item.number);
  SettingReader(program, train, result, std::move(constants)).run();
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
      if (!loss)
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
