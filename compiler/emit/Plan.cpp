//===- Plan.cpp - Sizes and offsets for the largest dims ------------------===//

#include "compiler/emit/Entry.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::emit;

//===----------------------------------------------------------------------===//
// Shared facts
//===----------------------------------------------------------------------===//

int32_t ErrorTexts::getCode(Location location) {
  std::string place = describePlace(location);
  std::string text = place.empty() ? "a kernel failed" : "a kernel failed: " + place;
  auto known = llvm::find(texts, text);
  if (known == texts.end())
    known = texts.insert(known, text);
  return known - texts.begin() + 1;
}

std::string emit::getKernelTableName(const Interface &interface) { return interface.name + "_kernels"; }

SmallVector<Arena> emit::getArenas(func::FuncOp function) {
  SmallVector<Arena> arenas;
  if (auto list = function->getAttrOfType<ArrayAttr>("nn.arenas"))
    for (auto arena : list.getAsRange<DictionaryAttr>())
      arenas.push_back({arena.getAs<StringAttr>("unit").str(), arena.getAs<IntegerAttr>("bytes").getInt()});
  return arenas;
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// Kernels address a value by 32-bit numbers.
static constexpr double largestValue = 2147483647;

/// What these count for one unit of a value: bytes, and elements on a device.
static int64_t countAddressed(RankedTensorType type, bool onDevice) {
  return onDevice ? nn::getFixedSize(type) : getFixedBytes(type);
}

/// The type of the sums of Winograd's products of a launch, which a device's kernel has in memory of its own; null of
/// other launches.
static Type getProductsType(nn::LaunchOp launch) {
  auto kernel = SymbolTable::lookupNearestSymbolFrom<nn::KernelOp>(launch, launch.getKernelAttr());
  Type type;
  kernel.walk([&](nn::WinogradProductsOp op) {
    nn::Extents extents = nn::getExtents(nn::getType(launch.getResult(0)));
    extents.truncate(nn::getDynamicRank(nn::getType(launch.getResult(0))));
    for (int64_t size : nn::getFixedShape(nn::getType(op.getImage())).drop_back())
      extents.push_back(size);
    extents.push_back(nn::getType(op.getWeights()).getShape().back());
    type = nn::getTensorType(nn::getType(op.getResult()).getElementType(), extents);
  });
  return type;
}

/// Every type of a value with lengths that a function computes or is handed,
/// one for each size.
static SmallVector<RankedTensorType> getDynamicTypes(func::FuncOp function, bool onDevice) {
  std::map<std::string, RankedTensorType> largest;
  auto add = [&](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || tensor.getNumDynamicDims() == 0)
      return;
    RankedTensorType &known = largest[getUnit(tensor)];
    if (!known || countAddressed(known, onDevice) < countAddressed(tensor, onDevice))
      known = tensor;
  };
  function.walk([&](Operation *op) {
    llvm::for_each(op->getOperandTypes(), add);
    llvm::for_each(op->getResultTypes(), add);
    auto launch = dyn_cast<nn::LaunchOp>(op);
    if (Type products = launch && onDevice ? getProductsType(launch) : Type())
      add(products);
  });
  return llvm::to_vector(llvm::make_second_range(largest));
}

/// Whether a value of such a type is too large, counted in floating point since
/// the lengths may be anything.
static Value isTooLarge(CodeBuilder &builder, Lengths &lengths, RankedTensorType type, bool onDevice) {
  Type f64 = builder.getF64Type();
  Value count = LLVM::ConstantOp::create(builder, f64, builder.getF64FloatAttr(countAddressed(type, onDevice)));
  for (const nn::Length &length : nn::parseProduct(getUnit(type))) {
    Value extent = LLVM::UIToFPOp::create(builder, f64, lengths.getProduct(length.str()));
    count = LLVM::FMulOp::create(builder, count, extent);
  }
  Value limit = LLVM::ConstantOp::create(builder, f64, builder.getF64FloatAttr(largestValue));
  return LLVM::FCmpOp::create(builder, LLVM::FCmpPredicate::ogt, count, limit);
}

/// The size of a function's workspace; `offset` is told where each arena begins.
static Value addArenas(CodeBuilder &builder, Lengths &lengths, func::FuncOp function,
                       function_ref<void(size_t, Value)> offset) {
  Value size = builder.i64(0);
  for (auto [index, arena] : llvm::enumerate(getArenas(function))) {
    offset(index, size);
    Value unit = lengths.getProduct(arena.unit);
    size = builder.add(size, builder.align(builder.scale(unit, arena.bytes)));
  }
  return size;
}

LLVM::LLVMFuncOp emit::emitPlan(EntryContext &context, func::FuncOp function) {
  CodeBuilder builder(function.getLoc());
  std::string name = (context.interface.name + "_" + function.getName() + "_plan").str();
  auto result =
      builder.getFunction(context.module, name, builder.voidType(), {builder.pointerType(), builder.pointerType()});
  result.setLinkage(LLVM::Linkage::Internal);
  builder.setInsertionPointToEnd(result.addEntryBlock(builder));
  Operation *end = LLVM::ReturnOp::create(builder, ValueRange());
  builder.setInsertionPoint(end);
  Value dims = result.getArgument(0), offsets = result.getArgument(1);
  Lengths lengths(context.interface, dims, end);

  // Lengths are counted at the end of the entry block as they are asked for, so
  // that everything here comes in order.
  auto storeAt = [&](size_t index, Value value) { builder.store(value, builder.at(offsets, 8 * index)); };
  Value size = addArenas(builder, lengths, function, storeAt);
  if (context.interface.reset)
    size = builder.max(size,
                       addArenas(builder, lengths, cast<func::FuncOp>(context.interface.reset), [](size_t, Value) {}));
  bool onDevice = context.kernels.device != targets::Device::Host;
  for (RankedTensorType type : getDynamicTypes(function, onDevice))
    size = LLVM::SelectOp::create(builder, isTooLarge(builder, lengths, type, onDevice), builder.i64(-1), size);
  storeAt(getArenas(function).size(), size);
  return result;
}

LLVM::LLVMFuncOp emit::emitStateSize(EntryContext &context, ArrayRef<nn::StateOp> states, StringRef suffix) {
  CodeBuilder builder(context.source.getLoc());
  auto result = builder.getFunction(context.module, (context.interface.name + suffix).str(), builder.getI64Type(),
                                    builder.pointerType());
  result.setLinkage(LLVM::Linkage::Internal);
  builder.setInsertionPointToEnd(result.addEntryBlock(builder));
  Value batch = builder.load(builder.getI64Type(), result.getArgument(0));
  Value size = builder.i64(0);
  for (nn::StateOp state : states) {
    auto type = cast<RankedTensorType>(state.getType());
    size = builder.add(size,
                       builder.align(builder.scale(nn::isBatched(type) ? batch : builder.i64(1), getFixedBytes(type))));
  }
  LLVM::ReturnOp::create(builder, size);
  return result;
}
