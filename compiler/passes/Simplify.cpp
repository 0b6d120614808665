//===- Simplify.cpp - Fold, and drop what no output needs -----------------===//
//
// Patterns to a fixed point: batch norm with fixed statistics becomes a scale
// and a shift; a repeated operand of an element-wise op is taken as it is where
// its shape is the end of the result's. Folds and dead ops are the greedy
// driver's own.
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

/// What is the same for all elements is computed for one.
struct SinkBroadcast : RewritePattern {
  SinkBroadcast(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

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

struct SimplifyPass : nnc::impl::SimplifyBase<SimplifyPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<SplitBatchNorm, DropBroadcast, SinkBroadcast>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
