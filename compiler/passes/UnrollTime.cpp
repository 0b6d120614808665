//===- UnrollTime.cpp - Several steps of a loop at a time ------------------===//
//
// Marks the loops of train blocks that ask for it; compiler/emit/Loop.cpp writes the
// steps. After differentiation, so that the way back is unrolled too.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace nnc {
#define GEN_PASS_DEF_UNROLLTIME
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

struct UnrollTimePass : nnc::impl::UnrollTimeBase<UnrollTimePass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      auto train = function->getAttrOfType<DictionaryAttr>("nn.train");
      auto unroll = train ? train.getAs<IntegerAttr>("unroll") : IntegerAttr();
      if (!unroll || unroll.getInt() < 2)
        continue;
      function.walk([&](EachOp loop) {
        if (!getNumber(loop.getTrip()))
          loop.setUnroll(unroll.getInt());
      });
    }
  }
};

} // namespace
