//===- Loop.cpp - Loops over time -----------------------------------------===//
//
// The loop carries the number of steps done and the address of each state. One that is
// unrolled is two: the first goes on by several steps at a time as long as there are
// so many, the second does the rest. One that ends by `until` looks after each step
// whether there is an example left; steps that are not taken are 0 in the stacks. What a
// device computes is looked at by the runtime, only every few steps: those beyond the end
// change no state, and what they stack is cleared.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/Body.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::emit;

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
  SmallVector<Value> carried{builder.i64(0)};
  for (Value start : each.getStarts())
    carried.push_back(addresses.lookup(start));
  if (int64_t unroll = each.getUnroll().value_or(1); unroll > 1)
    carried = emitSteps(loop, trip, carried, unroll);
  carried = emitSteps(loop, trip, carried, 1);
  if (each.getYield().getUntil())
    clearRest(loop, trip, carried.front());

  for (auto [output, stack] : llvm::zip_equal(each.getOutputs(), loop.stacks))
    addresses[output] = stack;
  for (auto [final, pointer] : llvm::zip_equal(each.getFinals(), ArrayRef(carried).drop_front()))
    addresses[final] = pointer;
}

/// Where kernels read the number of a step.
Value BodyEmitter::getIndexAddress(Value step) {
  if (onDevice()) {
    SmallVector<Value> operands{getField(FrameField::Tasks), step};
    auto function = builder.getFunction(context.module, "nnc_device_step", builder.pointerType(),
                                        {builder.pointerType(), builder.getI64Type()});
    return LLVM::CallOp::create(builder, function, operands).getResult();
  }
  Value index = inEntry([&] { return builder.reserve(4, 4); });
  builder.store(builder.narrow(step), index);
  return index;
}

/// A loop of so many steps at a time, until fewer are left; takes and gives the number of
/// steps done and the pointers to the states.
SmallVector<Value> BodyEmitter::emitSteps(Loop &loop, Value trip, ArrayRef<Value> starts, int64_t count) {
  Block *next = split(), *body = split(), *head = split();
  LLVM::BrOp::create(builder, starts, head);
  for (Value start : starts)
    head->addArgument(start.getType(), loop.op.getLoc());
  builder.setInsertionPointToEnd(head);
  SmallVector<Value> carried(head->getArguments());
  Value last = count == 1 ? carried.front() : builder.add(carried.front(), builder.i64(count - 1));
  auto leave = LLVM::CondBrOp::create(builder, builder.compare(LLVM::ICmpPredicate::slt, last, trip), body, next);

  builder.setInsertionPointToEnd(body);
  SmallVector<Value> states(carried);
  for (int64_t step = 0; step < count; ++step) {
    Value done = states.front();
    loop.step = loop.op.getBackward() ? builder.sub(builder.sub(trip, builder.i64(1)), done) : done;
    for (auto [argument, pointer] : llvm::zip_equal(loop.op.getCarried(), ArrayRef(states).drop_front()))
      addresses[argument] = pointer;
    states = emitStep(loop);
    states.insert(states.begin(), builder.add(done, builder.i64(1)));
  }
  Value until = loop.op.getYield().getUntil();
  if (!until) {
    LLVM::BrOp::create(builder, states, head);
    builder.setInsertionPointToEnd(next);
    return carried;
  }
  assert(count == 1 && "loops that end by `until` are not unrolled");
  if (onDevice()) {
    Value ended = findEnd(until, states.front(), trip);
    Value isEnded = builder.compare(LLVM::ICmpPredicate::ne, ended, builder.i64(0));
    LLVM::CondBrOp::create(builder, isEnded, next, getEnds(loop, ended, states), head, states);
  } else {
    LLVM::CondBrOp::create(builder, areAllSet(until), next, states, head, states);
  }
  for (Value state : states)
    next->addArgument(state.getType(), loop.op.getLoc());
  leave.getFalseDestOperandsMutable().assign(carried);
  builder.setInsertionPointToEnd(next);
  return llvm::to_vector(
      llvm::map_range(next->getArguments(), [](BlockArgument argument) -> Value { return argument; }));
}

/// Whether the flag of each example is set.
Value BodyEmitter::areAllSet(Value flags) {
  SmallVector<Value> operands{addresses.lookup(flags), builder.i32(0), lengths->getBytes(nn::getType(flags))};
  auto find = builder.getFunction(context.module, "memchr", builder.pointerType(),
                                  llvm::to_vector(ValueRange(operands).getTypes()));
  Value cleared = LLVM::CallOp::create(builder, find, operands).getResult();
  return builder.compare(LLVM::ICmpPredicate::eq, cleared, builder.null());
}

/// The steps after which all flags were set, when the runtime looked and found so; else 0.
Value BodyEmitter::findEnd(Value flags, Value done, Value trip) {
  SmallVector<Value> operands{getField(FrameField::Tasks), addresses.lookup(flags),
                              lengths->getBytes(nn::getType(flags)), done, trip};
  auto find = builder.getFunction(context.module, "nnc_device_find_end", builder.getI64Type(),
                                  llvm::to_vector(ValueRange(operands).getTypes()));
  return LLVM::CallOp::create(builder, find, operands).getResult();
}

/// What a loop carries where it ends after fewer steps than it took: a state that lies in a
/// stack is that of its last step, as later ones are cleared.
SmallVector<Value> BodyEmitter::getEnds(const Loop &loop, Value ended, ArrayRef<Value> states) {
  nn::EachOp each = loop.op;
  SmallVector<Value> ends(states);
  ends.front() = ended;
  Value last = builder.sub(ended, builder.i64(1));
  for (auto [index, next] : llvm::enumerate(each.getYield().getNext())) {
    nn::PlaceAttr place = loop.slots[index] ? nn::PlaceAttr() : getPlaceOf(nn::getRoot(next));
    if (!place || place.getKind() != nn::PlaceKind::Stack)
      continue;
    Value bytes = lengths->getBytes(nn::EachOp::getElementType(nn::getType(each.getOutputs()[place.getIndex()])));
    ends[index + 1] = builder.at(loop.stacks[place.getIndex()], builder.mul(last, bytes));
  }
  return ends;
}

/// Steps that were not taken are 0 in the stacks: what reads whole sequences finds
/// numbers, and numbers of classes, there.
void BodyEmitter::clearRest(const Loop &loop, Value trip, Value done) {
  nn::EachOp each = loop.op;
  for (auto [output, stack] : llvm::zip_equal(each.getOutputs(), loop.stacks)) {
    Value bytes = lengths->getBytes(nn::EachOp::getElementType(nn::getType(output)));
    Value begin = builder.at(stack, builder.mul(done, bytes));
    Value rest = builder.mul(builder.sub(trip, done), bytes);
    clear(begin, rest);
  }
}

/// One step; gives the pointers to the states after it.
SmallVector<Value> BodyEmitter::emitStep(const Loop &loop) {
  nn::EachOp each = loop.op;
  if (!each.getIndex().use_empty()) {
    addresses[each.getIndex()] = getIndexAddress(loop.step);
  }
  for (auto [sequence, element] : llvm::zip_equal(each.getSequences(), each.getElements())) {
    Value bytes = lengths->getBytes(nn::getType(element));
    addresses[element] = builder.at(addresses.lookup(sequence), builder.mul(loop.step, bytes));
  }
  emitBlock(each.getBody().front(), &loop);

  nn::YieldOp yield = each.getYield();
  builder.setLoc(yield.getLoc());
  auto isPlaced = [&](Value value, nn::PlaceKind kind, unsigned index) {
    Value root = nn::getRoot(value);
    nn::PlaceAttr place = root.getParentBlock() == &each.getBody().front() ? getPlaceOf(root) : nn::PlaceAttr();
    return place && place.getKind() == kind && place.getIndex() == index;
  };
  auto place = [&](Value value, nn::PlaceKind kind, unsigned index) {
    if (isPlaced(value, kind, index))
      return addresses.lookup(value);
    Value to = getPlace(nn::PlaceAttr::get(builder.getContext(), kind, index, 0), &loop);
    copy(to, addresses.lookup(value), lengths->getBytes(nn::getType(value)));
    return to;
  };
  SmallVector<Value> ends;
  for (auto [index, next] : llvm::enumerate(yield.getNext()))
    ends.push_back(loop.slots[index] ? place(next, nn::PlaceKind::Carry, index) : addresses.lookup(next));
  for (auto [index, output] : llvm::enumerate(yield.getOutputs()))
    place(output, nn::PlaceKind::Stack, index);
  return ends;
}
