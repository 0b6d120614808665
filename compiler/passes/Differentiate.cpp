//===- Differentiate.cpp - Losses -> gradients ----------------------------===//
//
// Each function that gives the losses of its examples (`nn.train`) becomes one
// that gives their mean and sets the gradient of every trained weight. The
// derivative of an op is in compiler/autodiff; here the losses are seeded with
// ones, and what reached the reads of a weight is its gradient: the sum over the
// examples, so that calls can be added up before they are divided. Of a function that
// measures how errors flow (`nn.flow`) only those of its probes are taken.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/Autodiff.h"
#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace nnc {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

/// Differentiates one function.
class FunctionDifferentiator {
public:
  explicit FunctionDifferentiator(func::FuncOp function)
      : function(function), isFlow(function->hasAttr("nn.flow")),
        train(function->getAttrOfType<DictionaryAttr>(isFlow ? "nn.flow" : "nn.train")),
        symbols(function->getParentOfType<ModuleOp>()), builder(function.getContext()) {}

  LogicalResult run() {
    Block &body = function.getBody().front();
    auto end = cast<func::ReturnOp>(body.getTerminator());
    RankedTensorType lossType = getTensorType(builder.getF32Type(), {builder.getStringAttr(batchName)});
    // What a window differentiates is not what it reports.
    TypeRange results = end.getOperandTypes();
    if (results.empty() || results.size() > 2 || !llvm::all_equal(results) || results.front() != lossType)
      return function.emitError("must give one loss for each example, ") << lossType << ", to be trained";
    Value losses = end.getOperand(0);
    ActiveValues active =
        findActive(body, [&](Operation *op) { return isa<ProbeOp>(op) || (!isFlow && getTrained(op) != nullptr); });
    builder.setInsertionPoint(end);
    Adjoints adjoints(builder, active);
    adjoints.location = end.getLoc();
    adjoints.add(losses, adjoints.fill(1, getType(losses)));
    if (failed(differentiateBlock(body, adjoints)))
      return failure();
    if (!isFlow)
      storeGradients(body, adjoints);
    adjoints.location = end.getLoc();
    bool hasProbes = !body.getOps<ProbeOp>().empty();
    Value examples = hasProbes && !isSum() ? adjoints.make<CountOp>(end.getOperand(0), adjoints.axes(0)) : Value();
    SmallVector<StringAttr> names;
    for (auto probe : body.getOps<ProbeOp>())
      if (!probe.getSymbol())
        names.push_back(probe.getNameAttr());
    SmallVector<Value> norms = takeProbes(body, adjoints, examples);
    returnResults(end, adjoints, norms, names);
    return success();
  }

private:
  /// The weight that an op reads and training changes; null for other ops.
  WeightOp getTrained(Operation *op) {
    auto read = dyn_cast<ReadOp>(op);
    auto weight = read ? symbols.lookup<WeightOp>(read.getSymbol()) : WeightOp();
    return weight && !weight.getFrozen() ? weight : WeightOp();
  }

  void storeGradients(Block &body, Adjoints &adjoints) {
    DenseMap<Operation *, Value> gradients;
    for (Operation &op : body)
      if (WeightOp weight = getTrained(&op))
        if (Value part = adjoints.get(op.getResult(0))) {
          Value &sum = gradients[weight];
          sum = sum ? adjoints.plus(sum, part) : part;
        }
    for (auto weight : cast<ModuleOp>(function->getParentOp()).getOps<WeightOp>()) {
      if (weight.getFrozen())
        continue;
      adjoints.location = weight.getLoc();
      Value gradient = gradients.lookup(weight);
      if (!gradient) {
        weight.emitWarning("no loss of `")
            << function.getName() << "` reaches weight `" << weight.getSymName() << "`: its gradient is 0";
        gradient = adjoints.fill(0, cast<RankedTensorType>(weight.getType()));
      }
      StoreGradientOp::create(builder, weight.getLoc(), weight.getSymName(), gradient);
    }
  }

  bool isSum() { return cast<BoolAttr>(train.get("reduce_sum")).getValue(); }

  /// One number for the batch, as its reader wants it: the mean, or the sum. Of a
  /// window that is of its share in the losses of the sequence. Behind it the norms of
  /// the errors of each state.
  void returnResults(func::ReturnOp end, Adjoints &adjoints, ArrayRef<Value> norms, ArrayRef<StringAttr> names) {
    Value losses = end.getOperands().back();
    adjoints.location = end.getLoc();
    Value loss = isSum() ? adjoints.sum(losses, 0) : adjoints.make<MeanOp>(losses, adjoints.axes(0));
    if (end.getNumOperands() > 1)
      (void)function.eraseResult(0);
    end.getOperandsMutable().assign(loss);
    end.getOperandsMutable().append(norms);
    DictionaryAttr ofLoss = function.getResultAttrDict(0);
    function.setFunctionType(builder.getFunctionType(function.getArgumentTypes(), TypeRange(end.getOperands())));
    if (!isFlow)
      function.setName((function.getName() + "_gradients").str());
    if (norms.empty())
      return;
    SmallVector<DictionaryAttr> attributes{ofLoss ? ofLoss : builder.getDictionaryAttr({})};
    for (StringAttr name : names)
      attributes.push_back(builder.getDictionaryAttr(builder.getNamedAttr("nn.name", name)));
    function.setAllResultAttrs(attributes);
  }

  func::FuncOp function;
  bool isFlow; ///< errors are measured, weights get no gradients
  DictionaryAttr train;
  SymbolTable symbols;
  OpBuilder builder;
};

struct DifferentiatePass : nnc::impl::DifferentiateBase<DifferentiatePass> {
  void runOnOperation() override {
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if ((function->hasAttr("nn.train") || function->hasAttr("nn.flow")) &&
          failed(FunctionDifferentiator(function).run()))
        return signalPassFailure();
  }
};

} // namespace
