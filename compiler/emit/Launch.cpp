//===- Launch.cpp - Calls of kernels --------------------------------------===//
//
// A kernel is called through the table of its isa, with the runtime's tasks, its
// extents, and a buffer for every operand.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/Body.h"

#include "compiler/emit/Work.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::emit;

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

/// Where halide_buffer_t has `device`, `host` and `dim`.
static constexpr int64_t deviceOffset = 0, hostOffset = 16, dimOffset = 40;

/// The size of a halide_dimension_t: min, extent, stride and flags, 32 bits each.
static constexpr int64_t dimBytes = 16;

/// Whether a kernel reads a buffer's shape. It knows what is constant or one of
/// its arguments; of several extents, and of those after a window, Halide
/// forgets what it was told and asks the buffer.
static bool readsShape(RankedTensorType type) {
  auto dims = dyn_cast_or_null<nn::DimsAttr>(type.getEncoding());
  if (!dims)
    return false;
  auto isArgument = [](StringAttr name) {
    SmallVector<nn::Length> product = nn::parseProduct(name);
    return product.size() == 1 && product[0].offset == 0 && product[0].stride == 1;
  };
  return dims.getNames().size() > 1 || !isArgument(dims.getNames().front());
}

/// The dimensions of a buffer, innermost first, in the function's frame. They are
/// the same in every call of the launch, and for all buffers of these dimensions.
Value BodyEmitter::getShape(RankedTensorType type, ArrayAttr extents) {
  SmallVector<Value> sizes;
  std::string key;
  nn::Extents list = nn::getExtents(type);
  for (const nn::Extent &extent : llvm::reverse(list)) {
    std::string product = extent.isDynamic() ? getCallerProduct(extent.name, extents) : std::to_string(extent.size);
    sizes.push_back(extent.isDynamic() ? lengths->getProduct(product)
                                       : inEntry([&] { return builder.i64(extent.size); }));
    key += product + ",";
  }
  if (Value known = shapes.lookup(key))
    return known;
  return shapes[key] = inEntry([&] { return makeShape(sizes); });
}

Value BodyEmitter::makeShape(ArrayRef<Value> sizes) {
  Value shape = builder.reserve(dimBytes * sizes.size());
  Value stride = builder.i64(1);
  for (auto [index, size] : llvm::enumerate(sizes)) {
    Value dim = builder.at(shape, dimBytes * index);
    builder.store(builder.i32(0), dim);
    builder.store(builder.narrow(size), builder.at(dim, 4));
    builder.store(builder.narrow(stride), builder.at(dim, 8));
    builder.store(builder.i32(0), builder.at(dim, 12));
    stride = builder.mul(stride, size);
  }
  return shape;
}

/// Fills in what a kernel reads of a buffer: where it lies, and its shape where
/// the kernel does not know it. `type` is the kernel's.
void BodyEmitter::setBuffer(Value buffer, Value pointer, RankedTensorType type, ArrayAttr extents) {
  builder.store(pointer, builder.at(buffer, onDevice() ? deviceOffset : hostOffset));
  if (readsShape(type))
    builder.store(getShape(type, extents), builder.at(buffer, dimOffset));
}

/// Where a kernel reads a value that may have no step although the result has some, such as what a convolution without
/// a border leaves of a short sequence: it reads one step all the same, and leaves it out.
Value BodyEmitter::orNothing(Value pointer, RankedTensorType type) {
  std::string unit = getUnit(type);
  bool isShortened = llvm::any_of(nn::parseProduct(unit),
                                  [](const nn::Length &length) { return length.offset < 0 || length.stride > 1; });
  if (!isShortened || onDevice())
    return pointer;
  Value isEmpty = builder.compare(LLVM::ICmpPredicate::eq, lengths->getProduct(unit), builder.i64(0));
  int64_t bytes = getFixedBytes(type);
  std::string name = context.interface.name + "_nothing" + std::to_string(bytes);
  if (!context.module.lookupSymbol(name)) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(context.module.getBody());
    auto array = LLVM::LLVMArrayType::get(builder.getI8Type(), bytes);
    auto global = LLVM::GlobalOp::create(builder, array, /*isConstant=*/false, LLVM::Linkage::Internal, name,
                                         Attribute(), memoryAlignment);
    builder.createBlock(&global.getInitializerRegion());
    LLVM::ReturnOp::create(builder, LLVM::ZeroOp::create(builder, array));
  }
  Value nothing = inEntry([&] { return LLVM::AddressOfOp::create(builder, builder.pointerType(), name); });
  return LLVM::SelectOp::create(builder, isEmpty, nothing, pointer);
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// The function for so many rows: the last variant whose least is not more.
Value BodyEmitter::chooseKernel(nn::LaunchOp launch, Value rows) {
  const KernelSlots &slots = context.kernels.kernels.find(launch.getKernel())->second;
  Value slot = builder.i64(slots.first);
  for (int64_t least : ArrayRef(slots.minRows).drop_front()) {
    Value enough = builder.compare(LLVM::ICmpPredicate::sge, rows, builder.i64(least));
    slot = builder.add(slot, LLVM::ZExtOp::create(builder, builder.getI64Type(), enough));
  }
  Value table = inEntry([&] {
    Value row = builder.scale(getField(FrameField::Isa), 8 * context.kernels.slotCount);
    Value tables = LLVM::AddressOfOp::create(builder, builder.pointerType(), getKernelTableName(context.interface));
    return builder.at(tables, row);
  });
  return builder.load(builder.pointerType(), builder.at(table, builder.scale(slot, 8)));
}

/// Floating-point operations of a call, by which the runtime decides whether
/// threads pay.
Value BodyEmitter::getWorkAt(nn::LaunchOp launch, nn::KernelOp kernel) {
  Value sum;
  for (auto &[unit, count] : getWork(launch, kernel)) {
    Value factor = lengths->getProduct(unit);
    Value term = inEntry([&] { return builder.scale(factor, count); });
    sum = sum ? inEntry([&] { return builder.add(sum, term); }) : term;
  }
  return sum ? sum : builder.i64(0);
}

/// The bytes of a call's operands and results.
Value BodyEmitter::getTrafficAt(nn::LaunchOp launch) {
  Value sum;
  for (auto &[unit, bytes] : getTraffic(launch)) {
    Value factor = lengths->getProduct(unit);
    Value term = inEntry([&] { return builder.scale(factor, bytes); });
    sum = sum ? inEntry([&] { return builder.add(sum, term); }) : term;
  }
  return sum;
}

/// Tells the runtime which branch the launch is in, and what it waits for.
void BodyEmitter::enterBranch(nn::LaunchOp launch) {
  if (!launch.getBranch())
    return;
  callRuntime("nnc_device_branch", builder.i32(static_cast<int32_t>(*launch.getBranch())));
  for (int64_t mark : launch.getAfter().value_or(ArrayRef<int64_t>()))
    callRuntime("nnc_device_wait", builder.i32(static_cast<int32_t>(mark)));
}

void BodyEmitter::emitLaunch(nn::LaunchOp launch, const Loop *loop) {
  SmallVector<Value> pointers;
  for (Value input : launch.getInputs())
    pointers.push_back(orNothing(addresses.lookup(input), nn::getType(input)));
  for (auto [value, place] : llvm::zip_equal(launch.getResults(), launch.getPlacesAttr())) {
    addresses[value] = getPlace(cast<nn::PlaceAttr>(place), loop);
    pointers.push_back(addresses[value]);
  }

  enterBranch(launch);
  // A kernel of no elements is not called: its tiles would not fit.
  Block *next = split();
  if (std::string unit = getUnit(nn::getType(launch.getResult(0))); unit != "1") {
    Value empty = builder.compare(LLVM::ICmpPredicate::eq, lengths->getProduct(unit), builder.i64(0));
    Block *call = split();
    LLVM::CondBrOp::create(builder, empty, next, call);
    builder.setInsertionPointToEnd(call);
  }

  auto kernel = lookup<nn::KernelOp>(launch.getKernelAttr());
  Value tasks = getField(FrameField::Tasks);
  builder.store(getWorkAt(launch, kernel), tasks);
  SmallVector<Value> operands{tasks};
  for (auto extent : launch.getExtents().getAsRange<StringAttr>())
    operands.push_back(builder.narrow(lengths->getProduct(extent.getValue())));
  Value rows = launch.getExtents().empty() ? builder.i64(1)
                                           : lengths->getProduct(cast<StringAttr>(launch.getExtents()[0]).getValue());
  SmallVector<Type> kernelTypes(kernel.getBody().getArgumentTypes());
  llvm::append_range(kernelTypes, kernel.getYield().getOutputs().getTypes());
  for (auto [index, pointer] : llvm::enumerate(pointers)) {
    operands.push_back(builder.at(buffers, index * bufferBytes));
    setBuffer(operands.back(), pointer, cast<RankedTensorType>(kernelTypes[index]), launch.getExtents());
  }
  SmallVector<Type> types(llvm::map_range(operands, [](Value value) { return value.getType(); }));
  operands.insert(operands.begin(), chooseKernel(launch, rows));
  auto type = LLVM::LLVMFunctionType::get(builder.getI32Type(), types);
  if (context.sanitize)
    hideMemory(launch, pointers);
  if (context.profile)
    callRuntime("nnc_profile_begin", {});
  Value status = LLVM::CallOp::create(builder, type, operands).getResult();
  if (context.profile) {
    context.launches.insert(launch);
    auto index = llvm::find(context.launches, launch.getOperation()) - context.launches.begin();
    callRuntime("nnc_profile_end", {builder.i32(static_cast<int32_t>(index)), getTrafficAt(launch)});
  }
  if (context.sanitize)
    showMemory();
  Value failed = builder.compare(LLVM::ICmpPredicate::ne, status, builder.i32(0));
  LLVM::CondBrOp::create(builder, failed, failure, builder.i32(context.errors.getCode(launch.getLoc())), next,
                         ValueRange());
  builder.setInsertionPointToEnd(next);
  if (launch.getMark())
    callRuntime("nnc_device_mark", builder.i32(static_cast<int32_t>(*launch.getMark())));
}
