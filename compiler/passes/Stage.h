//===- Stage.h - Loops over segments of sequences -------------------------===//
//
// The parts of SegmentTime: what of a function can be in a segment, and what one of its
// loops is made of.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_COMPILER_PASSES_STAGE_H
#define NNC_COMPILER_PASSES_STAGE_H

#include "compiler/dialect/NN.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"

#include <functional>

namespace nnc {

/// What is known of one length of one function.
class Steps {
public:
  explicit Steps(mlir::StringAttr length) : length(length), steps(rename(nn::getStepsName(length))) {}

  mlir::StringAttr getSegments() const { return rename(nn::getSegmentsName(length)); }
  mlir::StringAttr getSteps() const { return steps; }
  mlir::StringAttr getLength() const { return length; }

  /// Whether a value has the length anywhere in its shape.
  bool isIn(mlir::Value value) const;

  /// Whether a value is a sequence: a step after the other, and nothing else of them.
  bool isSequence(mlir::Value value) const;

  /// The type of one segment of a sequence.
  mlir::RankedTensorType getSegmentType(mlir::Value sequence) const;

  /// The type of all segments.
  mlir::RankedTensorType getSplitType(mlir::Value sequence) const;

  bool isStepwise(mlir::Operation *op) const;
  bool isLoop(nn::EachOp loop) const;
  bool isReduction(mlir::Operation *op) const;

private:
  mlir::StringAttr rename(llvm::StringRef name) const { return mlir::StringAttr::get(length.getContext(), name); }
  bool has(const nn::Extent &extent) const;

  mlir::StringAttr length, steps;
};

/// Builds one stage's loop.
class StageBuilder {
public:
  StageBuilder(const Steps &steps, mlir::OpBuilder &builder, llvm::MapVector<mlir::Value, mlir::Value> &stacked,
               std::function<bool(mlir::Operation *)> isMadeWhereRead)
      : steps(steps), builder(builder), stacked(stacked), isMadeWhereRead(std::move(isMadeWhereRead)),
        inside(builder.getContext()) {
    body = &region.emplaceBlock();
    body->addArgument(mlir::RankedTensorType::get({}, builder.getI32Type()), builder.getUnknownLoc());
    inside.setInsertionPointToEnd(body);
  }

  void add(mlir::Operation *op);

  /// Lets a sequence leave the loop.
  void addOutput(mlir::Value value) { outputs.push_back(value); }

  void finish();

private:
  template <typename OpTy>
  mlir::Value make(mlir::ValueRange operands, llvm::ArrayRef<mlir::NamedAttribute> attributes = {}) {
    return nn::createInferred<OpTy>(inside, location, operands, attributes)->getResult(0);
  }
  template <typename OpTy>
  mlir::Value makeDeclared(mlir::OpBuilder &at, mlir::RankedTensorType type, mlir::ValueRange operands,
                           llvm::ArrayRef<mlir::NamedAttribute> attributes = {}) {
    return OpTy::create(at, location, mlir::TypeRange(type), operands, attributes)->getResult(0);
  }
  mlir::NamedAttribute integer(llvm::StringRef name, int64_t value) {
    return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
  }
  mlir::Value fill(mlir::OpBuilder &at, mlir::RankedTensorType type, double value);
  /// How many steps a name stands for, as a class.
  mlir::Value getExtent(mlir::StringAttr name) {
    return make<nn::ExtentOp>(fill(inside, nn::getTensorType(builder.getF32Type(), nn::Extent(name)), 0),
                              integer("axis", 0));
  }
  /// The first step of the segment, counted over all of them.
  mlir::Value getFirst() {
    if (!first)
      first = atStart([&] { return make<nn::MulOp>({body->getArgument(0), getExtent(steps.getSteps())}); });
    return first;
  }
  /// How many of so many steps are in the segment.
  mlir::Value getLocal(mlir::Value lengths);
  /// Builds what does not depend on ops of the body before these, once `getFirst` is there.
  template <typename Fn> mlir::Value atStart(Fn write) {
    mlir::OpBuilder::InsertionGuard guard(inside);
    inside.setInsertionPoint(body, prefix ? std::next(prefix->getIterator()) : body->begin());
    mlir::Value value = write();
    prefix = value.getDefiningOp();
    return value;
  }

  mlir::Value get(mlir::Value value);
  mlir::Value makeInside(mlir::Operation *op);
  unsigned addState(mlir::Value start) {
    starts.push_back(start);
    body->addArgument(start.getType(), location);
    next.emplace_back();
    return starts.size() - 1;
  }
  mlir::Value getCarried(unsigned state) { return body->getArgument(1 + sequences.size() + state); }
  void addLoop(nn::EachOp loop);
  void addReduction(mlir::Operation *op);
  void addStepwise(mlir::Operation *op);
  mlir::Value makePart(mlir::Operation *op);

  const Steps &steps;
  mlir::OpBuilder &builder;                           ///< where the loop goes
  llvm::MapVector<mlir::Value, mlir::Value> &stacked; ///< of sequences of stages before
  std::function<bool(mlir::Operation *)> isMadeWhereRead;
  mlir::OpBuilder inside;
  mlir::Region region;
  mlir::Block *body;
  mlir::Operation *prefix = nullptr;
  mlir::Location location = builder.getUnknownLoc();
  mlir::IRMapping mapping;
  mlir::Value first, all;
  llvm::DenseMap<mlir::Value, mlir::Value> locals;
  llvm::SmallVector<mlir::Value> sequences, starts, next, outputs;
  struct Result {
    mlir::Value value; ///< outside
    unsigned state;
    mlir::Value lengths; ///< of a mean: it is still to be divided
  };
  llvm::SmallVector<Result> results;
};

} // namespace nnc

#endif // NNC_COMPILER_PASSES_STAGE_H
