//===- ApplyOptimizer.cpp - Gradients -> weight updates -------------------===//
//
// For each function that sets gradients a second one that changes the weights by
// them. All trained weights are one vector (`nn.flat`), and so are their gradients
// and what the optimizer keeps, so that one element-wise kernel does it in place.
// The equations are those of the optimizers' papers, written in the dialect; what
// depends on the step alone (the rate, 1 - beta^step) the runtime gives.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MathExtras.h"

namespace nnc {
#define GEN_PASS_DEF_APPLYOPTIMIZER
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// Bytes to a multiple of which every weight is laid.
static constexpr int64_t alignment = 64;

/// Elements of all trained weights in memory, padding included.
static int64_t countElements(ModuleOp module) {
  int64_t bytes = 0;
  for (auto weight : module.getOps<WeightOp>())
    if (!weight.getFrozen())
      bytes += llvm::alignTo(getStoredSize(cast<RankedTensorType>(weight.getType())) * 4, alignment);
  return bytes / 4;
}

namespace {

/// Builds the update of one train block.
class UpdateBuilder {
public:
  UpdateBuilder(func::FuncOp gradients, int64_t elements)
      : train(gradients->getAttrOfType<DictionaryAttr>("nn.train")), builder(gradients.getContext()),
        location(gradients.getLoc()), vector(RankedTensorType::get(elements, builder.getF32Type())) {
    builder.setInsertionPointAfter(gradients);
  }

  void run() {
    createFunction();
    Value gradient = getGradient();
    Value weights = flat(FlatMemory::Weights);
    bool isDecoupled = getOptimizer() == "adamw";
    if (double decay = getNumber("weight_decay"); decay != 0 && !isDecoupled)
      gradient = add(gradient, mul(weights, number(decay)));
    Value step = getStep(gradient);
    if (double decay = isDecoupled ? getNumber("decay") + getNumber("weight_decay") : 0; decay != 0)
      step = add(step, mul(weights, number(decay)));
    StoreFlatOp::create(builder, location, FlatMemory::Weights, sub(weights, mul(step, scalars[0])));
    func::ReturnOp::create(builder, location);
  }

private:
  StringRef getOptimizer() { return cast<StringAttr>(train.get("optimizer")).getValue(); }

  /// A setting or a parameter of the optimizer; 0 when it has none.
  double getNumber(StringRef name) {
    auto number = train.getAs<FloatAttr>(name);
    return number ? number.getValueAsDouble() : 0;
  }

  void createFunction() {
    auto scalar = RankedTensorType::get({}, builder.getF32Type());
    SmallVector<std::string> names{"rate", "scale"};
    for (size_t i = 0; i < cast<ArrayAttr>(train.get("betas")).size(); ++i)
      names.push_back("correction" + std::to_string(i));
    std::string name = cast<StringAttr>(train.get("name")).str();
    auto function = func::FuncOp::create(builder, location, name + "_update",
                                         builder.getFunctionType(SmallVector<Type>(names.size(), scalar), TypeRange()));
    function->setAttr("nn.update", builder.getStringAttr(name));
    Block *body = function.addEntryBlock();
    for (auto [index, scalarName] : llvm::enumerate(names))
      function.setArgAttr(index, "nn.scalar", builder.getStringAttr(scalarName));
    llvm::append_range(scalars, body->getArguments());
    builder.setInsertionPointToEnd(body);
  }

  template <typename OpTy> Value make(ValueRange operands) {
    return createInferred<OpTy>(builder, location, operands)->getResult(0);
  }
  Value add(Value a, Value b) { return make<AddOp>({a, b}); }
  Value sub(Value a, Value b) { return make<SubOp>({a, b}); }
  Value mul(Value a, Value b) { return make<MulOp>({a, b}); }
  Value div(Value a, Value b) { return make<DivOp>({a, b}); }
  Value number(double value) {
    return ConstantOp::create(builder, location, RankedTensorType::get({}, builder.getF32Type()),
                              builder.getF32FloatAttr(static_cast<float>(value)));
  }
  Value flat(FlatMemory memory) { return FlatOp::create(builder, location, vector, memory); }
  Value store(FlatMemory memory, Value value) {
    StoreFlatOp::create(builder, location, memory, value);
    return value;
  }

  /// The gradient of the mean loss, clipped by value: each within a bound.
  Value getMean() {
    Value gradient = mul(flat(FlatMemory::Gradients), scalars[1]);
    if (double bound = getNumber("clip_value"); bound > 0)
      gradient = make<MaxOp>({make<MinOp>({gradient, number(bound)}), number(-bound)});
    return gradient;
  }

  /// The same clipped by norm: all scaled so that their norm is within a bound
  /// (Pascanu et al. 2013). The norm has a mean of its own, which is not stored.
  Value getGradient() {
    Value gradient = getMean();
    if (double bound = getNumber("clip_norm"); bound > 0) {
      Value squares = createInferred<SumOp>(builder, location, make<SquareOp>(getMean()),
                                            builder.getNamedAttr("axes", builder.getDenseI64ArrayAttr(0)));
      Value norm = add(make<SqrtOp>(squares), number(1e-6));
      gradient = mul(gradient, make<MinOp>({div(number(bound), norm), number(1)}));
    }
    return gradient;
  }

  /// A memory of an exponential or growing mean: decay * old + share * value.
  Value remember(FlatMemory memory, double decay, double share, Value value) {
    Value old = flat(memory);
    return store(memory,
                 add(decay == 1 ? old : mul(old, number(decay)), share == 1 ? value : mul(value, number(share))));
  }

  /// What the rate scales.
  Value getStep(Value gradient) {
    StringRef optimizer = getOptimizer();
    if (optimizer == "momentum") // Polyak 1964
      return remember(FlatMemory::Slot0, getNumber("momentum"), 1, gradient);
    if (optimizer == "nesterov") // Sutskever et al. 2013, as PyTorch writes it
      return add(gradient,
                 mul(remember(FlatMemory::Slot0, getNumber("momentum"), 1, gradient), number(getNumber("momentum"))));
    Value epsilon = number(getNumber("epsilon"));
    if (optimizer == "adagrad") { // Duchi et al. 2011
      Value sum = remember(FlatMemory::Slot0, 1, 1, make<SquareOp>(gradient));
      return div(gradient, add(make<SqrtOp>(sum), epsilon));
    }
    if (optimizer == "rmsprop") { // Tieleman & Hinton 2012; for adamw `decay` is the weights'
      double decay = getNumber("decay");
      Value mean = remember(FlatMemory::Slot0, decay, 1 - decay, make<SquareOp>(gradient));
      return div(gradient, add(make<SqrtOp>(mean), epsilon));
    }
    if (optimizer == "adam" || optimizer == "adamw") { // Kingma & Ba 2015; Loshchilov & Hutter 2019
      double beta1 = getNumber("beta1"), beta2 = getNumber("beta2");
      Value mean = remember(FlatMemory::Slot0, beta1, 1 - beta1, gradient);
      Value square = remember(FlatMemory::Slot1, beta2, 1 - beta2, make<SquareOp>(gradient));
      Value deviation = add(make<SqrtOp>(div(square, scalars[3])), epsilon);
      return div(div(mean, scalars[2]), deviation);
    }
    return gradient; // sgd
  }

  DictionaryAttr train;
  OpBuilder builder;
  Location location;
  RankedTensorType vector;
  SmallVector<Value> scalars; ///< rate, scale, corrections
};

struct ApplyOptimizerPass : nnc::impl::ApplyOptimizerBase<ApplyOptimizerPass> {
  void runOnOperation() override {
    int64_t elements = countElements(getOperation());
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (function->hasAttr("nn.train") && elements > 0)
        UpdateBuilder(function, elements).run();
  }
};

} // namespace
