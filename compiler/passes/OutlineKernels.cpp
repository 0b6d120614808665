//===- OutlineKernels.cpp - Make each group a kernel, equal ones the same -===//
//
// Gives the dynamic extents of a group names of the kernel's own, d0, d1, …, and
// moves its body into a `nn.kernel`, unless one of the same text is there. Where
// no op of the group tells the dynamic dimensions apart, they are collapsed to
// one: rows. Where none looks at more than the last dimension, the fixed ones
// before it are rows, too: the pixels of images of any size, so that one kernel
// serves them all.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

namespace nnc {
#define GEN_PASS_DEF_OUTLINEKERNELS
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// The names of a type's dynamic dimensions.
static ArrayRef<StringAttr> getNames(Type type) {
  auto dims = dyn_cast_or_null<DimsAttr>(cast<RankedTensorType>(type).getEncoding());
  return dims ? dims.getNames() : ArrayRef<StringAttr>();
}

/// Whether an op treats all dynamic dimensions as rows of one matrix.
static bool ignoresRows(Operation *op) {
  if (isa<MaskOp, MatmulOp, TransposeOp, ConcatOp, ReverseOp, LastOp, TimeMajorOp, BatchMajorOp, DelayOp, CountOp,
          ExtentOp, SegmentOp, SplitStepsOp, JoinStepsOp, SumOp, MeanOp, ReduceMaxOp, ReduceMinOp>(op))
    return false;
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return broadcast.getDims().empty();
  // A window over time has the steps as a dimension of the image.
  if (auto strides = op->getAttrOfType<DenseI64ArrayAttr>("strides"))
    return static_cast<int64_t>(getFixedShape(getType(op->getOperand(0))).size()) == strides.size() + 1;
  return true;
}

/// Whether an op computes all dimensions of `whole` but the last alike: element by
/// element, or as sums over all of them.
static bool ignoresPixels(Operation *op, ArrayRef<Extent> whole) {
  if (isa<ConstantOp>(op))
    return true;
  if (!isa<CountOp, SumOp, MeanOp>(op))
    return op->hasTrait<nn::OpTrait::Elementwise>() && ignoresRows(op);
  auto axes = op->getAttrOfType<DenseI64ArrayAttr>("axes").asArrayRef();
  return op->getNumOperands() == 1 && getExtents(getType(op->getOperand(0))) == whole &&
         llvm::equal(axes, llvm::seq<int64_t>(0, whole.size() - 1));
}

/// The shape of the images of a group that sees nothing but their pixels.
static std::optional<Extents> getPixels(GroupOp group) {
  Extents whole;
  auto findWhole = [&](Value value) {
    if (whole.empty() && getFixedShape(getType(value)).size() > 1 && getDynamicRank(getType(value)) > 0)
      whole = getExtents(getType(value));
  };
  auto fits = [&](Value value) {
    Extents extents = getExtents(getType(value));
    return extents == whole || extents.empty() || ArrayRef(extents) == ArrayRef(whole).take_back(1);
  };
  Block &body = group.getBody().front();
  llvm::for_each(body.getArguments(), findWhole);
  if (whole.empty() || !llvm::all_of(body.getArguments(), fits))
    return std::nullopt;
  for (Operation &op : body.without_terminator())
    if (op.getNumRegions() != 0 || !ignoresPixels(&op, whole) || !llvm::all_of(op.getResults(), fits))
      return std::nullopt;
  return whole;
}

namespace {

/// The names that a group's extents get in its kernel.
class ExtentNames {
public:
  explicit ExtentNames(GroupOp group) {
    pixels = getPixels(group).value_or(Extents());
    if (!pixels.empty()) {
      auto print = [](const Extent &extent) {
        return extent.isDynamic() ? extent.name.str() : std::to_string(extent.size);
      };
      extents.push_back(
          StringAttr::get(group.getContext(), llvm::join(llvm::map_range(ArrayRef(pixels).drop_back(), print), "*")));
      return;
    }
    SmallVector<ArrayRef<StringAttr>> lists;
    auto collect = [&](Type type) {
      if (ArrayRef<StringAttr> names = getNames(type); !names.empty() && !llvm::is_contained(lists, names))
        lists.push_back(names);
    };
    group.getBody().walk([&](Operation *op) { llvm::for_each(op->getOperandTypes(), collect); });
    collapsed = lists.size() == 1 && llvm::all_of(group.getBody().front().without_terminator(),
                                                  [](Operation &op) { return ignoresRows(&op); });
    if (collapsed) {
      extents.push_back(
          StringAttr::get(group.getContext(),
                          llvm::join(llvm::map_range(lists.front(), [](StringAttr name) { return name.str(); }), "*")));
      return;
    }
    // The order in which KernelOp::getExtents finds them.
    auto number = [&](Type type) {
      for (StringAttr name : getNames(type))
        for (const Length &length : parseProduct(name))
          if (auto symbol = StringAttr::get(group.getContext(), length.symbol);
              !getNumber(symbol) && !llvm::is_contained(extents, symbol))
            extents.push_back(symbol);
    };
    llvm::for_each(group.getBody().getArgumentTypes(), number);
    llvm::for_each(group.getResultTypes(), number);
    group.getBody().walk([&](Operation *op) { llvm::for_each(op->getResultTypes(), number); });
  }

  /// What the caller passes for d0, d1, ….
  ArrayRef<StringAttr> getExtents() const { return extents; }

  Type rename(Type type) const {
    ArrayRef<StringAttr> names = getNames(type);
    auto tensor = cast<RankedTensorType>(type);
    if (names.empty())
      return type;
    Extents renamed;
    if (!pixels.empty())
      return getTensorType(tensor.getElementType(), {StringAttr::get(type.getContext(), "d0"), pixels.back()});
    if (collapsed) {
      renamed.push_back(StringAttr::get(type.getContext(), "d0"));
    } else {
      for (StringAttr name : names) {
        SmallVector<Length> product = parseProduct(name);
        for (Length &length : product)
          if (!getNumber(length.symbol))
            length.symbol =
                "d" +
                std::to_string(
                    llvm::find_if(extents, [&](StringAttr extent) { return extent.getValue() == length.symbol; }) -
                    extents.begin());
        renamed.push_back(StringAttr::get(type.getContext(), printProduct(product)));
      }
    }
    for (int64_t size : getFixedShape(tensor))
      renamed.push_back(size);
    return getTensorType(tensor.getElementType(), renamed);
  }

  /// Sums over all pixels are sums over rows.
  void renameAxes(Operation *op) const {
    if (!pixels.empty() && op->hasAttr("axes"))
      op->setAttr("axes", DenseI64ArrayAttr::get(op->getContext(), {0}));
  }

private:
  bool collapsed = false;
  Extents pixels; ///< the images' shape, where their pixels are rows
  SmallVector<StringAttr> extents;
};

/// Outlines every group of one module, whose functions begin with `first`.
class Outliner {
public:
  Outliner(ModuleOp module, func::FuncOp first) : module(module), firstFunction(first) {}

  void run() {
    SmallVector<GroupOp> groups;
    module.walk([&](GroupOp group) { groups.push_back(group); });
    for (GroupOp group : groups)
      outline(group);
  }

private:
  void outline(GroupOp group) {
    ExtentNames names(group);
    KernelOp kernel = makeKernel(group, names);
    std::string text;
    llvm::raw_string_ostream os(text);
    kernel.print(os, OpPrintingFlags().useLocalScope());
    auto [known, isNew] = kernels.try_emplace(text, kernel);
    if (isNew)
      kernel.setSymName((stringifyFamily(group.getFamily()) + Twine(counts[group.getFamily()]++)).str());
    else
      kernel.erase();
    OpBuilder builder(group);
    SmallVector<Attribute> extents(names.getExtents().begin(), names.getExtents().end());
    auto launch =
        LaunchOp::create(builder, group.getLoc(), group.getResultTypes(),
                         FlatSymbolRefAttr::get(known->second.getSymNameAttr()), builder.getArrayAttr(extents),
                         group.getInputs(), ArrayAttr(), IntegerAttr(), DenseI64ArrayAttr(), IntegerAttr());
    group.replaceAllUsesWith(launch);
    group.erase();
  }

  /// The group as a kernel without a name of its own yet.
  KernelOp makeKernel(GroupOp group, const ExtentNames &names) {
    OpBuilder builder(module.getContext());
    builder.setInsertionPoint(firstFunction);
    auto kernel = KernelOp::create(builder, group.getLoc(), group.getFamily(), "kernel", /*in_place=*/nullptr);
    IRMapping mapping;
    group.getBody().cloneInto(&kernel.getBody(), mapping);
    for (BlockArgument argument : kernel.getBody().getArguments())
      argument.setType(names.rename(argument.getType()));
    kernel.getBody().walk([&](Operation *op) {
      for (Value result : op->getResults())
        result.setType(names.rename(result.getType()));
      names.renameAxes(op);
    });
    return kernel;
  }

  ModuleOp module;
  func::FuncOp firstFunction; ///< kernels stand before it
  llvm::StringMap<KernelOp> kernels;
  std::map<Family, unsigned> counts;
};

struct OutlineKernelsPass : nnc::impl::OutlineKernelsBase<OutlineKernelsPass> {
  void runOnOperation() override {
    auto functions = getOperation().getOps<func::FuncOp>();
    if (!functions.empty())
      Outliner(getOperation(), *functions.begin()).run();
  }
};

} // namespace
