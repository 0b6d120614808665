//===- Elaborate.h - One function of a network ----------------------------===//
//
// The checker evaluates a network's definitions as they are needed: what is
// known when the program is compiled becomes a number, what is not becomes
// operations. One Elaborator makes one dsl::Function, inference or the forward
// part of a train block; its methods are spread over a file a concern.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_DSL_ELABORATE_H
#define NNC_DSL_ELABORATE_H

#include "dsl/Ast.h"
#include "dsl/Check.h"
#include "dsl/Layers.h"

#include <map>
#include <set>
#include <tuple>

namespace nnc::dsl {

struct Item;
struct Scope;

/// A layer with what it has been given so far.
struct LayerValue {
  const Layer *builtin = nullptr;
  const LayerDecl *declared = nullptr;
  std::vector<std::pair<std::string, Item>> arguments; ///< parameters, by name
  bool isBound = false;                                ///< required parameters are there
  std::string path;                                    ///< of an instance with a name of its own; else empty
  int64_t times = 0;                                   ///< of `repeat(times, layer)`
  std::shared_ptr<LayerValue> repeated;
  int depth = 1; ///< of layers given to layers
  std::string getName() const { return repeated ? "repeat" : builtin ? builtin->name : declared->name; }
};

/// What an expression is.
struct Item {
  enum class Kind {
    Error, ///< was said; what follows from it says nothing
    Number,
    Boolean,
    Word, ///< same, valid, online, …
    Tensor,
    Dim,
    Tuple,
    Layer
  } kind = Kind::Error;
  double number = 0;
  std::string word;
  Value value = 0;
  bool hasFinal = false; ///< of a loop's sequence: `final` is its last step
  Value final = 0;
  Dim dim;
  std::vector<Item> parts;
  bool isResults = false; ///< of a tuple: what a layer gives, of which the first is meant where one is wanted
  std::shared_ptr<LayerValue> layer;
  Location location;

  bool isError() const { return kind == Kind::Error; }
  bool is(Kind other) const { return kind == other; }
};

/// Says what is evaluated until it goes out of scope.
class StatementGuard {
public:
  StatementGuard(const void *&current, const void *next) : current(current), before(current) { current = next; }
  ~StatementGuard() { current = before; }

private:
  const void *&current;
  const void *before;
};

/// A name of a scope, evaluated when it is first needed.
struct Definition {
  const Statement *statement = nullptr; ///< null for what is given: parameters, inputs
  size_t place = 0;                     ///< which of the statement's places
  enum class State { Pending, Running, Done } state = State::Done;
  Item item;
  Location location;
};

/// A time loop that is being built.
struct LoopState {
  std::string index;
  Each each;
  std::vector<Value> sequences;
  std::map<Value, Value> elements;                  ///< of a sequence: this step of it
  std::map<std::string, std::vector<Value>> lagged; ///< of a state: 1, 2, … steps ago
  std::set<std::string> startless;                  ///< earlier steps of these are read, but have no start
};

/// The names of a network, a layer's call, or a loop's body.
struct Scope {
  Scope *parent = nullptr; ///< of a loop's body: what it stands in
  std::map<std::string, Definition> names;
  std::vector<Operation> *block = nullptr;
  LoopState *loop = nullptr;
  const std::vector<PortDecl> *results = nullptr; ///< declared shapes of what is defined here
  std::string path;
  std::map<std::string, int> counters; ///< of the layers of a layer's call, by kind

  /// Where layers are counted: loops do not count for themselves.
  Scope &home() { return loop && parent ? parent->home() : *this; }
};

/// Names of the layers of a network that have none of their own. Each of its functions has the same: in training a
/// statement may be evaluated earlier than in inference, or not at all. Those of a statement are known by their kind,
/// and by how many of the kind it had before.
struct LayerNames {
  std::map<std::tuple<const void *, std::string, int>, std::string> known;
  std::map<std::string, int> counters; ///< by kind
};

/// What all functions of all networks share.
struct Program {
  std::map<std::string, const LayerDecl *> layers; ///< declared, imported, standard
  std::set<std::string> standard;                  ///< of these, the standard library's
  Diagnostics &diagnostics;
  // What a program may cost, over all its networks and train blocks.
  size_t operations = 0, steps = 0;
  bool isExhausted = false; ///< a limit was reached and said: nothing more is evaluated
};

/// Whether what a call gives first are parameters: some are required, and none are there yet.
bool takesParametersFirst(const LayerValue &layer);

/// a * b of extents; what does not fit is the largest number.
int64_t multiplyExtents(int64_t a, int64_t b);

/// The largest number of anything: extents, steps, classes.
constexpr int64_t maxNumber = (int64_t(1) << 31) - 1;

Item makeNumber(double number, const Location &location);

/// What is meant where one thing is wanted: of the results of a layer the first, of a fixed length of a layer's shape
/// the number.
Item settle(Item item);

class Elaborator {
public:
  Elaborator(Program &program, Network &network, Function &function, const NetworkDecl &declaration, LayerNames &names)
      : program(program), network(network), function(function), declaration(declaration), names(names) {
    for (size_t i = 0; i < network.weights.size(); ++i)
      weights.emplace(network.weights[i].name, i);
  }

  /// Elaborates the network; for a train block also its labels and loss.
  void elaborateInference();
  void elaborateTraining(const TrainDecl &train, Train &result);

private:
  // Elaborate.cpp: networks, names and statements.
  void declareNetwork(Scope &scope);
  void declareStatements(const std::vector<Statement> &body, Scope &scope);
  bool declare(Scope &scope, const std::string &name, Definition definition);
  void forceAll(Scope &scope, const std::vector<Statement> &body);
  Item force(Definition &definition, Scope &scope);
  void runDefinition(const Statement &statement, Scope &scope);
  Item lookup(const std::string &name, Scope &scope, const Location &location);
  void finishOutputs(Scope &scope);

  // Declarations.cpp: parameters, inputs, weights.
  void declareParams(const std::vector<ParamDecl> &params, Scope &scope);
  void declareInput(const PortDecl &port, Scope &scope);
  std::optional<Type> evaluatePort(const PortDecl &port, Scope &scope, bool introducesDims);
  std::optional<Dim> evaluateDim(const Expr &expr, Scope &scope, bool introducesDims);
  void declareWeights(const Statement &statement, Scope &scope);
  std::optional<Initializer> evaluateInitializer(const Expr *expr, const std::vector<int64_t> &shape, Scope &scope);

  // Evaluate.cpp: expressions.
  Item evaluate(const Expr &expr, Scope &scope);
  Item evaluateUnary(const Expr &expr, Scope &scope);
  Item evaluateBinary(const Expr &expr, Scope &scope);
  Item evaluateNumbers(const Expr &expr, const Item &left, const Item &right);
  Item evaluateIf(const Expr &expr, Scope &scope);
  std::optional<int64_t> evaluateCount(const Expr &expr, Scope &scope, const std::string &what, int64_t least);

  // Calls.cpp: layers that are called.
  Item evaluatePipe(const Expr &expr, Scope &scope);
  Item evaluateCall(const Expr &expr, Scope &scope, const std::vector<Item> &leading = {});
  Item evaluateSpecial(const Expr &expr, const std::string &name, Scope &scope, bool &isSpecial);
  Item apply(const std::shared_ptr<LayerValue> &layer, std::vector<Item> values, Scope &scope,
             const Location &location);
  Item callDeclared(const LayerValue &layer, std::vector<Item> values, Scope &scope, const Location &location);

  // Subscripts.cpp: steps of loops, and parts of values.
  Item evaluateIndex(const Expr &expr, Scope &scope);
  Item evaluateStepOf(const Expr &base, Scope &loop, Scope &scope, const Location &location);
  Item refuseWithin(const LoopState &loop, const Location &location);

  // Operators.cpp: operations from operators.
  Item elementwise(const std::string &name, std::vector<Item> operands, Scope &scope, const Location &location,
                   std::vector<std::pair<std::string, Attribute>> attributes = {});
  Item multiply(const Item &left, const Item &right, Scope &scope, const Location &location);
  Item matrixTimesVector(Value matrix, Value vector, Scope &scope, const Location &location);
  Value broadcast(Value value, const Shape &shape, Scope &scope, const Location &location);
  Value constant(double number, Element element, Scope &scope, const Location &location);
  std::optional<Value> toTensor(const Item &item, Scope &scope, const Location &location, const std::string &what);

  // Builtins.cpp: operations from built-in layers.
  Item applyBuiltin(const LayerValue &layer, std::vector<Item> values, Scope &scope, const Location &location);
  Item applyDense(const LayerValue &layer, Value x, Scope &scope, const Location &location);
  bool checkPadded(Type type, const std::vector<int64_t> &padding, const Location &location);
  bool checkSpatial(const LayerValue &layer, Value x, const Location &location);
  Item applyConv(const LayerValue &layer, Value x, Scope &scope, const Location &location);
  Item applyPool(const LayerValue &layer, Value x, Scope &scope, const Location &location);
  Item applyAdaptivePool(const LayerValue &layer, Value x, Scope &scope, const Location &location);
  Value averageWindows(Value x, const std::vector<int64_t> &window, Type result, Scope &scope,
                       const Location &location);
  Value splitAndAverage(Value x, size_t dim, int64_t parts, Scope &scope, const Location &location);
  Item applyNorm(const LayerValue &layer, Value x, Scope &scope, const Location &location);
  Value addBias(Value x, int64_t n, Scope &scope, const std::string &path, const Location &location);
  Item reshapeTo(Value x, Shape shape, Scope &scope, const Location &location);

  // Reductions.cpp: sums, means and losses.
  Item applyReduction(const LayerValue &layer, Value x, Scope &scope, const Location &location);
  Item applyLoss(const LayerValue &layer, Value y, Value target, Scope &scope, const Location &location);

  // Moves.cpp: layers that move elements.
  Item applyMove(const LayerValue &layer, const std::vector<Value> &values, Scope &scope, const Location &location);
  Item applyConcat(const LayerValue &layer, const std::vector<Value> &values, Scope &scope, const Location &location);

  // Parameters.cpp: what built-in layers are given.
  double numberOf(const LayerValue &layer, const std::string &name);
  bool flagOf(const LayerValue &layer, const std::string &name);
  const Item *argumentOf(const LayerValue &layer, const std::string &name);
  std::optional<std::vector<int64_t>> extentsOf(const LayerValue &layer, const std::string &name, size_t rank);
  std::optional<std::vector<int64_t>> paddingOf(const LayerValue &layer, const std::vector<int64_t> &kernel,
                                                const std::vector<int64_t> &dilation);
  std::optional<std::vector<int64_t>> axesOf(const LayerValue &layer, size_t rank, const Location &location);
  bool checkParameter(const Parameter &parameter, const Item &item, const LayerValue &layer);
  std::shared_ptr<LayerValue> bind(const LayerValue &layer, const Expr &call, Scope &scope, size_t firstPositional);

  // States.cpp: what goes from step to step of a loop.
  bool declareStates(const Statement &statement, LoopState &loop, Scope &scope, std::map<std::string, Value> &starts);
  void finishStates(const Statement &statement, LoopState &loop, Scope &body);
  std::optional<Type> stateType(const StartDecl &start, const Item &value, Scope &scope);
  std::optional<Value> makeStart(const StartDecl &start, const Item &value, const Type &type, Scope &scope);

  // Loops.cpp: each, and what goes through steps.
  Scope openLoop(LoopState &loop, Scope &scope, const Location &location);
  void runEach(const Statement &statement, Scope &scope);
  void exportLoop(const Statement &statement, LoopState &loop, Operation operation, Scope &scope, Scope &body);
  Value elementOf(LoopState &loop, Value sequence, const Location &location);
  Value stepOf(Value sequence, Scope &body, const Location &location);
  Item evaluateStep(const Expr &expr, const std::string &name, LoopState &loop, Scope &loopScope, int64_t lag,
                    Scope &scope);
  Item reduceOver(const Expr &expr, const std::string &name, Scope &scope);

  // Values.cpp: what there is, and what is said of it.
  Value emit(const std::string &name, std::vector<Value> operands, Type type, Scope &scope, const Location &location,
             std::vector<std::pair<std::string, Attribute>> attributes = {});
  Value addValue(Type type, const Location &location, std::string name = {});
  Value readWeight(const std::string &path, const std::vector<int64_t> &shape, Initializer init, bool trainable,
                   const Location &location);
  std::string childPath(Scope &scope, const LayerValue &layer);
  std::string networkLayer(const std::string &kind);
  const Type &typeOf(Value value) const { return function.values[value].type; }
  Item tensor(Value value) const;
  Item error(const Location &location, const std::string &message, std::vector<Note> notes = {});
  Item exhaust(const Location &location, const std::string &message, std::vector<Note> notes = {});
  bool spend(const Location &location);
  void countOperation(const Location &location);
  bool checkSize(const Type &type, const Location &location);
  Note originOf(Value value, const std::string &what) const;
  std::string describe(const Shape &shape) const;
  std::string describe(const Type &type) const;
  std::string describe(const Dim &dim) const;
  std::string describe(const Item &item) const;
  bool dependsOnInputs(Value value) const { return batched.count(value) != 0; }

  Program &program;
  Network &network;
  Function &function;
  const NetworkDecl &declaration;
  LayerNames &names;
  const void *statement = nullptr;                            ///< of the network or the train block, that is evaluated
  std::map<std::pair<const void *, std::string>, int> layers; ///< how many a statement has had, by kind
  std::map<std::string, size_t> weights;                      ///< of the network, by name
  std::map<std::string, Value> reads;                         ///< weights that were read
  std::set<Value> batched;                                    ///< values that differ from example to example
  std::map<std::string, Item> given;                          ///< `given name = value`
  std::vector<const LayerDecl *> stack;                       ///< of calls, against recursion
  int depth = 0;                                              ///< of expressions, through definitions and layers
  bool isTraining = false;
};

} // namespace nnc::dsl

#endif // NNC_DSL_ELABORATE_H
