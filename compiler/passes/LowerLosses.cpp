//===- LowerLosses.cpp - Losses as their equations ------------------------===//
//
// A loss is sums of element-wise values, so that it needs no derivative and no
// kernel of its own. Where a loss takes the logarithm of what a softmax or a
// sigmoid gives, it is computed from the logits: no probability is rounded to 0.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace nnc {
#define GEN_PASS_DEF_LOWERLOSSES
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

/// Builds the equations of one loss.
class Equations {
public:
  Equations(PatternRewriter &rewriter, Location location) : rewriter(rewriter), location(location) {}

  template <typename OpTy> Value make(ValueRange operands, ArrayRef<NamedAttribute> attributes = {}) {
    return createInferred<OpTy>(rewriter, location, operands, attributes)->getResult(0);
  }
  Value number(double value) {
    return ConstantOp::create(rewriter, location, RankedTensorType::get({}, rewriter.getF32Type()),
                              rewriter.getF32FloatAttr(static_cast<float>(value)));
  }
  template <typename OpTy> Value alongLast(Value value) {
    return make<OpTy>(value,
                      rewriter.getNamedAttr("axes", rewriter.getDenseI64ArrayAttr(getType(value).getRank() - 1)));
  }
  /// A number for each vector, repeated along it.
  Value repeatLast(Value value, RankedTensorType type) {
    SmallVector<int64_t> dims = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank() - 1));
    return BroadcastOp::create(rewriter, location, type, value, dims);
  }
  /// Where in each vector its label is.
  Value isLabel(Value label, RankedTensorType type) {
    Value places =
        make<OneHotOp>(label, rewriter.getNamedAttr("classes", rewriter.getI64IntegerAttr(type.getShape().back())));
    return make<GtOp>({places, number(0.5)});
  }
  Value zeros(RankedTensorType type) {
    return BroadcastOp::create(rewriter, location, type, number(0), ArrayRef<int64_t>());
  }
  /// The element of each vector at its label. Others do not enter, NaN or not.
  Value atLabel(Value value, Value label) {
    RankedTensorType type = getType(value);
    return alongLast<SumOp>(make<SelectOp>({isLabel(label, type), value, zeros(type)}));
  }

private:
  PatternRewriter &rewriter;
  Location location;
};

/// Lets a loss read what `Activation` gives where it reads that masked, and masks the loss instead.
/// Losses past an example's end count nowhere; the mask keeps a logarithm of 0 from being
/// differentiated there, which one that is computed from logits does not need.
template <typename Activation, typename LossOp> struct MaskLoss : OpRewritePattern<LossOp> {
  using OpRewritePattern<LossOp>::OpRewritePattern;
  LogicalResult matchAndRewrite(LossOp op, PatternRewriter &rewriter) const override {
    auto mask = op.getY().template getDefiningOp<MaskOp>();
    if (!mask || mask.getAxis() != 0 || !mask.getX().template getDefiningOp<Activation>())
      return failure();
    auto loss = LossOp::create(rewriter, op.getLoc(), op.getType(), mask.getX(), op.getTarget());
    rewriter.replaceOpWithNewOp<MaskOp>(op, op.getType(), loss, mask.getLengths(), /*axis=*/0, llvm::APFloat(0.0));
    return success();
  }
};

/// Lets a loss of every step read what `Activation` gives of logits in the order of time, where it reads that in the
/// order of time.
template <typename Activation, typename LossOp> struct TurnLogits : OpRewritePattern<LossOp> {
  using OpRewritePattern<LossOp>::OpRewritePattern;
  LogicalResult matchAndRewrite(LossOp op, PatternRewriter &rewriter) const override {
    auto major = op.getY().template getDefiningOp<TimeMajorOp>();
    auto activation = major ? major.getX().template getDefiningOp<Activation>() : Activation();
    // Along the steps it is no step's own.
    if (!activation || getType(major.getX()).getRank() < static_cast<int64_t>(major.getSteps()) + 2)
      return failure();
    Value logits = TimeMajorOp::create(rewriter, major.getLoc(), major.getType(), activation.getX(), major.getSteps());
    Value y = Activation::create(rewriter, activation.getLoc(), major.getType(), logits);
    rewriter.modifyOpInPlace(op, [&] { op.getYMutable().assign(y); });
    return success();
  }
};

/// -log y[label].
struct LowerCrossEntropy : OpRewritePattern<CrossEntropyOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CrossEntropyOp op, PatternRewriter &rewriter) const override {
    Equations e(rewriter, op.getLoc());
    auto softmax = op.getY().getDefiningOp<SoftmaxOp>();
    Value log = softmax ? e.make<LogSoftmaxOp>(softmax.getX()) : e.make<LogOp>(op.getY());
    rewriter.replaceOp(op, e.make<NegOp>(e.atLabel(log, op.getTarget())));
    return success();
  }
};

/// -y[label].
struct LowerNll : OpRewritePattern<NllOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(NllOp op, PatternRewriter &rewriter) const override {
    Equations e(rewriter, op.getLoc());
    rewriter.replaceOp(op, e.make<NegOp>(e.atLabel(op.getY(), op.getTarget())));
    return success();
  }
};

/// mean((y - t)²), mean(|y - t|).
template <typename LossOp, typename DistanceOp> struct LowerDistance : OpRewritePattern<LossOp> {
  using OpRewritePattern<LossOp>::OpRewritePattern;
  LogicalResult matchAndRewrite(LossOp op, PatternRewriter &rewriter) const override {
    Equations e(rewriter, op.getLoc());
    Value difference = e.make<SubOp>({op.getY(), op.getTarget()});
    rewriter.replaceOp(op, e.alongLast<MeanOp>(e.make<DistanceOp>(difference)));
    return success();
  }
};

/// mean(-t log y - (1 - t) log(1 - y)); of y = sigmoid(x) it is mean(softplus(x) - t x).
/// A logarithm is at least -100, as in PyTorch.
struct LowerBinaryCrossEntropy : OpRewritePattern<BinaryCrossEntropyOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryCrossEntropyOp op, PatternRewriter &rewriter) const override {
    Equations e(rewriter, op.getLoc());
    Value y = op.getY(), t = op.getTarget();
    if (auto sigmoid = y.getDefiningOp<SigmoidOp>()) {
      Value x = sigmoid.getX();
      Value each = e.make<SubOp>({e.make<SoftplusOp>(x), e.make<MulOp>({t, x})});
      rewriter.replaceOp(op, e.alongLast<MeanOp>(each));
      return success();
    }
    auto log = [&](Value value) { return e.make<MaxOp>({e.make<LogOp>(value), e.number(-100)}); };
    auto rest = [&](Value value) { return e.make<SubOp>({e.number(1), value}); };
    Value each = e.make<AddOp>({e.make<MulOp>({t, log(y)}), e.make<MulOp>({rest(t), log(rest(y))})});
    rewriter.replaceOp(op, e.make<NegOp>(e.alongLast<MeanOp>(each)));
    return success();
  }
};

/// mean over the other classes of max(0, 1 - y[label] + y).
struct LowerHinge : OpRewritePattern<HingeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(HingeOp op, PatternRewriter &rewriter) const override {
    Equations e(rewriter, op.getLoc());
    Value y = op.getY();
    RankedTensorType type = getType(y);
    Value right = e.repeatLast(e.atLabel(y, op.getTarget()), type);
    Value margin = e.make<ReluOp>(e.make<AddOp>({e.make<SubOp>({y, right}), e.number(1)}));
    Value others = e.make<SelectOp>({e.isLabel(op.getTarget(), type), e.zeros(type), margin});
    double count = std::max<int64_t>(1, type.getShape().back() - 1);
    rewriter.replaceOp(op, e.make<DivOp>({e.alongLast<SumOp>(others), e.number(count)}));
    return success();
  }
};

struct LowerLossesPass : nnc::impl::LowerLossesBase<LowerLossesPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<MaskLoss<SoftmaxOp, CrossEntropyOp>, MaskLoss<SigmoidOp, BinaryCrossEntropyOp>,
                 TurnLogits<SoftmaxOp, CrossEntropyOp>, TurnLogits<SigmoidOp, BinaryCrossEntropyOp>>(&getContext(), 2);
    patterns.add<LowerCrossEntropy, LowerNll, LowerDistance<MseOp, SquareOp>, LowerDistance<L1Op, AbsOp>,
                 LowerBinaryCrossEntropy, LowerHinge>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
