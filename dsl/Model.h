//===- Model.h - A checked program ----------------------------------------===//
//
// What `check` gives: every network as a flat list of operations, layers
// inlined, parameters evaluated, repetitions written out, names resolved and
// shapes inferred. A Model cannot say anything wrong, so the importer that
// reads it has no error path.
//
// An operation's name and attributes are those of the `nn` dialect's op of the
// same name (docs/dialect.md): the importer needs no table of its own.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_DSL_MODEL_H
#define NNC_DSL_MODEL_H

#include "dsl/Diagnostic.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace nnc::dsl {

/// One extent of a shape: fixed, or derived from a free dimension as
/// floor((length + offset) / stride), which convolution and pooling over time
/// are closed under. Never negative: a length too short for a kernel gives 0.
struct Dim {
  static constexpr int32_t Fixed = -1;

  int32_t free = Fixed; ///< index into Network::freeDims, or Fixed
  int64_t size = 0;     ///< the extent, when fixed
  int64_t offset = 0;   ///< when free
  int64_t stride = 1;   ///< when free; at least 1

  static Dim fixed(int64_t size) { return {Fixed, size, 0, 1}; }
  static Dim of(int32_t free) { return {free, 0, 0, 1}; }
  bool isFixed() const { return free == Fixed; }
  bool operator==(const Dim &other) const {
    return free == other.free && size == other.size && offset == other.offset && stride == other.stride;
  }
  bool operator!=(const Dim &other) const { return !(*this == other); }
};

/// The shape of one example. Free dimensions come before fixed ones.
using Shape = std::vector<Dim>;

/// What an element is. Class values are int32 in [0, classes).
enum class Element { Float, Class, Bool };

struct Type {
  Element element = Element::Float;
  Shape shape;
  int64_t classes = 0; ///< for Element::Class

  bool operator==(const Type &other) const {
    return element == other.element && shape == other.shape && classes == other.classes;
  }
};

/// A value is an index into Function::values.
using Value = uint32_t;

struct ValueInfo {
  Type type;
  std::string name; ///< the user's name when there is one, else empty
  Location location;
};

/// Dimensions of an example, which the importer renumbers for the dialect's
/// types (there the batch stands between the free and the fixed dimensions).
struct Axes {
  std::vector<int64_t> dims; ///< non-negative, ascending
};

using Attribute = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>, Axes>;

struct Each;

/// One operation of the `nn` dialect.
struct Operation {
  std::string name; ///< the op's mnemonic: "conv", "tanh", "each", …
  std::vector<Value> operands;
  std::vector<Value> results;
  std::vector<std::pair<std::string, Attribute>> attributes;
  std::string path;           ///< of definitions and layers: "stage3.bottleneck7.conv1"
  Location location;          ///< of the expression that asked for it
  std::unique_ptr<Each> each; ///< for "each" alone
};

/// A time loop: runs `body` for t = 1..extent(trip).
///
/// operands of the operation: the sequences, then the start values of the
/// carried states. results: the stacked outputs, then the carried states as
/// they are after each example's own last step; with `until` also how many steps
/// each example took (Class of shape []).
///
/// An earlier step down to lag k is k carried states: the first is h[t-1], the
/// second h[t-2], …; the body yields the newest and the shifted ones.
struct Each {
  Dim trip;                    ///< number of steps; ragged when free
  Value index;                 ///< t: a Class value of shape [], 0-based in the IR
  std::vector<Value> elements; ///< in the body: one step of each sequence operand
  std::vector<Value> carried;  ///< in the body: each state before this step
  std::vector<Operation> body;
  std::vector<Value> next;    ///< each state after this step
  std::vector<Value> outputs; ///< what is stacked over time
  bool hasUntil = false;
  Value until = 0; ///< Bool of shape []: this example ends after this step. In inference alone
};

/// How a weight gets its first value. `a` and `b` are: constant(a),
/// uniform(a, b), normal(0, a); glorot, he and orthogonal have none.
struct Initializer {
  enum Kind { Constant, Glorot, He, Uniform, Normal, Orthogonal } kind = Glorot;
  double a = 0, b = 0;
  int64_t fanIn = 1, fanOut = 1; ///< for glorot (Glorot & Bengio 2010) and he (He et al. 2015)
};

struct Weight {
  std::string name; ///< stable path: "stage3.bottleneck7.conv_bn1.conv1.kernel"
  std::vector<int64_t> shape;
  Initializer init;
  bool trainable = true; ///< false for running statistics
  Location location;
};

/// A length that is known only when the library is called.
struct FreeDim {
  std::string name;
  int64_t bound = 0; ///< of `L <= 60`; 0 when unbounded
  Location location;
};

/// A value that crosses the library's boundary.
struct Port {
  std::string name;
  Value value;
};

/// One thing to compile: inference, or the forward part of a train block.
/// Operations are in an order in which every operand is defined before it is
/// used. A weight is read by the operation "read" with attribute `weight`.
struct Function {
  std::string name; ///< "infer"; for a train block its name ("train" when it has none)
  std::vector<Port> inputs, outputs;
  std::vector<ValueInfo> values;
  std::vector<Operation> operations;
};

/// A setting that is an expression of `step` and `epoch` only, in postfix.
struct RateExpression {
  struct Term {
    /// "step", "epoch"; of one operand neg, exp, log, sqrt, cos; of two add, sub, mul, div, pow, min, max, and, which
    /// give truth values, less, less_equal, equal; of a truth value and two more select. None: a number.
    std::string name;
    double number = 0;
  };
  std::vector<Term> postfix;
};

/// How back-propagation through time is bounded.
struct Bptt {
  enum Kind { Full, Truncated, CheckpointSqrt, CheckpointBytes, Unroll } kind = Full;
  int64_t k1 = 0, k2 = 0, bytes = 0; ///< of Truncated 1 <= k1 <= k2
  Location location;
};

/// A part of a loss that is taken window by window: the loss is the sum of its
/// terms, each times its factor.
struct LossTerm {
  enum Kind {
    Mean, ///< over the steps: the value is what an operation `mean` gives
    Sum,  ///< likewise `sum`
    End   ///< known once an example has ended
  } kind = End;
  Value value = 0; ///< a number for each example
  double factor = 1;
};

/// A train block: its forward function ends in one output, the loss of each
/// example.
struct Train {
  std::string name; ///< as written after `as`, else "train"
  Function forward; ///< inputs: the network's, then the labels
  std::string optimizer;
  RateExpression rate;
  std::vector<std::pair<std::string, double>> hyperparameters; ///< momentum, beta1, …
  enum class Batch { Online, Mini, Full } batch = Batch::Mini;
  int64_t batchSize = 1;
  bool reduceSum = false;
  Bptt bptt;
  std::vector<LossTerm> lossTerms;                     ///< of Bptt::Truncated
  double clipNorm = 0, clipValue = 0, weightDecay = 0; ///< 0: none
  Location location;
};

struct Network {
  std::string name;
  std::vector<FreeDim> freeDims;
  std::vector<Weight> weights;
  Function infer;
  std::vector<Train> trains;
  /// What the program says and the compiler has no code for yet. Errors keep the
  /// network from being compiled; a model that has them can still be looked at.
  Diagnostics pending;
  Location location;
};

/// A whole file, with what it imports.
struct Model {
  std::vector<Network> networks;
};

} // namespace nnc::dsl

#endif // NNC_DSL_MODEL_H
