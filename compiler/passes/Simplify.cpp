//===- Simplify.cpp - Fold, and drop what no output needs -----------------===//
//
// Patterns to a fixed point: batch norm with fixed statistics becomes a scale
// and a shift; a repeated operand of an element-wise op is taken as it is where
// its shape is the end of the result's; what treats rows alike takes sequences in the
// order of time; a sum that follows from other sums, or is over nothing, is not taken.
// Folds and dead ops are the greedy driver's own.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace nnc {
#define GEN_PASS_DEF_SIMPLIFY
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

/// batch_norm(x) = x * s + t, s = scale / sqrt(variance + epsilon), t = shift - mean * s.
struct SplitBatchNorm : OpRewritePattern<BatchNormOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(BatchNormOp op, PatternRewriter &rewriter) const override {
    Location location = op.getLoc();
    Value epsilon = ConstantOp::create(rewriter, location, RankedTensorType::get({}, rewriter.getF32Type()),
                                       rewriter.getF32FloatAttr(op.getEpsilon().convertToDouble()));
    Value variance = createInferred<AddOp>(rewriter, location, {op.getVariance(), epsilon});
    Value deviation = createInferred<SqrtOp>(rewriter, location, variance);
    Value scale = createInferred<DivOp>(rewriter, location, {op.getScale(), deviation});
    Value offset = createInferred<MulOp>(rewriter, location, {op.getMean(), scale});
    Value shift = createInferred<SubOp>(rewriter, location, {op.getShift(), offset});
    Value scaled = createInferred<MulOp>(rewriter, location, {op.getX(), scale});
    rewriter.replaceOpWithNewOp<AddOp>(op, op.getType(), scaled, shift);
    return success();
  }
};

/// The operand of a broadcast whose dimensions are the last ones of the result.
Value getSuffix(Value value) {
  auto broadcast = value.getDefiningOp<BroadcastOp>();
  if (!broadcast)
    return {};
  Extents from = getExtents(getType(broadcast.getX())), to = getExtents(getType(broadcast));
  return ArrayRef(to).take_back(from.size()) == ArrayRef(from) &&
                 (broadcast.getDims().empty() ||
                  broadcast.getDims().front() == static_cast<int64_t>(to.size() - from.size()))
             ? broadcast.getX()
             : Value();
}

/// An element-wise op repeats by itself what is the end of its shape, as long as
/// some operand has the whole shape.
struct DropBroadcast : RewritePattern {
  DropBroadcast(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!op->hasTrait<nn::OpTrait::Elementwise>() || isa<MaskOp>(op))
      return failure();
    Extents whole = getExtents(getType(op->getResult(0)));
    for (OpOperand &operand : op->getOpOperands()) {
      Value suffix = getSuffix(operand.get());
      bool kept = llvm::any_of(op->getOpOperands(), [&](OpOperand &other) {
        return other.getOperandNumber() != operand.getOperandNumber() && getExtents(getType(other.get())) == whole;
      });
      if (!suffix || !kept)
        continue;
      rewriter.modifyOpInPlace(op, [&] { operand.set(suffix); });
      return success();
    }
    return failure();
  }
};

/// What is the same for all elements is computed for one, by an op of one operand.
struct SinkBroadcastPastUnary : RewritePattern {
  SinkBroadcastPastUnary(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!op->hasTrait<nn::OpTrait::Elementwise>() || op->getNumOperands() != 1 || op->getNumRegions() != 0)
      return failure();
    auto broadcast = op->getOperand(0).getDefiningOp<BroadcastOp>();
    if (!broadcast)
      return failure();
    IRMapping mapping;
    mapping.map(broadcast.getResult(), broadcast.getX());
    Operation *narrow = rewriter.clone(*op, mapping);
    Type element = getType(op->getResult(0)).getElementType();
    narrow->getResult(0).setType(getTensorType(element, getExtents(getType(broadcast.getX()))));
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op->getResult(0).getType(), narrow->getResult(0), broadcast.getDims());
    return success();
  }
};

/// The same by an op of two operands that both are: twice the derivative of a variance, say.
struct SinkBroadcastsPastBinary : RewritePattern {
  SinkBroadcastsPastBinary(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isa<AddOp, SubOp, MulOp, DivOp>(op))
      return failure();
    RankedTensorType type = getType(op->getResult(0));
    SmallVector<Value> narrow;
    for (Value operand : op->getOperands())
      narrow.push_back(getType(operand).getRank() < type.getRank() ? operand : getSuffix(operand));
    if (llvm::is_contained(narrow, Value()))
      return failure();
    Value result = createOf(op, narrow, rewriter);
    int64_t rank = type.getRank(), width = getType(result).getRank();
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, type, result, llvm::to_vector(llvm::seq(rank - width, rank)));
    return success();
  }

private:
  /// The op of these operands, as long as the longer of them.
  static Value createOf(Operation *op, ArrayRef<Value> operands, PatternRewriter &rewriter) {
    Value longer =
        *llvm::max_element(operands, [](Value a, Value b) { return getType(a).getRank() < getType(b).getRank(); });
    Operation *result = rewriter.create(op->getLoc(), op->getName().getIdentifier(), operands, getType(longer));
    return result->getResult(0);
  }
};

/// What treats all rows alike takes them in the order of time in which a loop gave them, and gives them so to the next
/// loop or to a loss of every step. Not dropout, whose random numbers belong to places.
struct SinkBatchMajor : RewritePattern {
  SinkBatchMajor(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    bool isElementwise = op->hasTrait<nn::OpTrait::Elementwise>() && !isa<MaskOp, DropoutOp>(op);
    if ((!isElementwise && !isa<DenseOp, SoftmaxOp, LogSoftmaxOp>(op)) || op->getNumRegions() != 0)
      return failure();
    BatchMajorOp major;
    SmallVector<Value> operands(op->getOperands()), others;
    for (Value &operand : operands)
      if (auto other = operand.getDefiningOp<BatchMajorOp>();
          other && (!major || other.getSteps() == major.getSteps())) {
        major = other;
        operand = other.getX();
      } else if (!isa<DenseOp>(op)) {
        others.push_back(operand);
      }
    if (!major || getType(operands.front()) != getType(major.getX()))
      return failure();
    // The last dimension is no step, and what is repeated has none.
    int64_t steps = major.getSteps(), ofStep = getType(major.getX()).getRank() - steps - 1;
    if (ofStep == 0 || llvm::any_of(others, [&](Value other) { return getType(other).getRank() > ofStep; }))
      return failure();
    RankedTensorType type = getType(op->getResult(0));
    Extents extents = getExtents(type), ofTime = getExtents(getType(major.getX()));
    llvm::copy(ArrayRef(ofTime).take_front(steps + 1), extents.begin());
    OperationState state(op->getLoc(), op->getName(), operands, getTensorType(type.getElementType(), extents),
                         op->getAttrs());
    Value result = rewriter.create(state)->getResult(0);
    rewriter.replaceOpWithNewOp<BatchMajorOp>(op, type, result, static_cast<uint64_t>(steps));
    return success();
  }
};

/// The sum over all rows of what is made of summands with known sums: of -a, a + b, a s for one s a column, and of the
/// distances to the mean, which is nothing. So the gradient that goes through a batch's mean costs no sum of its own.
class DeriveSum : public OpRewritePattern<SumOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SumOp op, PatternRewriter &rewriter) const override {
    Operation *summand = op.getX().getDefiningOp();
    if (!summand || !isa<NegOp, AddOp, SubOp, MulOp>(summand) || !isOverRows(op) || !canDerive(op.getX(), op))
      return failure();
    Value sum = derive(op.getX(), op, rewriter);
    rewriter.replaceOp(op, sum ? sum : fillZero(op, rewriter));
    return success();
  }

private:
  static bool isOverRows(SumOp op) {
    ArrayRef<int64_t> axes = op.getAxes();
    return !op.getLengths() && llvm::equal(axes, llvm::seq<int64_t>(0, axes.size()));
  }

  /// Another sum of the same value over the same dimensions.
  static SumOp getOther(Value value, SumOp op) {
    for (Operation *user : value.getUsers())
      if (auto sum = dyn_cast<SumOp>(user);
          sum && sum != op && sum->getBlock() == op->getBlock() && !sum.getLengths() && sum.getAxes() == op.getAxes())
        return sum;
    return {};
  }

  /// The factor of a product that is the same in all rows, and the other one.
  static std::pair<Value, Value> getColumnFactor(MulOp mul, SumOp op) {
    int64_t rank = getType(op.getResult()).getRank();
    for (auto [factor, other] : {std::pair(mul.getA(), mul.getB()), std::pair(mul.getB(), mul.getA())})
      if (getType(factor).getRank() <= rank && getType(other) == getType(mul))
        return {factor, other};
    return {};
  }

  /// Whether these are the distances of values to their mean.
  static bool isCentred(SubOp sub, SumOp op) {
    auto mean = sub.getB().getDefiningOp<DivOp>();
    if (!mean)
      return false;
    auto sum = mean.getA().getDefiningOp<SumOp>();
    auto count = mean.getB().getDefiningOp<CountOp>();
    return sum && count && sum.getX() == sub.getA() && !sum.getLengths() && sum.getAxes() == op.getAxes() &&
           getType(count.getX()) == getType(sub.getA()) && count.getAxes() == op.getAxes();
  }

  /// Whether `derive` has a sum for a value; nothing is made before that is known.
  static bool canDerive(Value value, SumOp op) {
    if (getOther(value, op))
      return true;
    Operation *summand = value.getDefiningOp();
    bool isWhole =
        summand && llvm::all_of(summand->getOperandTypes(), [&](Type type) { return type == value.getType(); });
    if (isa_and_nonnull<NegOp, AddOp>(summand))
      return isWhole && llvm::all_of(summand->getOperands(), [&](Value operand) { return canDerive(operand, op); });
    if (auto mul = dyn_cast_or_null<MulOp>(summand))
      if (Value other = getColumnFactor(mul, op).second)
        return canDerive(other, op);
    auto sub = dyn_cast_or_null<SubOp>(summand);
    return sub && isCentred(sub, op);
  }

  /// Makes the sum of a value, if `canDerive`; null where it is nothing.
  static Value derive(Value value, SumOp op, PatternRewriter &rewriter) {
    if (SumOp other = getOther(value, op)) {
      if (op->isBeforeInBlock(other))
        rewriter.moveOpBefore(other, op);
      return other;
    }
    Operation *summand = value.getDefiningOp();
    if (isa<NegOp>(summand)) {
      Value sum = derive(summand->getOperand(0), op, rewriter);
      return sum ? createInferred<NegOp>(rewriter, op.getLoc(), sum) : sum;
    }
    if (isa<AddOp>(summand)) {
      Value a = derive(summand->getOperand(0), op, rewriter), b = derive(summand->getOperand(1), op, rewriter);
      return a && b ? createInferred<AddOp>(rewriter, op.getLoc(), {a, b}) : a ? a : b;
    }
    if (auto mul = dyn_cast<MulOp>(summand)) {
      auto [factor, other] = getColumnFactor(mul, op);
      Value sum = derive(other, op, rewriter);
      return sum ? createInferred<MulOp>(rewriter, op.getLoc(), {sum, factor}) : sum;
    }
    return {};
  }

  static Value fillZero(SumOp op, PatternRewriter &rewriter) {
    RankedTensorType type = getType(op.getResult());
    Value zero = ConstantOp::create(rewriter, op.getLoc(), RankedTensorType::get({}, rewriter.getF32Type()),
                                    rewriter.getF32FloatAttr(0));
    return BroadcastOp::create(rewriter, op.getLoc(), type, zero, ArrayRef<int64_t>());
  }
};

/// A sum over no dimension is its operand; so is a mean, a maximum, a minimum.
template <typename ReduceOp> struct DropReduction : OpRewritePattern<ReduceOp> {
  using OpRewritePattern<ReduceOp>::OpRewritePattern;
  LogicalResult matchAndRewrite(ReduceOp op, PatternRewriter &rewriter) const override {
    if (!op.getAxes().empty())
      return failure();
    rewriter.replaceOp(op, op.getX());
    return success();
  }
};

struct SimplifyPass : nnc::impl::SimplifyBase<SimplifyPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns
        .add<SplitBatchNorm, DropBroadcast, SinkBroadcastPastUnary, SinkBroadcastsPastBinary, SinkBatchMajor, DeriveSum,
             DropReduction<SumOp>, DropReduction<MeanOp>, DropReduction<ReduceMaxOp>, DropReduction<ReduceMinOp>>(
            &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
