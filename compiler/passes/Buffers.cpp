//===- Buffers.cpp - What lies in the workspace, and when -----------------===//
//
// First every launch and loop says what it needs: a result of the function goes to
// the caller's buffer, the output of a step to its slot in the loop's stack, a state
// to one of the two slots that its loop keeps, all else to the workspace. A stack takes
// the memory of a sequence where each step of that is read for the last time by the kernel
// that computes the same step of the stack. Then the
// lifetime of each buffer is the stretch of the function from its first write to the
// last read of a value that may lie in it.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Buffers.h"

#include "compiler/passes/InPlace.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

#include <functional>

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// Buffers start on a cache line.
static constexpr int64_t alignment = 64;

int64_t nnc::getPlannedBytes(RankedTensorType type) {
  int64_t elementBytes = std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
  return llvm::alignTo(getStoredSize(type) * elementBytes, alignment);
}

bool nnc::overlapInTime(const Buffer &a, const Buffer &b) { return a.first <= b.last && b.first <= a.last; }

namespace {

class BufferChooser : private FunctionBuffers {
public:
  explicit BufferChooser(func::FuncOp function) : function(function) {}

  FunctionBuffers run(bool inPlace) {
    numberOps();
    chooseOutputs();
    chooseStores();
    function.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (auto loop = dyn_cast<EachOp>(op))
        chooseLoop(loop);
      else if (auto launch = dyn_cast<LaunchOp>(op))
        chooseLaunch(launch);
    });
    if (inPlace)
      shareSequences();
    extendLifetimes();
    return std::move(static_cast<FunctionBuffers &>(*this));
  }

private:
  void numberOps();
  void chooseOutputs();
  void chooseStores();
  void chooseLoop(EachOp loop);
  void chooseLaunch(LaunchOp launch);
  void shareSequences();
  void shareSequences(EachOp loop);
  void findReaders();
  bool readsForLast(EachOp loop, LaunchOp launch, unsigned buffer, SmallVectorImpl<unsigned> &operands);
  void dropShared();
  bool copiesAtEnd(Operation *op);
  void extendLifetimes();

  unsigned makeBuffer(RankedTensorType type, Operation *owner, int64_t copies = 1);
  SmallVector<unsigned> getBuffers(Value value);

  PlaceAttr getPlace(PlaceKind kind, int64_t index) {
    return PlaceAttr::get(function.getContext(), kind, index, /*offset=*/0);
  }

  func::FuncOp function;
  DenseMap<Operation *, std::pair<unsigned, unsigned>> numbers; ///< first and last number of an op
  std::vector<SmallVector<OpOperand *>> readers;                ///< of each buffer, while sequences are shared
};

} // namespace

static bool isFromLaunchIn(Value root, Block *block) {
  return root.getDefiningOp<LaunchOp>() && root.getParentBlock() == block;
}

//===----------------------------------------------------------------------===//
// Where results lie
//===----------------------------------------------------------------------===//

void BufferChooser::numberOps() {
  unsigned next = 0;
  std::function<void(Block &)> number = [&](Block &block) {
    for (Operation &op : block) {
      unsigned first = next++;
      if (auto loop = dyn_cast<EachOp>(op))
        number(loop.getBody().front());
      numbers[&op] = {first, next++};
    }
  };
  number(function.getBody().front());
}

/// Makes room for a value; `copies` of it one after the other.
unsigned BufferChooser::makeBuffer(RankedTensorType type, Operation *owner, int64_t copies) {
  Buffer buffer;
  SmallVector<std::string> names;
  for (const Extent &extent : getExtents(type))
    if (extent.isDynamic())
      names.push_back(extent.name.str());
  buffer.unit = names.empty() ? "1" : llvm::join(names, "*");
  buffer.bytes = copies * getPlannedBytes(type);
  std::tie(buffer.first, buffer.last) = numbers[owner];
  buffers.push_back(buffer);
  return buffers.size() - 1;
}

/// Results that the caller's buffers take directly.
void BufferChooser::chooseOutputs() {
  Operation *end = function.getBody().front().getTerminator();
  for (auto [index, value] : llvm::enumerate(end->getOperands())) {
    Value root = getRoot(value);
    bool direct = isFromLaunchIn(root, &function.getBody().front()) ||
                  (root.getDefiningOp<EachOp>() && llvm::is_contained(root.getDefiningOp<EachOp>().getOutputs(), root));
    if (direct && !choices.contains(root))
      choices[root] = {std::nullopt, getPlace(PlaceKind::Output, index)};
  }
}

/// Whether nothing after a launch reads what the memory held before.
static bool isLastReader(LaunchOp launch, FlatMemory memory) {
  bool last = true;
  for (auto flat : launch->getBlock()->getOps<FlatOp>())
    if (flat.getMemory() == memory)
      for (Operation *user : flat->getUsers())
        last &= !launch->isBeforeInBlock(user);
  return last;
}

/// Gradients, and what an update changes in place.
void BufferChooser::chooseStores() {
  Block &body = function.getBody().front();
  auto choose = [&](Value value, PlaceAttr place) {
    Value root = getRoot(value);
    if (isFromLaunchIn(root, &body) && !choices.contains(root))
      choices[root] = {std::nullopt, place};
  };
  auto weights = cast<ModuleOp>(function->getParentOp()).getOps<WeightOp>();
  DenseMap<StringAttr, int64_t> numbers;
  for (auto [index, weight] : llvm::enumerate(weights))
    numbers[weight.getSymNameAttr()] = index;
  for (auto store : body.getOps<StoreGradientOp>())
    choose(store.getValue(), getPlace(PlaceKind::Gradient, numbers.lookup(store.getSymbolAttr().getAttr())));
  for (auto store : body.getOps<StoreFlatOp>())
    if (auto launch = getRoot(store.getValue()).getDefiningOp<LaunchOp>();
        launch && isLastReader(launch, store.getMemory()))
      choose(store.getValue(), getPlace(PlaceKind::Flat, static_cast<int64_t>(store.getMemory())));
}

/// Stacks for a loop's outputs, slots for its states, and with them the places
/// of what its steps compute.
void BufferChooser::chooseLoop(EachOp loop) {
  for (Value output : loop.getOutputs())
    if (!choices.contains(output))
      choices[output] = {makeBuffer(getType(output), loop), {}};

  Block *body = &loop.getBody().front();
  YieldOp yield = loop.getYield();
  for (auto [index, value] : llvm::enumerate(yield.getOutputs())) {
    Value root = getRoot(value);
    bool isLoopOutput = root.getDefiningOp<EachOp>() && root.getParentBlock() == body &&
                        llvm::is_contained(root.getDefiningOp<EachOp>().getOutputs(), root);
    if ((isFromLaunchIn(root, body) || isLoopOutput) && !choices.contains(root))
      choices[root] = {std::nullopt, getPlace(PlaceKind::Stack, index)};
  }
  for (auto [index, value] : llvm::enumerate(yield.getNext())) {
    Value root = getRoot(value);
    // A state that is stacked is read where it lies in the stack.
    if (isFromLaunchIn(root, body) && choices.contains(root) && choices[root].place.getKind() == PlaceKind::Stack)
      continue;
    carries[{loop, static_cast<unsigned>(index)}] = makeBuffer(getType(loop.getStarts()[index]), loop, /*copies=*/2);
    if (isFromLaunchIn(root, body) && !choices.contains(root))
      choices[root] = {std::nullopt, getPlace(PlaceKind::Carry, index)};
  }
}

void BufferChooser::chooseLaunch(LaunchOp launch) {
  for (Value result : launch.getResults())
    if (!choices.contains(result))
      choices[result] = {makeBuffer(getType(result), launch), {}};
}

/// The buffers in which a value may lie.
SmallVector<unsigned> BufferChooser::getBuffers(Value value) {
  value = getRoot(value);
  auto stateBuffers = [&](EachOp loop, unsigned index) {
    // Its start, until the first step is done; then its slots or its stack.
    SmallVector<unsigned> all = getBuffers(loop.getStarts()[index]);
    if (auto slots = carries.find({loop, index}); slots != carries.end())
      all.push_back(slots->second);
    else
      llvm::append_range(all, getBuffers(loop.getYield().getNext()[index]));
    return all;
  };
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<EachOp>(argument.getOwner()->getParentOp());
    if (!loop || argument == loop.getIndex())
      return {};
    unsigned index = argument.getArgNumber() - 1;
    if (index < loop.getSequences().size())
      return getBuffers(loop.getSequences()[index]);
    return stateBuffers(loop, index - loop.getSequences().size());
  }
  if (auto loop = value.getDefiningOp<EachOp>()) {
    unsigned index = cast<OpResult>(value).getResultNumber();
    if (index >= loop.getOutputs().size())
      return stateBuffers(loop, index - loop.getOutputs().size());
  }
  auto choice = choices.find(value);
  if (choice == choices.end())
    return {}; // weights, states, the caller's
  if (choice->second.buffer)
    return {*choice->second.buffer};
  auto outer = dyn_cast_or_null<EachOp>(value.getParentBlock()->getParentOp());
  if (choice->second.place.getKind() == PlaceKind::Stack)
    return getBuffers(outer.getOutputs()[choice->second.place.getIndex()]);
  if (choice->second.place.getKind() == PlaceKind::Carry)
    return {carries.lookup({outer, static_cast<unsigned>(choice->second.place.getIndex())})};
  return {};
}

//===----------------------------------------------------------------------===//
// Stacks in the memory of sequences
//===----------------------------------------------------------------------===//

/// A stack that may take a buffer of a sequence.
struct Sharing {
  Value output;
  LaunchOp launch;                                                 ///< that writes a step of it
  SmallVector<std::pair<unsigned, SmallVector<unsigned>>> buffers; ///< each with the operands that lie in it
};

void BufferChooser::findReaders() {
  readers.resize(buffers.size());
  function.walk([&](Operation *op) {
    if (!isa<ReshapeOp>(op)) // what reads its result reads this
      for (OpOperand &operand : op->getOpOperands())
        for (unsigned buffer : getBuffers(operand.get()))
          readers[buffer].push_back(&operand);
  });
}

/// Whether a buffer that lies before a loop as one of its sequences is read for the last time, step by step, by a
/// launch in the loop; gives the operands that do.
bool BufferChooser::readsForLast(EachOp loop, LaunchOp launch, unsigned buffer, SmallVectorImpl<unsigned> &operands) {
  Block &body = loop.getBody().front();
  for (OpOperand *read : readers[buffer]) {
    Operation *reader = read->getOwner();
    if (numbers.lookup(reader).second < numbers.lookup(loop).first)
      continue;
    if (reader == loop) {
      if (read->getOperandNumber() >= loop.getSequences().size())
        return false;
      continue;
    }
    Operation *inBody = body.findAncestorOpInBlock(*reader);
    if (!inBody || !llvm::is_contained(loop.getElements(), getRoot(read->get())))
      return false;
    if (reader == launch)
      operands.push_back(read->getOperandNumber());
    else if (inBody == launch || !inBody->isBeforeInBlock(launch))
      return false;
  }
  return !operands.empty();
}

void BufferChooser::shareSequences(EachOp loop) {
  SmallVector<Sharing> sharings;
  for (auto [index, output, value] : llvm::enumerate(loop.getOutputs(), loop.getYield().getOutputs())) {
    auto result = dyn_cast<OpResult>(getRoot(value));
    auto launch = result ? dyn_cast<LaunchOp>(result.getOwner()) : LaunchOp();
    const Choice &own = choices.find(output)->second;
    if (!own.buffer || !launch || launch->getParentOp() != loop)
      continue;
    const Choice &choice = choices.find(result)->second;
    if (choice.buffer || choice.place.getKind() != PlaceKind::Stack || choice.place.getIndex() != int64_t(index))
      continue;
    Sharing sharing{output, launch, {}};
    for (Value sequence : loop.getSequences()) {
      Value root = getRoot(sequence);
      auto lies = choices.find(root);
      if (lies == choices.end() || !lies->second.buffer || root.getParentBlock() != loop->getBlock() ||
          root.getType() != output.getType() ||
          llvm::is_contained(llvm::make_first_range(sharing.buffers), *lies->second.buffer))
        continue;
      SmallVector<unsigned> operands;
      if (readsForLast(loop, launch, *lies->second.buffer, operands) &&
          llvm::all_of(operands, [&](unsigned operand) { return canTake(launch, operand, result.getResultNumber()); }))
        sharing.buffers.emplace_back(*lies->second.buffer, std::move(operands));
    }
    sharings.push_back(std::move(sharing));
  }
  // Those that have the least choice come first.
  llvm::stable_sort(sharings, [](const Sharing &a, const Sharing &b) { return a.buffers.size() < b.buffers.size(); });
  DenseSet<unsigned> taken;
  for (Sharing &sharing : sharings)
    for (auto &[buffer, operands] : sharing.buffers)
      if (taken.insert(buffer).second) {
        unsigned own = *choices[sharing.output].buffer;
        llvm::append_range(readers[buffer], readers[own]);
        choices[sharing.output].buffer = buffer;
        for (unsigned operand : operands)
          inPlace.emplace_back(sharing.launch, operand);
        break;
      }
}

void BufferChooser::shareSequences() {
  findReaders();
  function.walk<WalkOrder::PreOrder>([&](EachOp loop) { shareSequences(loop); });
  dropShared();
}

/// Leaves out the buffers that nothing lies in any more.
void BufferChooser::dropShared() {
  SmallVector<unsigned *> uses;
  for (auto &[value, choice] : choices)
    if (choice.buffer)
      uses.push_back(&*choice.buffer);
  for (auto &[state, buffer] : carries)
    uses.push_back(&buffer);
  std::vector<std::optional<unsigned>> kept(buffers.size());
  for (unsigned *use : uses)
    kept[*use] = 0;
  unsigned next = 0;
  for (unsigned buffer = 0; buffer < buffers.size(); ++buffer)
    if (kept[buffer]) {
      buffers[next] = buffers[buffer];
      kept[buffer] = next++;
    }
  buffers.resize(next);
  for (unsigned *use : uses)
    *use = *kept[*use];
}

//===----------------------------------------------------------------------===//
// Lifetimes
//===----------------------------------------------------------------------===//

/// Whether a store waits for the end of the function, since what it sets may be read
/// until then. What `@prepare` makes nothing reads there.
bool BufferChooser::copiesAtEnd(Operation *op) {
  auto store = dyn_cast<StoreOp>(op);
  if (!store)
    return isa<StoreFlatOp>(op);
  if (!SymbolTable::lookupNearestSymbolFrom<PreparedOp>(op, store.getSymbolAttr()))
    return true;
  bool isRead = false;
  function.walk([&](ReadOp read) { isRead |= read.getSymbolAttr() == store.getSymbolAttr(); });
  return isRead;
}

void BufferChooser::extendLifetimes() {
  function.walk([&](Operation *reader) {
    for (Value operand : reader->getOperands()) {
      // A read in a loop of what comes from outside happens until the loop ends.
      Operation *until = reader;
      Block *home = operand.getParentBlock();
      if (isa<BlockArgument>(operand) && isa<EachOp>(home->getParentOp()))
        home = home->getParentOp()->getBlock();
      while (until->getBlock() != home && isa<EachOp>(until->getParentOp()))
        until = until->getParentOp();
      if (copiesAtEnd(reader))
        until = home->getTerminator();
      unsigned last =
          isa<YieldOp>(reader) && until == reader ? numbers[reader->getParentOp()].second : numbers[until].second;
      for (unsigned buffer : getBuffers(operand))
        buffers[buffer].last = std::max(buffers[buffer].last, last);
    }
  });
}

FunctionBuffers nnc::chooseBuffers(func::FuncOp function, bool inPlace) { return BufferChooser(function).run(inPlace); }
