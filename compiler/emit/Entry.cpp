//===- Entry.cpp - Planned functions -> LLVM dialect ----------------------===//
//
// A function begins with an entry block that reads the frame and counts lengths
// and addresses; what is needed twice is there once. After it come the kernels
// in order. All failures meet in one block, which returns the code it is given.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/Entry.h"

#include "compiler/emit/Work.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::emit;

/// The value whose elements a chain of reshapes shows.
static Value getRoot(Value value) {
  while (auto reshape = value.getDefiningOp<nn::ReshapeOp>())
    value = reshape.getX();
  return value;
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

namespace {

/// The loop around the code being written.
struct Loop {
  nn::EachOp op;
  Value step;                 ///< counted from 0
  SmallVector<Value> stacks;  ///< of each output
  SmallVector<Value> slots;   ///< the first of each state's two; null where it has none
};

/// Writes the body of one run function.
class BodyEmitter {
public:
  BodyEmitter(EntryContext &context, func::FuncOp function, LLVM::LLVMFuncOp result);
  void emit(bool hasPlan);

private:
  void emitBlock(Block &block, const Loop *loop);
  void emitRead(nn::ReadOp read);
  void emitLaunch(nn::LaunchOp launch, const Loop *loop);
  void emitEach(nn::EachOp each, const Loop *outer);
  SmallVector<Value> emitStep(const Loop &loop);
  void emitReturn(func::ReturnOp op);
  bool isReadLater(nn::StoreOp store);
  void emitStore(nn::StoreOp store);
  void emitLateStores();

  Value chooseKernel(nn::LaunchOp launch, Value rows);
  Value getWorkAt(nn::LaunchOp launch, nn::KernelOp kernel);
  Value getStateAddress(nn::StateOp state);
  Value getPlace(nn::PlaceAttr place, const Loop *loop);
  nn::PlaceAttr getPlaceOf(Value root);
  void findArenas(bool hasPlan);
  Block *split();

  Value getField(FrameField field);
  template <typename Fn> auto inEntry(Fn write) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(entryEnd);
    return write();
  }
  template <typename OpTy> OpTy lookup(FlatSymbolRefAttr symbol) {
    return context.source.lookupSymbol<OpTy>(symbol.getAttr());
  }

  EntryContext &context;
  func::FuncOp function;
  LLVM::LLVMFuncOp result;
  CodeBuilder builder;
  Operation *entryEnd = nullptr;
  Block *failure = nullptr;
  std::optional<Lengths> lengths;
  std::map<FrameField, Value> fields;
  SmallVector<Value> arenas;
  Value buffers; ///< one halide_buffer_t for each operand of a kernel
  DenseMap<Value, Value> addresses;
  SmallVector<nn::StoreOp> late; ///< at the end of the function
  unsigned inputCount = 0;
};

} // namespace

/// halide_buffer_t: kernels read nothing but `host`.
static constexpr int64_t bufferBytes = 56, bufferHostOffset = 16;

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
  if (function == context.interface.reset) {
    Value state = getField(FrameField::State), room = lengths->getProduct(nn::batchName);
    inEntry([&] { builder.store(room, state); });
  }
  findArenas(hasPlan);

  unsigned operands = 0;
  function.walk([&](nn::LaunchOp launch) {
    operands = std::max(operands, launch->getNumOperands() + launch->getNumResults());
  });
  buffers = inEntry([&] { return builder.reserve(operands * bufferBytes); });

  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    bool isLengths = static_cast<bool>(function.getArgAttr(index, "nn.lengths"));
    FrameField list = isLengths ? FrameField::Ragged : FrameField::Arguments;
    unsigned position = isLengths ? index - inputCount : inputCount++;
    if (argument.use_empty()) // @reset has the inputs' types, but is handed none
      continue;
    Value pointers = getField(list);
    addresses[argument] =
        inEntry([&] { return builder.load(builder.pointerType(), builder.at(pointers, 8 * position)); });
  }
  builder.setInsertionPointToEnd(body);
  emitBlock(function.getBody().front(), /*loop=*/nullptr);
}

Value BodyEmitter::getField(FrameField field) {
  Value &value = fields[field];
  if (!value)
    value = inEntry([&] {
      Type type = field == FrameField::Isa ? Type(builder.getI64Type()) : builder.pointerType();
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
}

void BodyEmitter::emitBlock(Block &block, const Loop *loop) {
  for (Operation &op : block) {
    builder.setLoc(op.getLoc());
    llvm::TypeSwitch<Operation *>(&op)
        .Case([&](nn::ReadOp read) { emitRead(read); })
        .Case([&](nn::ReshapeOp reshape) { addresses[reshape.getResult()] = addresses.lookup(reshape.getX()); })
        .Case([&](nn::LaunchOp launch) { emitLaunch(launch, loop); })
        .Case([&](nn::EachOp each) { emitEach(each, loop); })
        .Case([&](func::ReturnOp op) { emitReturn(op); })
        .Case([&](nn::StoreOp store) { isReadLater(store) ? late.push_back(store) : emitStore(store); })
        .Case([](nn::YieldOp) {}) // emitStep
        .Default([](Operation *op) { llvm_unreachable("planned functions hold calls, loops and aliases alone"); });
  }
}

void BodyEmitter::emitRead(nn::ReadOp read) {
  StringRef symbol = read.getSymbol();
  auto find = [&](auto &list) { return llvm::find_if(list, [&](auto &entry) { return entry.name == symbol; }); };
  const Interface &interface = context.interface;
  Value address;
  if (auto weight = find(interface.weights); weight != interface.weights.end())
    address = inEntry([&] { return builder.at(getField(FrameField::Weights), weight->offset); });
  else if (auto prepared = find(interface.prepared); prepared != interface.prepared.end())
    address = inEntry([&] { return builder.at(getField(FrameField::Prepared), prepared->offset); });
  else
    address = getStateAddress(lookup<nn::StateOp>(read.getSymbolAttr()));
  addresses[read.getResult()] = address;
}

/// States lie one after the other behind the batch that they have room for, so
/// that calls with fewer examples find them in the same place.
Value BodyEmitter::getStateAddress(nn::StateOp state) {
  Value memory = getField(FrameField::State);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(entryEnd);
  Value room = builder.load(builder.getI64Type(), memory);
  Value offset = builder.i64(memoryAlignment);
  for (nn::StateOp other : context.interface.states) {
    if (other == state)
      break;
    auto type = cast<RankedTensorType>(other.getType());
    Value bytes = builder.i64(getFixedBytes(type));
    offset = builder.add(offset, builder.align(nn::isBatched(type) ? builder.mul(bytes, room) : bytes));
  }
  return builder.at(memory, offset);
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

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// Ends the current block; code goes on in a new one, which is returned.
Block *BodyEmitter::split() {
  OpBuilder::InsertionGuard guard(builder);
  return builder.createBlock(builder.getBlock()->getNextNode());
}

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

void BodyEmitter::emitLaunch(nn::LaunchOp launch, const Loop *loop) {
  SmallVector<Value> pointers;
  for (Value input : launch.getInputs())
    pointers.push_back(addresses.lookup(input));
  for (auto [value, place] : llvm::zip_equal(launch.getResults(), launch.getPlacesAttr())) {
    addresses[value] = getPlace(cast<nn::PlaceAttr>(place), loop);
    pointers.push_back(addresses[value]);
  }

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
  Value rows = launch.getExtents().empty()
                   ? builder.i64(1)
                   : lengths->getProduct(cast<StringAttr>(launch.getExtents()[0]).getValue());
  for (auto [index, pointer] : llvm::enumerate(pointers)) {
    Value buffer = builder.at(buffers, index * bufferBytes);
    builder.store(pointer, builder.at(buffer, bufferHostOffset));
    operands.push_back(buffer);
  }
  SmallVector<Type> types(llvm::map_range(operands, [](Value value) { return value.getType(); }));
  operands.insert(operands.begin(), chooseKernel(launch, rows));
  auto type = LLVM::LLVMFunctionType::get(builder.getI32Type(), types);
  Value status = LLVM::CallOp::create(builder, type, operands).getResult();
  Value failed = builder.compare(LLVM::ICmpPredicate::ne, status, builder.i32(0));
  LLVM::CondBrOp::create(builder, failed, failure, builder.i32(context.errors.getCode(launch.getLoc())), next,
                         ValueRange());
  builder.setInsertionPointToEnd(next);
}

//===----------------------------------------------------------------------===//
// Loops over time
//===----------------------------------------------------------------------===//

void BodyEmitter::emitEach(nn::EachOp each, const Loop *outer) {
  Loop loop{each, {}, {}, {}};
  size_t outputs = each.getOutputs().size();
  for (auto [index, place] : llvm::enumerate(each.getPlacesAttr())) {
    auto given = dyn_cast<nn::PlaceAttr>(place);
    Value address = given ? getPlace(given, outer) : Value();
    (index < outputs ? loop.stacks : loop.slots).push_back(address);
  }
  Value trip = lengths->getProduct(each.getTrip());

  // The states are pointers that the loop carries.
  Block *next = split(), *body = split(), *head = split();
  SmallVector<Value> starts{builder.i64(0)};
  for (Value start : each.getStarts())
    starts.push_back(addresses.lookup(start));
  LLVM::BrOp::create(builder, starts, head);
  for (Value start : starts)
    head->addArgument(start.getType(), each.getLoc());
  builder.setInsertionPointToEnd(head);
  loop.step = head->getArgument(0);
  LLVM::CondBrOp::create(builder, builder.compare(LLVM::ICmpPredicate::slt, loop.step, trip), body, next);

  builder.setInsertionPointToEnd(body);
  for (auto [carried, pointer] : llvm::zip_equal(each.getCarried(), head->getArguments().drop_front()))
    addresses[carried] = pointer;
  SmallVector<Value> ends = emitStep(loop);
  ends.insert(ends.begin(), builder.add(loop.step, builder.i64(1)));
  LLVM::BrOp::create(builder, ends, head);

  builder.setInsertionPointToEnd(next);
  for (auto [output, stack] : llvm::zip_equal(each.getOutputs(), loop.stacks))
    addresses[output] = stack;
  for (auto [final, pointer] : llvm::zip_equal(each.getFinals(), head->getArguments().drop_front()))
    addresses[final] = pointer;
}

/// One step; gives the pointers to the states after it.
SmallVector<Value> BodyEmitter::emitStep(const Loop &loop) {
  nn::EachOp each = loop.op;
  if (!each.getIndex().use_empty()) {
    Value index = inEntry([&] { return builder.reserve(4, 4); });
    builder.store(builder.narrow(loop.step), index);
    addresses[each.getIndex()] = index;
  }
  for (auto [sequence, element] : llvm::zip_equal(each.getSequences(), each.getElements())) {
    Value bytes = lengths->getBytes(nn::getType(element));
    addresses[element] = builder.at(addresses.lookup(sequence), builder.mul(loop.step, bytes));
  }
  emitBlock(each.getBody().front(), &loop);

  nn::YieldOp yield = each.getYield();
  builder.setLoc(yield.getLoc());
  auto isPlaced = [&](Value value, nn::PlaceKind kind, unsigned index) {
    Value root = getRoot(value);
    nn::PlaceAttr place = root.getParentBlock() == &each.getBody().front() ? getPlaceOf(root) : nn::PlaceAttr();
    return place && place.getKind() == kind && place.getIndex() == index;
  };
  auto place = [&](Value value, nn::PlaceKind kind, unsigned index) {
    if (isPlaced(value, kind, index))
      return addresses.lookup(value);
    Value to = getPlace(nn::PlaceAttr::get(builder.getContext(), kind, index, 0), &loop);
    builder.copy(to, addresses.lookup(value), lengths->getBytes(nn::getType(value)));
    return to;
  };
  SmallVector<Value> ends;
  for (auto [index, next] : llvm::enumerate(yield.getNext()))
    ends.push_back(loop.slots[index] ? place(next, nn::PlaceKind::Carry, index) : addresses.lookup(next));
  for (auto [index, output] : llvm::enumerate(yield.getOutputs()))
    place(output, nn::PlaceKind::Stack, index);
  return ends;
}

//===----------------------------------------------------------------------===//
// Ends
//===----------------------------------------------------------------------===//

void BodyEmitter::emitReturn(func::ReturnOp op) {
  for (auto [index, value] : llvm::enumerate(op.getOperands())) {
    nn::PlaceAttr place = getPlaceOf(getRoot(value));
    if (place && place.getKind() == nn::PlaceKind::Output && place.getIndex() == static_cast<int64_t>(index))
      continue;
    Value to = getPlace(nn::PlaceAttr::get(builder.getContext(), nn::PlaceKind::Output, index, 0), nullptr);
    builder.copy(to, addresses.lookup(value), lengths->getBytes(nn::getType(value)));
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

void BodyEmitter::emitStore(nn::StoreOp store) {
  Value to;
  if (auto state = lookup<nn::StateOp>(store.getSymbolAttr())) {
    to = getStateAddress(state);
  } else {
    auto &list = context.interface.prepared;
    auto prepared = llvm::find_if(list, [&](auto &entry) { return entry.name == store.getSymbol(); });
    to = builder.at(getField(FrameField::Prepared), prepared->offset);
  }
  builder.copy(to, addresses.lookup(store.getValue()), lengths->getBytes(nn::getType(store.getValue())));
}

/// Sets what could not be set earlier. A state whose old value another one takes
/// over is set after that one.
void BodyEmitter::emitLateStores() {
  auto isTakenOver = [&](nn::StoreOp store) {
    return llvm::any_of(late, [&](nn::StoreOp other) {
      auto read = getRoot(other.getValue()).getDefiningOp<nn::ReadOp>();
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
}

LLVM::LLVMFuncOp emit::emitRun(EntryContext &context, func::FuncOp function, bool hasPlan) {
  CodeBuilder builder(function.getLoc());
  std::string name = (context.interface.name + "_" + function.getName() + "_run").str();
  auto result = builder.getFunction(context.module, name, builder.getI32Type(), builder.pointerType());
  result.setLinkage(LLVM::Linkage::Internal);
  BodyEmitter(context, function, result).emit(hasPlan);
  return result;
}
