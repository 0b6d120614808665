//===- Graph.h - One function's operations as nn ops ----------------------===//

#ifndef NNC_COMPILER_IMPORT_GRAPH_H
#define NNC_COMPILER_IMPORT_GRAPH_H

#include "compiler/dialect/NN.h"
#include "dsl/Model.h"

#include "llvm/ADT/DenseSet.h"

#include <array>
#include <functional>
#include <optional>

namespace nnc {

/// An attribute that the checker gave an operation.
template <typename T> const T &getAttribute(const dsl::Operation &operation, llvm::StringRef name) {
  for (const auto &[key, value] : operation.attributes)
    if (key == name)
      return std::get<T>(value);
  llvm_unreachable("a checked operation has its attributes");
}

/// Builds the operations of one dsl::Function at a builder's insertion point.
///
/// In a Model shapes are those of one example and the batch is not written; here
/// it stands between the free and the fixed dimensions, except in values that
/// depend on weights alone. What a ragged batch needs is made explicit: masks
/// before ops that look across time, and states that stay once an example has
/// ended.
class GraphImporter {
public:
  GraphImporter(mlir::OpBuilder &builder, const dsl::Network &network, const dsl::Function &function)
      : builder(builder), network(network), function(function), values(function.values.size()) {}

  /// Gives a value of the function, an input say, in the layout of the network.
  void set(dsl::Value value, mlir::Value imported) { values[value] = imported; }
  mlir::Value get(dsl::Value value) const { return values[value]; }

  /// The number of steps of each example along a free dimension:
  /// tensor<?xi32, #nn.dims<"batch">>.
  void setLengths(int32_t freeDim, mlir::Value lengths) { this->lengths[freeDim] = lengths; }

  /// When set, top-level loops start from what this gives for their n-th state
  /// instead of from their start values; `storeFinal` is told what it ends as.
  std::function<mlir::Value(unsigned state, mlir::Value start)> loadStart;
  std::function<void(unsigned state, mlir::Value final)> storeFinal;

  /// Of a function that goes through a window of a sequence, for each example (int32):
  struct Window {
    mlir::Value own;     ///< its steps whose losses are this window's: the last of those that it goes through
    mlir::Value total;   ///< its steps in all windows
    mlir::Value divisor; ///< of the gradients of means over steps: `own`, or `total`
    mlir::Value kept;    ///< the steps before the next window's start
    mlir::Value first;   ///< 1 where the window begins with the sequence
    mlir::Value ends;    ///< 1 where the example's last step is one of its own
    bool overlaps;       ///< the next one may start before this one ends
  };
  std::optional<Window> window;

  /// What a loop's state starts from in a window.
  mlir::Value chooseStart(mlir::Value start, mlir::Value carried);

  /// The losses of a window: those that gradients are of, and the window's share in
  /// the loss of the whole sequence.
  std::pair<mlir::Value, mlir::Value> importWindowLosses(llvm::ArrayRef<dsl::LossTerm> terms);

  /// When set, the function is one that trains: dropout drops by this seed, batch norm
  /// takes the batch's own statistics and moves the running ones.
  mlir::Value seed;

  void importOperations(llvm::ArrayRef<dsl::Operation> operations);

  /// The type of a value in the network's layout.
  mlir::RankedTensorType getType(const dsl::Type &type, bool batched) const;

  /// The lengths of each example along a dimension derived from a free one.
  mlir::Value getLengths(const dsl::Dim &dim);

  /// From here on lengths are those of `value`: where it follows from a loop that ends by
  /// `until`, those at which that loop ended.
  void useLengthsOf(dsl::Value value) { followsEnd = ended.contains(value); }

  /// `value` with what lies past each example's end along its free dimensions
  /// replaced by `fill`.
  mlir::Value mask(mlir::Value value, const dsl::Type &type, double fill);

  /// `value` for each example, where it depends on weights alone.
  mlir::Value makeBatched(mlir::Value value, const dsl::Type &type);

  mlir::Location getLocation(const dsl::Location &location, llvm::StringRef path) const;

private:
  mlir::Value import(const dsl::Operation &operation);
  mlir::Value importBroadcast(const dsl::Operation &operation);
  mlir::Value importReduction(const dsl::Operation &operation);
  mlir::Value importAveragePool(const dsl::Operation &operation);
  mlir::Value importLast(const dsl::Operation &operation);
  mlir::Value importDropout(const dsl::Operation &operation);
  void importEach(const dsl::Operation &operation);
  void importLoopOperands(const dsl::Operation &operation, llvm::SmallVectorImpl<mlir::Value> &sequences,
                          llvm::SmallVectorImpl<mlir::Value> &starts);
  void setLoopResults(const dsl::Operation &operation, llvm::ArrayRef<mlir::Value> outputs,
                      llvm::ArrayRef<mlir::Value> finals);
  bool readsEnded(const dsl::Operation &operation) const;
  void nameResults(const dsl::Operation &operation);
  /// How many steps of a loop are each example's own: tensor<?xi32, #nn.dims<"batch">>.
  mlir::Value getLimit(const dsl::Each &each);
  /// Whether each example has no step left, and the limits after this one.
  std::pair<mlir::Value, mlir::Value> importUntil(const dsl::Each &each);

  /// `value` without what lies past each example's end, in loops too.
  mlir::Value fillPastEnd(mlir::Value value, const dsl::Type &type, double fill);
  /// Whether a step of a loop is one of the example's own, for each element of `type`.
  mlir::Value isAlive(const dsl::Each &each, mlir::RankedTensorType type);
  /// Whether count < limits of each example, for each element of `type`.
  mlir::Value isBelow(mlir::Value count, mlir::Value limits, mlir::RankedTensorType type);
  mlir::Value number(int32_t value);
  mlir::Value real(double value);
  /// What the next window's state starts from.
  mlir::Value keepState(mlir::Value stacked, mlir::Value start);
  /// Makes operands of ops whose derivative is not finite everywhere harmless past the end.
  void guardOperands(const dsl::Operation &operation, llvm::SmallVectorImpl<mlir::Value> &operands);

  // BatchNorm.cpp
  mlir::Value importBatchStatistics(const dsl::Operation &operation);
  mlir::Value countValues(mlir::Value x, const dsl::Type &type);
  mlir::Value countSteps(const dsl::Type &type, mlir::Value skipped);
  void moveStatistics(const dsl::Operation &operation, std::array<mlir::Value, 2> current, mlir::Value count);
  mlir::Value getStatistic(nn::ReadOp weight);
  void setStatistic(nn::ReadOp weight, mlir::Value moved);
  llvm::SmallVector<nn::ReadOp> findStatistics(llvm::ArrayRef<dsl::Operation> operations) const;
  /// Whether not all that a value of this type has at this place is an example's own.
  bool isRagged(const dsl::Type &type) const;

  // Beam.cpp
  struct Search;
  struct Choice {
    mlir::Value parents, words, scores; ///< of each beam
  };
  static bool hasBeams(const dsl::Operation &operation);
  void importBeams(const dsl::Operation &operation);
  void importSearchStep(const Search &search, mlir::ValueRange carried);
  llvm::SmallVector<mlir::Value> importEarly(const Search &search, llvm::ArrayRef<mlir::Value> states,
                                             mlir::Value limit);
  llvm::SmallVector<mlir::Value> importLate(const Search &search, llvm::ArrayRef<mlir::Value> kept, mlir::Value words,
                                            mlir::Value limit);
  Choice chooseWords(mlir::Value logarithms, mlir::Value scores, mlir::Value areAlive);
  nn::EachOp traceBack(nn::EachOp loop);
  mlir::Value repeatForBeams(mlir::Value value, int64_t beams);
  mlir::Value takeBeam(mlir::Value value, int64_t beam);
  mlir::Value chooseBeams(mlir::Value value, mlir::Value numbers);
  llvm::SmallVector<mlir::Value> mapBeams(int64_t beams, llvm::ArrayRef<mlir::Value> values,
                                          llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::ValueRange)> compute);

  std::string getStateName(const dsl::Operation &loop, dsl::Value carried) const;
  mlir::StringAttr getName(const dsl::Dim &dim) const;
  mlir::StringAttr getTripName(const dsl::Each &each) const;
  mlir::RankedTensorType getStackedType(const dsl::Each &each, mlir::RankedTensorType type) const;
  mlir::Value hold(mlir::Value newest, mlir::Value before, const dsl::Each &each);
  mlir::Value build(llvm::StringRef name, mlir::ValueRange operands, llvm::ArrayRef<mlir::NamedAttribute> attributes);
  llvm::SmallVector<mlir::NamedAttribute> convertAttributes(const dsl::Operation &operation, bool batched);
  void makeAlike(const dsl::Operation &operation, llvm::SmallVectorImpl<mlir::Value> &operands);
  const dsl::Type &typeOf(dsl::Value value) const { return function.values[value].type; }
  bool hasFreeDim(const dsl::Type &type) const;

  mlir::OpBuilder &builder;
  const dsl::Network &network;
  const dsl::Function &function;
  llvm::SmallVector<mlir::Value> values;
  llvm::DenseMap<int32_t, mlir::Value> lengths;
  mlir::Location location = builder.getUnknownLoc();
  unsigned states = 0;
  unsigned depth = 0;
  mlir::Value step;                           ///< of the innermost loop
  llvm::SmallVector<const dsl::Each *> loops; ///< those around, the innermost last
  int64_t dropouts = 0;

  // Of running statistics, by weight:
  llvm::DenseMap<mlir::Attribute, mlir::Value> statistics; ///< what they are at this place, once moved
  llvm::DenseMap<mlir::Attribute, nn::StoreOp> stores;     ///< what keeps them for the next call

  // Of loops that end by `until`:
  llvm::DenseMap<const dsl::Each *, mlir::Value> limits; ///< before the step that is imported
  llvm::DenseMap<int32_t, mlir::Value> ends;             ///< by free dimension: where examples ended
  llvm::DenseSet<dsl::Value> ended;                      ///< what follows from such a loop
  bool followsEnd = false;                               ///< what is imported does
};

} // namespace nnc

#endif // NNC_COMPILER_IMPORT_GRAPH_H
