//===- Interpreter.h - What a function of the nn dialect gives ------------===//
//
// The meaning of every op in float64, as plainly as it can be written: no kernel, no
// schedule, no plan. What the passes make of a program can so be held against numbers.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_COMPILER_INTERPRET_INTERPRETER_H
#define NNC_COMPILER_INTERPRET_INTERPRETER_H

#include "compiler/dialect/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>
#include <string>
#include <vector>

namespace nnc::interpret {

using Shape = llvm::SmallVector<int64_t, 6>;

/// A value, row-major; classes and truth values are numbers too.
struct Tensor {
  Shape shape;
  std::vector<double> data;

  int64_t size() const { return static_cast<int64_t>(data.size()); }
  double operator[](int64_t i) const { return data[i]; }
  double &operator[](int64_t i) { return data[i]; }
};

/// Calls visit(index, place) for each element of a shape, row-major.
void forEachIndex(llvm::ArrayRef<int64_t> shape, llvm::function_ref<void(llvm::ArrayRef<int64_t>, int64_t)> visit);

/// The place of an element, row-major.
int64_t placeOf(llvm::ArrayRef<int64_t> index, llvm::ArrayRef<int64_t> shape);

/// Runs functions of one module, before kernels are made of groups.
class Interpreter {
public:
  /// `lengths` are those of a call by name, the batch among them.
  Interpreter(mlir::ModuleOp module, std::map<std::string, int64_t> lengths)
      : module(module), lengths(std::move(lengths)) {}

  /// The results of a function.
  std::vector<Tensor> run(mlir::func::FuncOp function, llvm::ArrayRef<Tensor> arguments);

  /// A tensor of a type, of no number anywhere.
  Tensor make(mlir::Type type) const;

  /// How many steps or elements a dimension has in this call.
  int64_t getSize(const nn::Extent &extent) const;

  std::map<std::string, Tensor> values;    ///< weights and states by name, as functions read them
  std::map<std::string, Tensor> gradients; ///< as functions set them

  /// A digest of every choice by value since the start: on which side of 0 a relu was,
  /// which element was the largest.
  uint64_t getBranches() const { return branches; }
  void resetBranches() { branches = 14695981039346656037u; }

  // For the families.
  const Tensor &at(mlir::Value value) const {
    auto found = known.find(value);
    assert(found != known.end() && "an op's operands are computed before it");
    return found->second;
  }
  /// The value of an op's result, to be filled in.
  Tensor &define(mlir::Value result) { return known[result] = make(result.getType()); }
  /// Notes a choice.
  void choose(uint64_t which) { branches = (branches ^ (which + 1)) * 1099511628211u; }

private:
  void runBlock(mlir::Block &block);
  void runOp(mlir::Operation &op);
  void runLoop(nn::EachOp loop);
  void runGroup(nn::GroupOp group);

  mlir::ModuleOp module;
  std::map<std::string, int64_t> lengths;
  /// By value: a value of the map moves when another one is added.
  void set(mlir::Value value, Tensor tensor) { known[value] = std::move(tensor); }

  llvm::DenseMap<mlir::Value, Tensor> known;
  uint64_t branches = 14695981039346656037u;
};

/// One function a family: gives false for ops of the others.
bool evaluateElementwise(Interpreter &run, mlir::Operation &op);
bool evaluateDense(Interpreter &run, mlir::Operation &op);
bool evaluateConv(Interpreter &run, mlir::Operation &op);
bool evaluatePool(Interpreter &run, mlir::Operation &op);
bool evaluateNorm(Interpreter &run, mlir::Operation &op);
bool evaluateReduce(Interpreter &run, mlir::Operation &op);
bool evaluateReshape(Interpreter &run, mlir::Operation &op);
bool evaluateLoss(Interpreter &run, mlir::Operation &op);

} // namespace nnc::interpret

#endif // NNC_COMPILER_INTERPRET_INTERPRETER_H
