//===- HoistWeights.cpp - Compute once what depends on weights alone ------===//
//
// An op whose operands are weights, constants, or values of such ops is moved
// to `@prepare`; what other ops read of it becomes a `nn.prepared` value. Only
// values at the edge are stored: an op all of whose users move too is not.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

namespace nnc {
#define GEN_PASS_DEF_HOISTWEIGHTS
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

/// Ops are the same where they compute the same from the same values.
struct ByMeaning : DenseMapInfo<Operation *> {
  static unsigned getHashValue(const Operation *op) {
    return OperationEquivalence::computeHash(const_cast<Operation *>(op), OperationEquivalence::directHashValue,
                                             OperationEquivalence::ignoreHashValue,
                                             OperationEquivalence::IgnoreLocations);
  }
  static bool isEqual(const Operation *a, const Operation *b) {
    auto isMarker = [](const Operation *op) { return op == getEmptyKey() || op == getTombstoneKey(); };
    return a == b || (!isMarker(a) && !isMarker(b) &&
                      OperationEquivalence::isEquivalentTo(const_cast<Operation *>(a), const_cast<Operation *>(b),
                                                           OperationEquivalence::IgnoreLocations));
  }
};

/// Hoists from every function of one module.
class WeightHoister {
public:
  explicit WeightHoister(ModuleOp module) : module(module) {}

  void run() {
    for (auto function : llvm::to_vector(module.getOps<func::FuncOp>()))
      if (function.getName() != "prepare" && !function->hasAttr("nn.train")) // weights change in every step
        hoistFrom(function);
    if (!prepare)
      return;
    OpBuilder builder = OpBuilder::atBlockEnd(&prepare.getBody().front());
    func::ReturnOp::create(builder, prepare.getLoc());
  }

private:
  /// Whether a value is known once the weights are: weights themselves,
  /// constants, and what is computed from them.
  bool isFixed(Value value) {
    if (fixed.contains(value))
      return true;
    if (auto read = value.getDefiningOp<ReadOp>())
      return !isa_and_nonnull<StateOp>(declarations.lookupNearestSymbolFrom(read, read.getSymbolAttr()));
    return value.getDefiningOp<ConstantOp>() != nullptr;
  }

  static bool costsNothing(Operation *op) { return isa<ConstantOp, ReadOp, BroadcastOp, ReshapeOp>(op); }

  void hoistFrom(func::FuncOp function) {
    SmallVector<Operation *> hoisted;
    function.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (!isa<ComputeOp, BroadcastOp, ReshapeOp>(op) ||
          !llvm::all_of(op->getOperands(), [&](Value operand) { return isFixed(operand); }))
        return;
      if (getDynamicRank(getType(op->getResult(0))) > 0)
        return; // as many of it as there are examples
      fixed.insert(op->getResult(0));
      hoisted.push_back(op);
    });
    // From the last, so that an op's users have been replaced before it.
    for (Operation *op : llvm::reverse(hoisted)) {
      if (op->use_empty()) {
        op->erase();
        continue;
      }
      if (costsNothing(op))
        continue;
      OpBuilder builder(op);
      FlatSymbolRefAttr symbol = getPrepared(op);
      Value read = ReadOp::create(builder, op->getLoc(), op->getResult(0).getType(), symbol);
      op->getResult(0).replaceAllUsesWith(read);
      op->erase();
    }
  }

  /// The prepared value that an op becomes; equal ops of several functions
  /// share one.
  FlatSymbolRefAttr getPrepared(Operation *op) {
    Value value = clone(op);
    auto &symbol = symbols[value];
    if (symbol)
      return symbol;
    auto name = StringAttr::get(module.getContext(), "prepared" + std::to_string(symbols.size() - 1));
    OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
    PreparedOp::create(builder, op->getLoc(), name, TypeAttr::get(value.getType()));
    symbol = FlatSymbolRefAttr::get(name);
    OpBuilder atEnd = OpBuilder::atBlockEnd(&prepare.getBody().front());
    StoreOp::create(atEnd, op->getLoc(), symbol, value);
    return symbol;
  }

  /// The value of an op in `@prepare`, with what it is computed from.
  Value clone(Operation *op) {
    if (!prepare) {
      OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
      prepare = func::FuncOp::create(builder, module.getLoc(), "prepare", builder.getFunctionType({}, {}));
      prepare.addEntryBlock();
    }
    IRMapping mapping;
    for (Value operand : op->getOperands())
      mapping.map(operand, clone(operand.getDefiningOp()));
    OpBuilder builder = OpBuilder::atBlockEnd(&prepare.getBody().front());
    Operation *copy = builder.clone(*op, mapping);
    auto [earlier, isNew] = clones.insert(copy);
    if (!isNew)
      copy->erase();
    return (*earlier)->getResult(0);
  }

  ModuleOp module;
  func::FuncOp prepare;
  SymbolTableCollection declarations;
  DenseSet<Value> fixed;
  DenseMap<Value, FlatSymbolRefAttr> symbols;
  DenseSet<Operation *, ByMeaning> clones; ///< the ops of `@prepare`
};

struct HoistWeightsPass : nnc::impl::HoistWeightsBase<HoistWeightsPass> {
  void runOnOperation() override { WeightHoister(getOperation()).run(); }
};

} // namespace
