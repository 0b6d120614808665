//===- Interface.h - What a compiled network offers its user --------------===//
//
// Names, sizes and layouts that the entry functions, the network's tables and
// the C header must agree on, decided once.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_COMPILER_EMIT_INTERFACE_H
#define NNC_COMPILER_EMIT_INTERFACE_H

#include "compiler/dialect/NN.h"

#include "llvm/ADT/StringMap.h"

#include <string>
#include <vector>

namespace nnc::emit {

/// Values in memory start on a cache line.
inline constexpr int64_t memoryAlignment = 64;

/// A buffer that the caller hands to a function.
struct Argument {
  std::string name;       ///< as in the source
  std::string identifier; ///< the same as a parameter in C
  std::string macro;      ///< of its size: LENET5_IMAGE_SIZE
  bool isOutput = false;
  int64_t classes = 0;         ///< of numbers of classes; 0: unknown
  mlir::RankedTensorType type; ///< [batch, free…, fixed…]; a loss is one number

  bool isClass() const { return type.getElementType().isInteger(32); }
  bool isTruth() const { return type.getElementType().isInteger(1); }
  /// Whether one example always has the same number of elements.
  bool hasFixedSize() const { return nn::getDynamicRank(type) == 1 && nn::isBatched(type); }
};

/// A length that each call gives.
struct FreeDim {
  std::string name;
  std::string identifier; ///< as a parameter in C
  std::string lengths;    ///< the parameter for the length of each example
  int64_t bound = 0;      ///< 0: unbounded
};

/// What a function of the library is for.
enum class FunctionKind {
  Infer,
  Step,      ///< runs one step on the context's state
  Gradients, ///< of a train block: inputs and labels to a loss
  Update,    ///< of a train block: changes the weights; its arguments are the runtime's
  Flow       ///< of a train block: inputs, labels and a step to its loss and norms of errors
};

/// A function of the library: `infer`, `step`, `train_gradients`.
struct Function {
  std::string name;
  FunctionKind kind = FunctionKind::Infer;
  std::vector<Argument> arguments; ///< inputs, then outputs
  mlir::Operation *op = nullptr;   ///< the planned func.func

  bool isStep() const { return kind == FunctionKind::Step; }
};

/// What training records of a layer.
struct Statistic {
  std::string layer;     ///< "conv1", "lstm1.c"; empty where there is no name
  std::string operation; ///< "conv"
  std::string source;    ///< "lenet5.nn:8:7"
  /// The states that hold the numbers, by their kind: not_finite, error, saturated, dead.
  llvm::StringMap<std::string> states;
};

/// A train block.
struct Train {
  std::string name;
  mlir::DictionaryAttr settings; ///< `nn.train` of its gradients
  int32_t gradients;             ///< index of the function
  int32_t update = -1;           ///< likewise; -1 when no weight is trained
  int32_t flow = -1;             ///< likewise; -1 unless asked for
  std::vector<Statistic> statistics;

  /// How many numbers the optimizer keeps for each weight.
  int64_t getSlotCount() const { return settings.getAs<mlir::IntegerAttr>("slots").getInt(); }
};

/// One dimension of a weight in memory: along it index i of the declared
/// dimension `dim` contributes (i / divisor) % extent.
struct StorageDim {
  int64_t dim, divisor, extent;
};

/// A weight. Those that are trained lie first in memory.
struct Weight {
  std::string name;
  mlir::RankedTensorType type;
  nn::InitializerAttr init;
  bool isTrainable = true;
  std::vector<StorageDim> storage; ///< outermost first
  int64_t offset = 0;              ///< bytes from the start of the weights
  int64_t bytes = 0;               ///< padding included
};

/// A value that depends on weights alone.
struct Prepared {
  std::string name;
  int64_t offset = 0; ///< bytes from the start of the prepared values
};

/// A compiled network as its user sees it.
struct Interface {
  std::string name;   ///< the prefix of every symbol
  std::string prefix; ///< the prefix of every macro: LENET5
  std::vector<FreeDim> freeDims;
  std::vector<Function> functions;
  std::vector<Train> trains;
  std::vector<Weight> weights;
  std::vector<Prepared> prepared;
  std::vector<nn::StateOp> states;
  std::vector<nn::StateOp> trainingStates; ///< numbers of statistics, then what windows of a sequence carry
  int64_t weightsBytes = 0;
  int64_t trainableBytes = 0; ///< of the weights that are trained, which lie first
  int64_t preparedBytes = 0;
  mlir::Operation *prepare = nullptr; ///< the planned `@prepare`, or null
  mlir::Operation *reset = nullptr;   ///< the planned `@reset`, or null

  /// The place of a length among those of a call: the index of the free dimension, -1
  /// for the batch; behind them, for each the number of its segments and of their steps.
  int32_t getFreeDim(llvm::StringRef symbol) const;

  /// The states of one memory, those of inference or of training: this one's.
  llvm::ArrayRef<nn::StateOp> getStates(nn::StateOp state) const;
};

/// Bytes of one element in memory; truth values take one.
int64_t getElementBytes(mlir::Type element);

/// Bytes of a value for one unit of every dynamic dimension, what pads its panels
/// included.
int64_t getFixedBytes(mlir::RankedTensorType type);

/// The names of a value's dynamic dimensions as one product: "T*batch", or "1".
std::string getUnit(mlir::RankedTensorType type);

/// Where in the source an op stands: "lenet5.nn:8:7"; empty where that is unknown.
std::string getSource(mlir::Location location);

/// The layer that an op belongs to: "conv1"; empty where that is unknown.
std::string getLayer(mlir::Location location);

/// Both: "conv1 (lenet5.nn:8:7)", or the one that is known.
std::string describePlace(mlir::Location location);

/// Reads the interface off a planned module, under this name.
Interface describeInterface(mlir::ModuleOp module, llvm::StringRef name);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_INTERFACE_H
