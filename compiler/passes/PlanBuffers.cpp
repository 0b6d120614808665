//===- PlanBuffers.cpp - Give every value its place in memory -------------===//
//
// One function at a time: Buffers.cpp says what needs room and when, Packing.cpp puts
// it side by side, and here the places are written down.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Packing.h"
#include "compiler/passes/Passes.h"

namespace nnc {
#define GEN_PASS_DEF_PLANBUFFERS
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// Writes down where each result lies, and how large the arenas are.
static void writePlaces(func::FuncOp function, const FunctionBuffers &plan) {
  llvm::MapVector<StringRef, int64_t> arenas = getArenas(plan.buffers);
  Builder builder(function.getContext());
  SmallVector<Attribute> list;
  for (auto &[unit, bytes] : arenas)
    list.push_back(builder.getDictionaryAttr({builder.getNamedAttr("unit", builder.getStringAttr(unit)),
                                              builder.getNamedAttr("bytes", builder.getI64IntegerAttr(bytes))}));
  function->setAttr("nn.arenas", builder.getArrayAttr(list));

  auto placeBuffer = [&](unsigned index) -> Attribute {
    const Buffer &buffer = plan.buffers[index];
    int64_t arena = arenas.find(buffer.unit) - arenas.begin();
    return PlaceAttr::get(builder.getContext(), PlaceKind::Workspace, arena, buffer.offset);
  };
  auto placeValue = [&](Value value) -> Attribute {
    const FunctionBuffers::Choice &choice = plan.choices.find(value)->second;
    return choice.buffer ? placeBuffer(*choice.buffer) : Attribute(choice.place);
  };
  function.walk([&](Operation *op) {
    SmallVector<Attribute> places;
    if (auto launch = dyn_cast<LaunchOp>(op)) {
      for (Value result : launch.getResults())
        places.push_back(placeValue(result));
      launch.setPlacesAttr(builder.getArrayAttr(places));
    } else if (auto loop = dyn_cast<EachOp>(op)) {
      for (Value output : loop.getOutputs())
        places.push_back(placeValue(output));
      for (unsigned state = 0; state < loop.getStarts().size(); ++state) {
        auto slots = plan.carries.find({loop, state});
        places.push_back(slots == plan.carries.end() ? Attribute(builder.getUnitAttr()) : placeBuffer(slots->second));
      }
      loop.setPlacesAttr(builder.getArrayAttr(places));
    }
  });
}

/// Says of each kernel which operands may lie where its results do.
static void markInPlace(const FunctionBuffers &plan) {
  for (auto [launch, operand] : plan.inPlace) {
    auto kernel = SymbolTable::lookupNearestSymbolFrom<KernelOp>(launch, launch.getKernelAttr());
    SmallVector<int64_t> operands(kernel.getInPlace().value_or(ArrayRef<int64_t>()));
    if (!llvm::is_contained(operands, operand))
      operands.insert(llvm::upper_bound(operands, operand), operand);
    kernel.setInPlace(operands);
  }
}

static LogicalResult verifyPlan(func::FuncOp function, ArrayRef<Buffer> buffers) {
  for (auto [index, a] : llvm::enumerate(buffers))
    for (const Buffer &b : buffers.drop_front(index + 1))
      if (a.unit == b.unit && overlapInTime(a, b) && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes)
        return function.emitOpError("has two values that live at once at offsets ")
               << a.offset << " and " << b.offset << " of the arena of " << a.unit;
  return success();
}

namespace {

struct PlanBuffersPass : nnc::impl::PlanBuffersBase<PlanBuffersPass> {
  using PlanBuffersBase::PlanBuffersBase;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      FunctionBuffers plan = chooseBuffers(function, inPlace);
      pack(plan.buffers);
      writePlaces(function, plan);
      markInPlace(plan);
      if (failed(verifyPlan(function, plan.buffers)))
        return signalPassFailure();
    }
  }
};

} // namespace
