//===- Entry.cpp - Planned functions -> LLVM dialect ----------------------===//
//
// A function begins with an entry block that reads the frame and counts lengths
// and addresses; what is needed twice is there once. After it come the kernels
// in order. All failures meet in one block, which returns the code it is given.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/Body.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::emit;

BodyEmitter::BodyEmitter(EntryContext &context, func::FuncOp function, LLVM::LLVMFuncOp result)
    : context(context), function(function), result(result), builder(function.getLoc()) {}

void BodyEmitter::emit(bool hasPlan) {
  Block *entry = result.addEntryBlock(builder);
  Block *body = builder.createBlock(&result.getBody());
  failure = builder.createBlock(&result.getBody());
  Value code = failure->addArgument(builder.getI32Type(), function.getLoc());
  LLVM::ReturnOp::create(builder, code);
  builder.setInsertionPointToEnd(entry);
  entryEnd = LLVM::BrOp::create(builder, body);
  lengths.emplace(context.interface, getField(FrameField::Dims), entryEnd);
  findArenas(hasPlan);

  unsigned operands = 0;
  function.walk(
      [&](nn::LaunchOp launch) { operands = std::max(operands, launch->getNumOperands() + launch->getNumResults()); });
  buffers = inEntry([&] { return builder.reserve(operands * bufferBytes); });

  findArguments();
  builder.setInsertionPointToEnd(body);
  emitBlock(function.getBody().front(), /*loop=*/nullptr);
}

/// Where the caller's inputs and the lengths of its examples lie.
void BodyEmitter::findArguments() {
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    if (function.getArgAttr(index, "nn.seed")) {
      if (!argument.use_empty())
        addresses[argument] = getField(FrameField::Seed);
      continue;
    }
    bool isLengths = function.getArgAttr(index, "nn.lengths") || function.getArgAttr(index, "nn.window");
    FrameField list = isLengths ? FrameField::Ragged : FrameField::Arguments;
    unsigned position = isLengths ? index - inputCount : inputCount++;
    if (argument.use_empty()) // @reset has the inputs' types, but is handed none
      continue;
    Value pointers = getField(list);
    addresses[argument] =
        inEntry([&] { return builder.load(builder.pointerType(), builder.at(pointers, 8 * position)); });
  }
}

Value BodyEmitter::getField(FrameField field) {
  Value &value = fields[field];
  if (!value)
    value = inEntry([&] {
      bool isNumber = field == FrameField::Isa || field == FrameField::Room;
      Type type = isNumber ? Type(builder.getI64Type()) : builder.pointerType();
      return builder.load(type, builder.at(result.getArgument(0), 8 * static_cast<int64_t>(field)));
    });
  return value;
}

/// The address of each arena: as the plan says, or one after the other.
void BodyEmitter::findArenas(bool hasPlan) {
  SmallVector<Arena> list = getArenas(function);
  if (list.empty())
    return;
  Value workspace = getField(FrameField::Workspace);
  Value offset = hasPlan ? getField(FrameField::Offsets) : inEntry([&] { return builder.i64(0); });
  for (auto [index, arena] : llvm::enumerate(list)) {
    Value unit = lengths->getProduct(arena.unit);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(entryEnd);
    if (hasPlan) {
      arenas.push_back(builder.at(workspace, builder.load(builder.getI64Type(), builder.at(offset, 8 * index))));
      continue;
    }
    arenas.push_back(builder.at(workspace, offset));
    offset = builder.add(offset, builder.align(builder.scale(unit, arena.bytes)));
  }
  if (context.sanitize)
    workspaceBytes =
        hasPlan ? inEntry([&] { return builder.load(builder.getI64Type(), builder.at(offset, 8 * list.size())); })
                : offset;
}

void BodyEmitter::emitBlock(Block &block, const Loop *loop) {
  for (Operation &op : block) {
    builder.setLoc(op.getLoc());
    llvm::TypeSwitch<Operation *>(&op)
        .Case([&](nn::ReadOp read) { emitRead(read); })
        .Case([&](nn::ReshapeOp reshape) { addresses[reshape.getResult()] = addresses.lookup(reshape.getX()); })
        .Case([&](nn::LaunchOp launch) { emitLaunch(launch, loop); })
        .Case([&](nn::JoinOp) { callRuntime("nnc_device_join", {}); })
        .Case([&](nn::EachOp each) { emitEach(each, loop); })
        .Case([&](func::ReturnOp op) { emitReturn(op); })
        .Case([&](nn::StoreOp store) { isReadLater(store) ? late.push_back(store) : emitStore(store); })
        .Case([&](nn::StoreGradientOp store) { emitStoreGradient(store); })
        .Case([&](nn::FlatOp flat) { addresses[flat.getResult()] = getFlatAddress(flat.getMemory()); })
        .Case([&](nn::StoreFlatOp store) { isReadLater(store) ? lateFlat.push_back(store) : emitStoreFlat(store); })
        .Case([](nn::YieldOp) {}) // emitStep
        .Default([](Operation *op) { llvm_unreachable("planned functions hold calls, loops and aliases alone"); });
  }
}

void BodyEmitter::emitRead(nn::ReadOp read) {
  StringRef symbol = read.getSymbol();
  auto find = [&](auto &list) { return llvm::find_if(list, [&](auto &entry) { return entry.name == symbol; }); };
  const Interface &interface = context.interface;
  Value address;
  if (auto weight = find(interface.weights); weight != interface.weights.end()) {
    // Training moves running statistics from call to call, until an update.
    bool isMoved = !weight->isTrainable && function->hasAttr("nn.train");
    address = isMoved ? getGradientAddress(*weight)
                      : inEntry([&] { return builder.at(getField(FrameField::Weights), weight->offset); });
  } else if (auto prepared = find(interface.prepared); prepared != interface.prepared.end()) {
    address = inEntry([&] { return builder.at(getField(FrameField::Prepared), prepared->offset); });
  } else {
    address = getStateAddress(lookup<nn::StateOp>(read.getSymbolAttr()));
  }
  addresses[read.getResult()] = address;
}

/// States lie one after the other, with room for the largest batch, so that calls with
/// fewer examples find them in the same place.
Value BodyEmitter::getStateAddress(nn::StateOp state) {
  Value memory = getField(FrameField::State);
  return inEntry([&] { return builder.at(memory, getStateOffset(context.interface.getStates(state), state)); });
}

/// Where a state begins in the memory of `states`; where all end when it is null.
Value BodyEmitter::getStateOffset(ArrayRef<nn::StateOp> states, nn::StateOp state) {
  Value room = getField(FrameField::Room);
  Value offset = builder.i64(0);
  for (nn::StateOp other : states) {
    if (other == state)
      break;
    auto type = cast<RankedTensorType>(other.getType());
    Value bytes = builder.i64(getFixedBytes(type));
    offset = builder.add(offset, builder.align(nn::isBatched(type) ? builder.mul(bytes, room) : bytes));
  }
  return offset;
}

/// A weight's gradient lies as the weight does; so does what training makes of a
/// running statistic.
Value BodyEmitter::getGradientAddress(const Weight &weight) {
  return inEntry([&] { return builder.at(getField(FrameField::Gradients), weight.offset); });
}

Value BodyEmitter::getFlatAddress(nn::FlatMemory memory) {
  switch (memory) {
  case nn::FlatMemory::Weights:
    return getField(FrameField::Weights);
  case nn::FlatMemory::Gradients:
    return getField(FrameField::Gradients);
  case nn::FlatMemory::Slot0:
    return getField(FrameField::Slots);
  case nn::FlatMemory::Slot1:
    return inEntry([&] { return builder.at(getField(FrameField::Slots), context.interface.trainableBytes); });
  }
  llvm_unreachable("every memory has an address");
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

Value BodyEmitter::getPlace(nn::PlaceAttr place, const Loop *loop) {
  unsigned index = place.getIndex();
  nn::EachOp each = loop ? loop->op : nn::EachOp();
  switch (place.getKind()) {
  case nn::PlaceKind::Workspace: {
    Value unit = lengths->getProduct(getArenas(function)[index].unit);
    return inEntry([&] { return builder.at(arenas[index], builder.scale(unit, place.getOffset())); });
  }
  case nn::PlaceKind::Output: {
    Value pointers = getField(FrameField::Arguments);
    return inEntry([&] { return builder.load(builder.pointerType(), builder.at(pointers, 8 * (inputCount + index))); });
  }
  case nn::PlaceKind::Gradient:
    return getGradientAddress(context.interface.weights[index]);
  case nn::PlaceKind::Flat:
    return getFlatAddress(static_cast<nn::FlatMemory>(index));
  case nn::PlaceKind::Stack: {
    Value bytes = lengths->getBytes(nn::EachOp::getElementType(nn::getType(each.getOutputs()[index])));
    return builder.at(loop->stacks[index], builder.mul(loop->step, bytes));
  }
  case nn::PlaceKind::Carry: {
    // Two slots take turns: a step never writes the state that it reads.
    RankedTensorType type = nn::getType(each.getStarts()[index]);
    Value unit = lengths->getProduct(getUnit(type));
    Value bytes = builder.scale(unit, llvm::alignTo(getFixedBytes(type), memoryAlignment));
    Value turn = LLVM::AndOp::create(builder, loop->step, builder.i64(1));
    return builder.at(loop->slots[index], builder.mul(turn, bytes));
  }
  }
  llvm_unreachable("every place has a kind");
}

/// The place that the planner gave what a value shows; null when it gave none.
nn::PlaceAttr BodyEmitter::getPlaceOf(Value root) {
  auto result = dyn_cast<OpResult>(root);
  if (!result)
    return {};
  ArrayAttr places;
  if (auto launch = dyn_cast<nn::LaunchOp>(result.getOwner()))
    places = launch.getPlacesAttr();
  else if (auto each = dyn_cast<nn::EachOp>(result.getOwner()); each && llvm::is_contained(each.getOutputs(), root))
    places = each.getPlacesAttr();
  return places ? dyn_cast<nn::PlaceAttr>(places[result.getResultNumber()]) : nn::PlaceAttr();
}

/// Copies between two places of which kernels know.
void BodyEmitter::copy(Value to, Value from, Value bytes) {
  if (!onDevice())
    return builder.copy(to, from, bytes);
  callRuntime("nnc_device_copy", {to, from, bytes});
}

/// A call of the runtime's, which is told the tasks first.
void BodyEmitter::callRuntime(StringRef name, ArrayRef<Value> more) {
  SmallVector<Value> operands{getField(FrameField::Tasks)};
  llvm::append_range(operands, more);
  auto function =
      builder.getFunction(context.module, name, builder.voidType(), llvm::to_vector(ValueRange(operands).getTypes()));
  LLVM::CallOp::create(builder, function, operands);
}

/// Zeroes a place of which kernels know.
void BodyEmitter::clear(Value to, Value bytes) {
  if (!onDevice()) {
    Value zero = LLVM::ConstantOp::create(builder, builder.getI8Type(), builder.getI8IntegerAttr(0));
    LLVM::MemsetOp::create(builder, to, zero, bytes, /*isVolatile=*/false);
    return;
  }
  callRuntime("nnc_device_clear", {to, bytes});
}

Block *BodyEmitter::split() {
  OpBuilder::InsertionGuard guard(builder);
  return builder.createBlock(builder.getBlock()->getNextNode());
}

//===----------------------------------------------------------------------===//
// Ends
//===----------------------------------------------------------------------===//

void BodyEmitter::emitReturn(func::ReturnOp op) {
  for (auto [index, value] : llvm::enumerate(op.getOperands())) {
    nn::PlaceAttr place = getPlaceOf(nn::getRoot(value));
    if (place && place.getKind() == nn::PlaceKind::Output && place.getIndex() == static_cast<int64_t>(index))
      continue;
    Value to = getPlace(nn::PlaceAttr::get(builder.getContext(), nn::PlaceKind::Output, index, 0), nullptr);
    copy(to, addresses.lookup(value), lengths->getBytes(nn::getType(value)));
  }
  emitLateStores();
  LLVM::ReturnOp::create(builder, builder.i32(0));
}

/// Whether the old value of what an op sets is still needed after it. A state is
/// read as it was when the function was called.
bool BodyEmitter::isReadLater(nn::StoreOp store) {
  Block *body = store->getBlock();
  std::function<bool(Value)> isUsedLater = [&](Value value) {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      if (isa<nn::ReshapeOp>(user))
        return isUsedLater(user->getResult(0));
      return user != store && store->isBeforeInBlock(body->findAncestorOpInBlock(*user));
    });
  };
  bool later = false;
  function.walk([&](nn::ReadOp read) {
    later |= read.getSymbolAttr() == store.getSymbolAttr() && isUsedLater(read.getResult());
  });
  return later;
}

/// The same of what lies in a flat memory.
bool BodyEmitter::isReadLater(nn::StoreFlatOp store) {
  return llvm::any_of(store->getBlock()->getOps<nn::FlatOp>(), [&](nn::FlatOp flat) {
    return flat.getMemory() == store.getMemory() && llvm::any_of(flat->getUsers(), [&](Operation *user) {
             return user != store && store->isBeforeInBlock(user);
           });
  });
}

void BodyEmitter::emitStore(nn::StoreOp store) {
  Value to;
  auto weight = llvm::find_if(context.interface.weights, [&](auto &entry) { return entry.name == store.getSymbol(); });
  if (auto state = lookup<nn::StateOp>(store.getSymbolAttr())) {
    to = getStateAddress(state);
  } else if (weight != context.interface.weights.end()) {
    to = getGradientAddress(*weight);
  } else {
    auto &list = context.interface.prepared;
    auto prepared = llvm::find_if(list, [&](auto &entry) { return entry.name == store.getSymbol(); });
    to = builder.at(getField(FrameField::Prepared), prepared->offset);
  }
  copy(to, addresses.lookup(store.getValue()), lengths->getBytes(nn::getType(store.getValue())));
}

void BodyEmitter::emitStoreGradient(nn::StoreGradientOp store) {
  const std::vector<Weight> &weights = context.interface.weights;
  auto weight = llvm::find_if(weights, [&](auto &entry) { return entry.name == store.getSymbol(); });
  nn::PlaceAttr place = getPlaceOf(nn::getRoot(store.getValue()));
  if (!place || place.getKind() != nn::PlaceKind::Gradient || place.getIndex() != weight - weights.begin())
    copy(getGradientAddress(*weight), addresses.lookup(store.getValue()), builder.i64(weight->bytes));
}

void BodyEmitter::emitStoreFlat(nn::StoreFlatOp store) {
  int64_t memory = static_cast<int64_t>(store.getMemory());
  nn::PlaceAttr place = getPlaceOf(nn::getRoot(store.getValue()));
  if (!place || place.getKind() != nn::PlaceKind::Flat || place.getIndex() != memory)
    copy(getFlatAddress(store.getMemory()), addresses.lookup(store.getValue()),
         lengths->getBytes(nn::getType(store.getValue())));
}

/// Sets what could not be set earlier. A state whose old value another one takes
/// over is set after that one.
void BodyEmitter::emitLateStores() {
  auto isTakenOver = [&](nn::StoreOp store) {
    return llvm::any_of(late, [&](nn::StoreOp other) {
      auto read = nn::getRoot(other.getValue()).getDefiningOp<nn::ReadOp>();
      return other != store && read && read.getSymbolAttr() == store.getSymbolAttr();
    });
  };
  while (!late.empty()) {
    auto free = llvm::find_if_not(late, isTakenOver);
    assert(free != late.end() && "states that take over each other's values need a buffer between");
    nn::StoreOp store = *free;
    late.erase(free);
    emitStore(store);
  }
  llvm::for_each(lateFlat, [&](nn::StoreFlatOp store) { emitStoreFlat(store); });
}

LLVM::LLVMFuncOp emit::emitRun(EntryContext &context, func::FuncOp function, bool hasPlan) {
  CodeBuilder builder(function.getLoc());
  std::string name = (context.interface.name + "_" + function.getName() + "_run").str();
  auto result = builder.getFunction(context.module, name, builder.getI32Type(), builder.pointerType());
  result.setLinkage(LLVM::Linkage::Internal);
  BodyEmitter(context, function, result).emit(hasPlan);
  return result;
}
