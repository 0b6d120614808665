//===- RandomCall.h - What a function is given, at random -----------------===//

#ifndef NNC_COMPILER_INTERPRET_RANDOMCALL_H
#define NNC_COMPILER_INTERPRET_RANDOMCALL_H

#include "compiler/interpret/Interpreter.h"

#include <random>

namespace nnc::interpret {

/// What is called: how many examples, of how many steps along each length.
struct CallSize {
  int64_t batch = 3;
  std::map<std::string, int64_t> lengths; ///< those left out are chosen
};

/// All lengths of a call of a train block's function, by name: the batch, those of the inputs, and what they are split
/// in.
std::map<std::string, int64_t> chooseLengths(mlir::func::FuncOp function, const CallSize &size);

/// Draws weights, states and arguments of a train block's function.
class RandomCall {
public:
  /// `run` takes the weights and states; its lengths are `lengths`.
  RandomCall(mlir::ModuleOp module, mlir::func::FuncOp function, const std::map<std::string, int64_t> &lengths,
             Interpreter &run)
      : module(module), function(function), lengths(lengths), run(run) {}

  /// The same for the same number. With odd ones all inputs are above 0: some networks take a logarithm of them.
  void draw(int number);

  /// As drawn last.
  const std::vector<Tensor> &getArguments() const { return arguments; }

  /// A number of these, both included.
  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution(low, high)(random); }

private:
  void drawValues();
  Tensor drawArgument(unsigned index);
  Tensor drawInput(unsigned index);
  Tensor drawWindow(llvm::StringRef name);
  double uniform(double low, double high) { return std::uniform_real_distribution(low, high)(random); }

  mlir::ModuleOp module;
  mlir::func::FuncOp function;
  const std::map<std::string, int64_t> &lengths;
  Interpreter &run;
  std::mt19937_64 random;
  bool positive = false;              ///< whether all inputs are drawn above 0
  std::map<std::string, Tensor> ends; ///< of each length, the examples' own
  std::vector<Tensor> arguments;
};

} // namespace nnc::interpret

#endif // NNC_COMPILER_INTERPRET_RANDOMCALL_H
