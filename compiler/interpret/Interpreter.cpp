//===- Interpreter.cpp - What a function of the nn dialect gives ----------===//

#include "compiler/interpret/Interpreter.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/ErrorHandling.h"

#include <limits>

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;
using namespace nnc::interpret;

void interpret::forEachIndex(ArrayRef<int64_t> shape, function_ref<void(ArrayRef<int64_t>, int64_t)> visit) {
  int64_t size = 1;
  for (int64_t extent : shape)
    size *= extent;
  Shape index(shape.size(), 0);
  for (int64_t place = 0; place < size; ++place) {
    visit(index, place);
    for (size_t dim = shape.size(); dim-- > 0;) {
      if (++index[dim] < shape[dim])
        break;
      index[dim] = 0;
    }
  }
}

int64_t interpret::placeOf(ArrayRef<int64_t> index, ArrayRef<int64_t> shape) {
  int64_t place = 0;
  for (auto [i, extent] : llvm::zip_equal(index, shape))
    place = place * extent + i;
  return place;
}

int64_t Interpreter::getSize(const Extent &extent) const {
  if (!extent.isDynamic())
    return extent.size;
  int64_t product = 1;
  for (const Length &length : parseProduct(extent.name)) {
    std::optional<int64_t> number = getNumber(length.symbol);
    int64_t size = number ? *number : lengths.at(length.symbol);
    product *= std::max<int64_t>(0, size + length.offset) / length.stride;
  }
  return product;
}

Tensor Interpreter::make(Type type) const {
  Tensor tensor;
  int64_t size = 1;
  for (const Extent &extent : getExtents(cast<RankedTensorType>(type))) {
    tensor.shape.push_back(getSize(extent));
    size *= tensor.shape.back();
  }
  tensor.data.assign(size, std::numeric_limits<double>::quiet_NaN());
  return tensor;
}

std::vector<Tensor> Interpreter::run(func::FuncOp function, ArrayRef<Tensor> arguments) {
  known.clear();
  Block &block = function.getBody().front();
  for (auto [argument, value] : llvm::zip_equal(block.getArguments(), arguments))
    set(argument, value);
  runBlock(block);
  std::vector<Tensor> results;
  for (Value result : block.getTerminator()->getOperands())
    results.push_back(at(result));
  return results;
}

void Interpreter::runBlock(Block &block) {
  for (Operation &op : block.without_terminator())
    runOp(op);
}

void Interpreter::runOp(Operation &op) {
  bool isStructure =
      llvm::TypeSwitch<Operation *, bool>(&op)
          .Case([&](ReadOp read) {
            set(read.getResult(), values.at(read.getSymbol().str()));
            return true;
          })
          .Case([&](ConstantOp constant) {
            auto real = dyn_cast<FloatAttr>(constant.getValue());
            define(constant.getResult()).data[0] =
                real ? real.getValueAsDouble() : static_cast<double>(cast<IntegerAttr>(constant.getValue()).getInt());
            return true;
          })
          .Case([&](StoreGradientOp store) {
            gradients[store.getSymbol().str()] = at(store.getValue());
            return true;
          })
          .Case([&](StoreOp) { return true; }) // of the next call
          .Case([&](EachOp loop) { return runLoop(loop), true; })
          .Case([&](GroupOp group) { return runGroup(group), true; })
          .Default([](Operation *) { return false; });
  if (isStructure || evaluateElementwise(*this, op) || evaluateDense(*this, op) || evaluateConv(*this, op) ||
      evaluatePool(*this, op) || evaluateNorm(*this, op) || evaluateReduce(*this, op) || evaluateReshape(*this, op) ||
      evaluateLoss(*this, op))
    return;
  llvm::report_fatal_error("the interpreter knows no " + Twine(op.getName().getStringRef()));
}

void Interpreter::runGroup(GroupOp group) {
  Block &body = group.getBody().front();
  for (auto [argument, input] : llvm::zip_equal(body.getArguments(), group.getInputs()))
    set(argument, at(input));
  runBlock(body);
  auto yield = cast<YieldOp>(body.getTerminator());
  for (auto [result, output] : llvm::zip_equal(group.getResults(), yield.getOutputs()))
    set(result, at(output));
}

/// One step of a stacked value.
static Tensor getStep(const Tensor &stacked, int64_t step) {
  Tensor part;
  part.shape.assign(stacked.shape.begin() + 1, stacked.shape.end());
  int64_t size = stacked.size() / std::max<int64_t>(1, stacked.shape.front());
  part.data.assign(stacked.data.begin() + step * size, stacked.data.begin() + (step + 1) * size);
  return part;
}

void Interpreter::runLoop(EachOp loop) {
  YieldOp yield = loop.getYield();
  int64_t trip = getSize(Extent(loop.getTripAttr()));
  std::vector<Tensor> states, stacks;
  for (Value start : loop.getStarts())
    states.push_back(at(start));
  for (Value output : loop.getOutputs())
    stacks.push_back(make(output.getType()));
  for (int64_t done = 0; done < trip; ++done) {
    int64_t step = loop.getBackward() ? trip - 1 - done : done;
    define(loop.getIndex()).data[0] = static_cast<double>(step);
    for (auto [element, sequence] : llvm::zip_equal(loop.getElements(), loop.getSequences()))
      set(element, getStep(at(sequence), step));
    for (auto [carried, state] : llvm::zip_equal(loop.getCarried(), states))
      set(carried, state);
    runBlock(loop.getBody().front());
    for (auto [state, next] : llvm::zip_equal(states, yield.getNext()))
      state = at(next);
    for (auto [stack, output] : llvm::zip_equal(stacks, yield.getOutputs()))
      llvm::copy(at(output).data, stack.data.begin() + step * at(output).size());
  }
  for (auto [output, stack] : llvm::zip_equal(loop.getOutputs(), stacks))
    set(output, std::move(stack));
  for (auto [final, state] : llvm::zip_equal(loop.getFinals(), states))
    set(final, std::move(state));
}
