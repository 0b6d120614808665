//===- FormGroups.cpp - Gather ops that are computed together -------------===//
//
// Walks each block in order and puts every op that computes into a cluster. An
// anchor opens one; an element-wise op joins the latest cluster that computes
// one of its operands at the same shape, unless that would make two clusters
// wait for each other. Contractions of one operand by weights of one shape join
// each other. Sums take the element-wise cluster that only they read. Then each
// cluster becomes a group.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Passes.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace nnc {
#define GEN_PASS_DEF_FORMGROUPS
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// Most contractions that share a group: their accumulators share the registers.
static constexpr unsigned maxContractions = 4;

static bool isElementwise(Operation *op) { return op->hasTrait<nn::OpTrait::Elementwise>(); }

/// What is copied into every group that reads it rather than stored: it costs
/// nothing beside reading it.
static bool isCheap(Operation *op) {
  if (isa<ConstantOp, BroadcastOp>(op))
    return true;
  return isElementwise(op) && !getType(op->getResult(0)).getElementType().isF32() &&
         getFixedShape(getType(op->getResult(0))).empty();
}

static bool isComputed(Operation *op) { return isa<ComputeOp, BroadcastOp, ConstantOp>(op); }

namespace {

/// Ops that will be one group.
struct Cluster {
  Family family;
  Extents shape; ///< of every result
  SmallVector<Operation *> ops;
  unsigned contractions = 0;
};

/// Groups the ops of one block.
class BlockGrouper {
public:
  explicit BlockGrouper(Block &block) : block(block) {}

  void run() {
    for (Operation &op : block)
      if (isa<ComputeOp>(op) && !isCheap(&op))
        place(&op);
    materializeCheap();
    for (auto &cluster : clusters)
      if (!cluster->ops.empty())
        makeGroup(*cluster);
    eraseDead();
    sortTopologically(&block);
  }

private:
  void place(Operation *op);
  Cluster *findElementwiseHome(Operation *op);
  Cluster *findContractionHome(Operation *op);
  void takePrologue(Operation *op, Cluster &cluster);
  void add(Operation *op, Cluster &cluster) {
    cluster.ops.push_back(op);
    homes[op] = &cluster;
  }
  bool waitsFor(Operation *op, Cluster &cluster);
  void materializeCheap();
  void makeGroup(Cluster &cluster);
  void eraseDead();

  /// The op of this block that computes a value, or holds the op that does.
  Operation *getDefiner(Value value) {
    Operation *op = value.getDefiningOp();
    return op && op->getBlock() == &block ? op : nullptr;
  }

  Block &block;
  std::vector<std::unique_ptr<Cluster>> clusters;
  DenseMap<Operation *, Cluster *> homes;
};

} // namespace

//===----------------------------------------------------------------------===//
// Clusters
//===----------------------------------------------------------------------===//

void BlockGrouper::place(Operation *op) {
  Cluster *home = isElementwise(op) ? findElementwiseHome(op) : findContractionHome(op);
  if (!home) {
    clusters.push_back(std::make_unique<Cluster>());
    home = clusters.back().get();
    home->family = cast<ComputeOp>(op).getFamily();
    home->shape = getExtents(getType(op->getResult(0)));
    takePrologue(op, *home);
  }
  if (isa<DenseOp>(op))
    ++home->contractions;
  add(op, *home);
}

/// The values outside its block that an op's nested regions read count too.
static void forEachOperand(Operation *op, function_ref<void(Value)> visit) {
  op->walk([&](Operation *nested) { llvm::for_each(nested->getOperands(), visit); });
}

/// Whether `op` needs a result of the cluster by way of something outside it.
bool BlockGrouper::waitsFor(Operation *op, Cluster &cluster) {
  DenseSet<Operation *> seen;
  SmallVector<Operation *> worklist;
  auto visitOperands = [&](Operation *reader, bool direct) {
    bool found = false;
    forEachOperand(reader, [&](Value value) {
      Operation *definer = getDefiner(value);
      if (!definer)
        return;
      if (homes.lookup(definer) == &cluster)
        found |= !direct;
      else if (seen.insert(definer).second)
        worklist.push_back(definer);
    });
    return found;
  };
  visitOperands(op, /*direct=*/true);
  while (!worklist.empty()) {
    Operation *next = worklist.pop_back_val();
    // A cluster is computed at once: it waits for what any of its ops needs.
    if (Cluster *home = homes.lookup(next)) {
      for (Operation *member : home->ops)
        if (visitOperands(member, /*direct=*/false))
          return true;
    } else if (visitOperands(next, /*direct=*/false)) {
      return true;
    }
  }
  return false;
}

Cluster *BlockGrouper::findElementwiseHome(Operation *op) {
  Extents shape = getExtents(getType(op->getResult(0)));
  Cluster *latest = nullptr;
  for (Value operand : op->getOperands()) {
    Operation *definer = getDefiner(operand);
    Cluster *home = definer ? homes.lookup(definer) : nullptr;
    if (!home || home->shape != shape || home == latest || home->family == Family::Reshape)
      continue;
    if (latest && latest->ops.back()->isBeforeInBlock(home->ops.back()) == false)
      continue;
    if (!waitsFor(op, *home))
      latest = home;
  }
  return latest;
}

/// Another contraction of the same operand by a weight of the same shape.
Cluster *BlockGrouper::findContractionHome(Operation *op) {
  auto dense = dyn_cast<DenseOp>(op);
  if (!dense)
    return nullptr;
  for (auto &cluster : llvm::reverse(clusters)) {
    if (cluster->contractions == 0 || cluster->contractions >= maxContractions)
      continue;
    auto first = cast<DenseOp>(*llvm::find_if(cluster->ops, llvm::IsaPred<DenseOp>));
    if (first.getX() == dense.getX() && first.getWeight().getType() == dense.getWeight().getType() &&
        !waitsFor(op, *cluster))
      return cluster.get();
  }
  return nullptr;
}

/// A sum reads each element once: what computes them for it alone need not
/// store them.
void BlockGrouper::takePrologue(Operation *op, Cluster &cluster) {
  if (!isa<SumOp, MeanOp, ReduceMaxOp, ReduceMinOp>(op))
    return;
  Operation *definer = getDefiner(op->getOperand(0));
  Cluster *home = definer ? homes.lookup(definer) : nullptr;
  if (!home || home->family != Family::Elementwise)
    return;
  for (Operation *member : home->ops)
    for (Operation *user : member->getUsers())
      if (user != op && homes.lookup(user) != home)
        return;
  for (Operation *member : home->ops)
    add(member, cluster);
  home->ops.clear();
}

/// A cheap value that something other than a group needs is computed after all.
void BlockGrouper::materializeCheap() {
  for (Operation &op : block) {
    if (!isComputed(&op) || !isCheap(&op))
      continue;
    bool escapes = llvm::any_of(op.getUsers(), [&](Operation *user) {
      return user->getBlock() != &block || !(homes.contains(user) || (isComputed(user) && isCheap(user)));
    });
    if (!escapes)
      continue;
    clusters.push_back(std::make_unique<Cluster>());
    clusters.back()->family = Family::Elementwise;
    clusters.back()->shape = getExtents(getType(op.getResult(0)));
    clusters.back()->ops.push_back(&op); // no home: groups still copy it
  }
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

/// The value inside a group of one that it reads: a copy of what is cheap, else
/// an argument.
static Value importOperand(Value value, Block &body, IRMapping &mapping, SmallVectorImpl<Value> &inputs) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (op && isComputed(op) && isCheap(op)) {
    for (Value operand : op->getOperands())
      importOperand(operand, body, mapping, inputs);
    OpBuilder builder(op->getContext());
    builder.setInsertionPointToEnd(&body);
    return builder.clone(*op, mapping)->getResult(0);
  }
  inputs.push_back(value);
  Value argument = body.addArgument(value.getType(), value.getLoc());
  mapping.map(value, argument);
  return argument;
}

void BlockGrouper::makeGroup(Cluster &cluster) {
  llvm::sort(cluster.ops, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  auto region = std::make_unique<Region>();
  Block &body = region->emplaceBlock();
  OpBuilder inside(block.getParentOp()->getContext());
  IRMapping mapping;
  SmallVector<Value> inputs, results, inner;
  llvm::SmallPtrSet<Operation *, 8> members(cluster.ops.begin(), cluster.ops.end());
  for (Operation *op : cluster.ops) {
    for (Value operand : op->getOperands())
      importOperand(operand, body, mapping, inputs);
    inside.setInsertionPointToEnd(&body);
    inside.clone(*op, mapping);
    if (llvm::any_of(op->getUsers(), [&](Operation *user) { return !members.contains(user); }))
      results.push_back(op->getResult(0));
  }
  if (results.empty())
    return; // nothing needs it
  SmallVector<Location> locations;
  for (Operation *op : cluster.ops)
    locations.push_back(op->getLoc());
  Operation *last = cluster.ops.back();
  OpBuilder builder(last);
  Location location = builder.getFusedLoc(locations);
  for (Value result : results)
    inner.push_back(mapping.lookup(result));
  inside.setInsertionPointToEnd(&body);
  YieldOp::create(inside, location, ValueRange(), inner, Value());
  auto group = GroupOp::create(builder, location, TypeRange(ValueRange(results)), cluster.family, inputs);
  group.getBody().takeBody(*region);
  for (auto [result, value] : llvm::zip_equal(results, group.getResults()))
    result.replaceUsesWithIf(value, [&](OpOperand &use) {
      // Other clusters copy what is cheap, so that only what escapes is read.
      return !members.contains(use.getOwner()) && !(isCheap(last) && isComputed(use.getOwner()));
    });
}

void BlockGrouper::eraseDead() {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isComputed(&op) && op.use_empty())
      op.erase();
}

namespace {

struct FormGroupsPass : nnc::impl::FormGroupsBase<FormGroupsPass> {
  void runOnOperation() override {
    SmallVector<Block *> blocks;
    getOperation().walk([&](EachOp loop) { blocks.push_back(&loop.getBody().front()); });
    for (auto function : getOperation().getOps<func::FuncOp>())
      blocks.push_back(&function.getBody().front());
    for (Block *block : blocks)
      BlockGrouper(*block).run();
    verifyGrouped();
  }

  /// Every op that computes is in a group.
  void verifyGrouped() {
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<GroupOp>(op))
        return WalkResult::skip();
      if (!isComputed(op))
        return WalkResult::advance();
      op->emitOpError("is in no group");
      signalPassFailure();
      return WalkResult::advance();
    });
  }
};

} // namespace
