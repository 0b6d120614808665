//===- Group.h - What a target is given -----------------------------------===//
//
// A group is one kernel: an algorithm without a schedule, made by
// compiler/halide, and what a schedule must know of it. Nothing here says how
// to compute; nothing in targets/*/schedules says what.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_TARGETS_GROUP_H
#define NNC_TARGETS_GROUP_H

#include <Halide.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nnc::targets {

/// How many parts of this size it takes; the last may have less.
constexpr int64_t divideCeil(int64_t all, int64_t part) { return (all + part - 1) / part; }

/// The family of a group's anchor chooses the file of its schedule. In the order
/// of the dialect's families.
enum class Family { Elementwise, Dense, Conv, Pool, Norm, Reduce, Reshape, Loss };

/// One loop of a stage.
struct Loop {
  Halide::Var var;
  int64_t extent;    ///< 0 when it is an argument of the kernel
  Halide::Expr size; ///< the extent as an expression: a constant or the argument
};

/// One loop of a stage's reduction.
struct ReductionLoop {
  Halide::RVar var;
  int64_t extent;    ///< 0 when it is an argument of the kernel
  Halide::Expr size; ///< the extent as an expression
};

/// What a stage is to the schedule.
enum class Role {
  Contraction,  ///< update: acc += a * b; b is contiguous along the innermost loop
  InnerProduct, ///< the same; a and b are contiguous along the innermost loop of the reduction
  OuterProduct, ///< the same; sums over all rows or pixels, which the result does not have
  Reduction,    ///< update: a sum, maximum, … of its operand
  Padded,       ///< a copy of an input with its border, read by a window
  Transform,    ///< pure; of Winograd's convolution, a linear map of tiles along one dimension
  Value         ///< pure; worth storing because several points read it
};

/// How a window moves along one dimension of a padded image.
struct WindowStep {
  int64_t stride; ///< from one window to the next
  int64_t span;   ///< from the first to the last element of one window

  /// Elements that so many windows read, one after the other.
  int64_t countRead(int64_t windows) const { return (windows - 1) * stride + span; }
};

/// What a product multiplies, at a point of the reduction: a pure Func that is computed
/// where it is read unless the schedule places it.
struct Factor {
  Halide::Func func;           ///< of those loops of the stage and of its reduction that it depends on
  std::vector<int> loops;      ///< which loops of the stage, for each of its last dimensions; 0 comes first of all
  std::vector<int> reductions; ///< which loops of the reduction, for each of its first dimensions but loop 0
};

/// A Func that the schedule may place. What it does not place is inlined;
/// stages with an update must be placed.
struct Stage {
  Role role;
  Halide::Func func;
  std::vector<Loop> loops;               ///< of the pure definition, innermost first
  std::vector<ReductionLoop> reductions; ///< of update(0), innermost first
  /// Of a padded image: for its loops 1, 2, …, the spatial ones. Of what belongs to
  /// the windows of a pool backwards: for all of its loops from 1 on. Of sums for every
  /// stride-th pixel of the result: the spatial loops.
  std::vector<WindowStep> window;
  /// Of products: what is multiplied, two factors for each value of the Func. The second depends
  /// on the innermost loop.
  std::vector<Factor> factors;
  bool alongRow = false; ///< a reduction whose innermost loop goes from neighbour to neighbour in memory
};

/// One kernel.
struct Group {
  std::string name; ///< the symbol
  Family family;
  Stage out; ///< all results: one Func, a Tuple when there are several; with reductions, a scatter
  /// Of several results, what `out` stores: a pure Func of the same loops. Where it is
  /// placed, all are computed before one is stored.
  Halide::Func values;
  std::vector<Stage> stages; ///< in the order of computation, without `out`
  std::vector<Halide::Argument> arguments;
  /// Of these, the buffers whose memory results may take: of each an element is read only for the
  /// same element of results, and a result that takes it follows from it.
  std::vector<std::string> inPlace;
  /// What a schedule has done to the lowered code, in this order.
  std::vector<std::shared_ptr<Halide::Internal::IRMutator>> passes;
};

/// The pipeline of a group that has been scheduled.
inline Halide::Pipeline makePipeline(const Group &group) {
  Halide::Pipeline pipeline(group.out.func);
  for (const std::shared_ptr<Halide::Internal::IRMutator> &pass : group.passes)
    pipeline.add_custom_lowering_pass(pass.get(), [pass] {});
  return pipeline;
}

} // namespace nnc::targets

#endif // NNC_TARGETS_GROUP_H
