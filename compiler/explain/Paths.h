//===- Paths.h - The ways of errors back through a function ---------------===//

#ifndef NNC_COMPILER_EXPLAIN_PATHS_H
#define NNC_COMPILER_EXPLAIN_PATHS_H

#include "compiler/dialect/NN.h"

#include "llvm/ADT/MapVector.h"

#include <memory>
#include <optional>

namespace nnc::explain {

/// What is worth telling of a way.
struct Mark {
  enum Kind {
    Layer,     ///< a contraction with a weight
    Saturates, ///< tanh, sigmoid: where they are flat no error passes
    Gate       ///< times a sigmoid, which lets the error through as far as it is open
  } kind;
  mlir::Operation *op;
};

/// How far a way goes back in the steps of one loop.
struct Back {
  nn::EachOp loop;
  int64_t from = 0;    ///< the fewest steps
  bool goesOn = false; ///< to the first step of the loop
  bool leaves = false; ///< through all steps, to the loop's start
};

/// A way from a loss back to a value.
struct Way {
  struct Link {
    Mark mark;
    std::shared_ptr<const Link> before;
  };
  int64_t layers = 0, saturations = 0;
  std::shared_ptr<const Link> marks;
  std::vector<Back> backs; ///< through loops that carry states

  void add(Mark mark) {
    marks = std::make_shared<const Link>(Link{mark, marks});
    layers += mark.kind == Mark::Layer;
    saturations += mark.kind == Mark::Saturates;
  }
  /// From the loss on.
  std::vector<Mark> getMarks() const;
};

/// What is known of all ways to a value: the best one, and the layers of the longest that goes back in time no
/// further than it must.
struct Reach {
  Way best;
  int64_t longest = 0;
};
using Reaches = llvm::MapVector<mlir::Value, Reach>;

/// Which of two ways is better.
enum class Prefer {
  FewLayers,     ///< then few saturations
  FewSaturations ///< then few layers
};

/// The ways in one function.
class Paths {
public:
  explicit Paths(mlir::Block &function);

  /// Follows errors from the values in `reaches` back through a block of the function, with the loops in it, to all
  /// that they reach. Loops go back as often as there may be something new.
  void followBack(mlir::Block &block, Reaches &reaches, Prefer prefer);

  /// The states of a loop from one step to the step before: [after the step][before it], where there is a way.
  std::vector<std::vector<std::optional<Way>>> followStates(nn::EachOp loop);

  /// The weight that a value is, or is made of without anything that examples differ in; null for others.
  nn::ReadOp getWeight(mlir::Value value) const { return weights.lookup(value); }

private:
  Reaches followStep(nn::EachOp loop, const Reaches &outer, llvm::ArrayRef<std::optional<Reach>> next, bool isFirst,
                     Prefer prefer);
  void followLoop(nn::EachOp loop, Reaches &outer, Prefer prefer);
  Way pass(Way way, mlir::Operation *op, mlir::OpOperand &operand) const;

  llvm::DenseMap<mlir::Value, nn::ReadOp> weights;
  int64_t visits = 0; ///< of ops; loops in loops with many states are cut short when there were too many
};

} // namespace nnc::explain

#endif // NNC_COMPILER_EXPLAIN_PATHS_H
