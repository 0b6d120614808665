//===- Clusters.cpp - What of a block is computed together ----------------===//
//
// Walks a block in order and puts every op that computes into a cluster. An
// anchor opens one; an element-wise op joins the latest cluster that computes
// one of its operands at the same shape, unless that would make two clusters
// wait for each other. Contractions of one operand by weights of one shape join
// each other, and so do their weights' gradients. Sums take the element-wise cluster that only they read, copies in
// panels the slice that they are of, and clusters of element-wise ops that meet in
// one become one, as do norms of rows. At last ops move to their readers
// (Readers.cpp).
//
// Whether one cluster waits for another is asked for every op. Each cluster has a
// level above those of all that it waits for, so that the search for one leaves
// out what is not above it: in a chain of layers that is everything.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Clusters.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// Most contractions that share a group: their accumulators share the registers.
static constexpr unsigned maxContractions = 4;

/// Most norms that do: their rows share the stack.
static constexpr unsigned maxNorms = 4;

bool nnc::isCheap(Operation *op) {
  if (isa<ConstantOp, BroadcastOp, CountOp, ExtentOp>(op))
    return true;
  if (!isElementwise(op))
    return false;
  RankedTensorType type = getType(op->getResult(0));
  auto isCheapValue = [](Value operand) { return operand.getDefiningOp() && isCheap(operand.getDefiningOp()); };
  return type.getElementType().isF32() ? type.getRank() == 0 && llvm::all_of(op->getOperands(), isCheapValue)
                                       : getFixedShape(type).empty();
}

bool nnc::isComputed(Operation *op) { return isa<ComputeOp, BroadcastOp, ConstantOp>(op); }

Clusters::Clusters(Block &block, const ClusterLimits &limits) : block(block), limits(limits) {
  for (Operation &op : block) {
    if (isa<ComputeOp>(op) && !isCheap(&op))
      place(&op);
    else
      add(&op, makeCluster());
  }
  sinkToReaders();
  materializeCheap();
}

Cluster *Clusters::getHome(Value value, bool any) {
  Operation *op = value.getDefiningOp();
  Cluster *home = op && op->getBlock() == &block ? homes.lookup(op) : nullptr;
  return home && (home->isGroup || any) ? home : nullptr;
}

/// What contractions must have in common to share a cluster: what they do with which operand, and
/// the weight's type. Gradients of weights share one where they are in panels, as what they multiply
/// is copied for all of them.
static std::optional<ContractionKey> getContractionKey(Operation *op) {
  const void *kind = op->getName().getAsOpaquePointer();
  if (auto dense = dyn_cast<DenseOp>(op))
    return ContractionKey(kind, dense.getX(), dense.getWeight().getType());
  auto gradient = dyn_cast<DenseWeightGradientOp>(op);
  if (gradient && isa_and_nonnull<PanelAttr>(getType(gradient.getResult()).getEncoding()))
    return ContractionKey(kind, gradient.getX(), gradient.getResult().getType());
  return std::nullopt;
}

Cluster &Clusters::makeGroupCluster(Operation *op, Family family) {
  Cluster &cluster = makeCluster();
  cluster.isGroup = true;
  cluster.family = family;
  cluster.shape = getExtents(getType(op->getResult(0)));
  return cluster;
}

void Clusters::place(Operation *op) {
  std::optional<ContractionKey> key = getContractionKey(op);
  Cluster *home = isElementwise(op) ? findElementwiseHome(op) : key ? findContractionHome(op, *key) : nullptr;
  if (!home) {
    home = &makeGroupCluster(op, cast<ComputeOp>(op).getFamily());
    takePrologue(op, *home);
    if (key)
      contractionHomes[*key].push_back(home);
  }
  if (key && ++home->contractions == (isa<DenseOp>(op) ? maxContractions : limits.gradients))
    llvm::erase(contractionHomes[*key], home);
  if (isa<DenseInputGradientOp>(op))
    ++home->contractions;
  add(op, *home);
  if (isElementwise(op))
    takeMet(op, *home);
}

/// The values outside its block that an op's nested regions read count too.
static void forEachOperand(Operation *op, function_ref<void(Value)> visit) {
  op->walk([&](Operation *nested) { llvm::for_each(nested->getOperands(), visit); });
}

void Clusters::add(Operation *op, Cluster &cluster) {
  cluster.ops.push_back(op);
  homes[op] = &cluster;
  forEachOperand(op, [&](Value value) {
    Cluster *needed = getHome(value, /*any=*/true);
    if (!needed || needed == &cluster || !cluster.needs.insert(needed))
      return;
    needed->neededBy.insert(&cluster);
    cluster.level = std::max(cluster.level, needed->level + 1);
  });
  raise(cluster);
}

/// Lifts what waits for a cluster above it.
void Clusters::raise(Cluster &cluster) {
  SmallVector<Cluster *> worklist{&cluster};
  while (!worklist.empty()) {
    Cluster *lower = worklist.pop_back_val();
    for (Cluster *upper : lower->neededBy)
      if (upper->level <= lower->level) {
        upper->level = lower->level + 1;
        worklist.push_back(upper);
      }
  }
}

/// Whether `op` needs a result of the cluster by way of something outside it.
bool Clusters::waitsFor(Operation *op, Cluster &cluster) {
  SmallVector<Cluster *> needs;
  forEachOperand(op, [&](Value value) {
    if (Cluster *needed = getHome(value, /*any=*/true); needed && needed != &cluster)
      needs.push_back(needed);
  });
  return reaches(needs, cluster);
}

/// Whether one of these clusters needs `cluster`, itself or by way of others.
bool Clusters::reaches(ArrayRef<Cluster *> from, Cluster &cluster) {
  llvm::SmallPtrSet<Cluster *, 8> seen;
  SmallVector<Cluster *> worklist;
  auto visit = [&](Cluster *needed) {
    if (needed->level > cluster.level && seen.insert(needed).second)
      worklist.push_back(needed);
  };
  llvm::for_each(from, visit);
  while (!worklist.empty()) {
    Cluster *next = worklist.pop_back_val();
    if (next->needs.contains(&cluster))
      return true;
    llvm::for_each(next->needs, visit);
  }
  return false;
}

/// The latest cluster that computes an operand at the shape of the result.
Cluster *Clusters::findElementwiseHome(Operation *op) {
  Extents shape = getExtents(getType(op->getResult(0)));
  llvm::SmallSetVector<Cluster *, 4> candidates;
  for (Value operand : op->getOperands())
    if (Cluster *home = getHome(operand); home && home->shape == shape && home->family != Family::Reshape)
      candidates.insert(home);
  SmallVector<Cluster *> latestFirst = candidates.takeVector();
  llvm::sort(latestFirst, [](Cluster *a, Cluster *b) { return b->ops.back()->isBeforeInBlock(a->ops.back()); });
  auto home = llvm::find_if(latestFirst, [&](Cluster *candidate) { return !waitsFor(op, *candidate); });
  return home == latestFirst.end() ? nullptr : *home;
}

/// Another contraction of the same operand by a weight of the same shape.
Cluster *Clusters::findContractionHome(Operation *op, const ContractionKey &key) {
  for (Cluster *home : llvm::reverse(contractionHomes[key]))
    if (!waitsFor(op, *home))
      return home;
  return nullptr;
}

/// Whether contractions of a step, which can share a cluster, are all that reads a value that is put together there:
/// few rows of it.
static bool isPutTogetherFor(Operation *op, Operation *concat) {
  if (!isa<ConcatOp>(concat) || !isa<EachOp>(op->getParentOp()))
    return false;
  std::optional<ContractionKey> key = getContractionKey(op);
  return llvm::range_size(concat->getUsers()) <= maxContractions &&
         llvm::all_of(concat->getUsers(), [&](Operation *user) {
           return isa<DenseOp>(user) && user->getBlock() == op->getBlock() && getContractionKey(user) == key;
         });
}

/// A sum reads each element once: what computes them for it alone need not
/// store them. With few kernels, nor need what is put together for a step's contractions be stored.
void Clusters::takePrologue(Operation *op, Cluster &cluster) {
  if (limits.fewKernels && isa<DenseOp>(op))
    if (Cluster *home = getHome(op->getOperand(0)); home && isPutTogetherFor(op, home->ops.front())) {
      merge(*home, cluster);
      return;
    }
  if (!isa<SumOp, MeanOp, ReduceMaxOp, ReduceMinOp, PackOp>(op))
    return;
  Cluster *home = getHome(op->getOperand(0));
  if (!home)
    return;
  bool fits =
      isa<PackOp>(op) ? home->ops.size() == 1 && isa<SliceOp>(home->ops.front()) : home->family == Family::Elementwise;
  if (!fits)
    return;
  for (Operation *member : home->ops)
    for (Operation *user : member->getUsers())
      if (user != op && homes.lookup(user) != home)
        return;
  SmallVector<Operation *> members = std::move(home->ops);
  home->ops.clear();
  for (Operation *member : members)
    homes.erase(member);
  for (Operation *member : members)
    add(member, cluster);
}

/// Contractions by transposed weights of one shape, whose results are added: the
/// gates of a recurrent cell on the way back.
static bool canShareSums(const Cluster &a, const Cluster &b) {
  auto getWeightType = [](const Cluster &cluster) -> Type {
    Type type;
    for (Operation *op : cluster.ops) {
      if (isElementwise(op))
        continue;
      auto gradient = dyn_cast<DenseInputGradientOp>(op);
      if (!gradient || (type && type != gradient.getWeight().getType()))
        return {};
      type = gradient.getWeight().getType();
    }
    return type;
  };
  return a.family == Family::Dense && b.family == Family::Dense && a.contractions + b.contractions <= maxContractions &&
         getWeightType(a) && getWeightType(a) == getWeightType(b);
}

/// Norms of rows that meet, and what is computed element by element beside one: the
/// gates of a cell that normalizes each.
static bool canShareRows(const Cluster &a, const Cluster &b) {
  unsigned norms = 0;
  auto isOfRows = [&](const Cluster &cluster) {
    return llvm::all_of(cluster.ops, [&](Operation *op) {
      norms += isa<LayerNormOp>(op);
      return isa<LayerNormOp>(op) || isElementwise(op);
    });
  };
  return isOfRows(a) && isOfRows(b) && norms > 0 && norms <= maxNorms;
}

/// Whether what is computed element by element beside an anchor is computed with it.
bool Clusters::canFollow(const Cluster &cluster, const Cluster &anchor) const {
  return limits.fewKernels && cluster.family == Family::Elementwise && anchor.family != Family::Reshape;
}

/// Element-wise clusters whose results an op of `cluster` brings together, and those
/// that can share with it, are computed with it, unless its anchor sums over them or something between them
/// has to wait.
void Clusters::takeMet(Operation *op, Cluster &cluster) {
  auto waitsByOthers = [&](Cluster &waiting, Cluster &for_) {
    SmallVector<Cluster *> others;
    llvm::copy_if(waiting.needs, std::back_inserter(others), [&](Cluster *needed) { return needed != &for_; });
    return reaches(others, for_);
  };
  for (Value operand : op->getOperands()) {
    Cluster *met = getHome(operand);
    if (!met || met == &cluster || met->shape != cluster.shape ||
        (met->family != Family::Elementwise && !canShareSums(*met, cluster) && !canShareRows(*met, cluster) &&
         !canFollow(cluster, *met)))
      continue;
    bool isSummed = cluster.family != Family::Elementwise && llvm::any_of(cluster.ops, [&](Operation *member) {
                      return !isElementwise(member) &&
                             llvm::any_of(member->getOperands(), [&](Value value) { return getHome(value) == met; });
                    });
    if (isSummed || waitsByOthers(cluster, *met) || waitsByOthers(*met, cluster))
      continue;
    if (cluster.family == Family::Elementwise)
      cluster.family = met->family;
    merge(*met, cluster);
  }
}

void Clusters::merge(Cluster &from, Cluster &into) {
  for (Operation *op : from.ops)
    homes[op] = &into;
  into.ops.append(from.ops);
  for (Cluster *needed : from.needs) {
    needed->neededBy.remove(&from);
    if (needed != &into && into.needs.insert(needed))
      needed->neededBy.insert(&into);
  }
  for (Cluster *upper : from.neededBy) {
    upper->needs.remove(&from);
    if (upper != &into && upper->needs.insert(&into))
      into.neededBy.insert(upper);
  }
  into.contractions += from.contractions;
  from = Cluster();
  into.level = 0;
  for (Cluster *needed : into.needs)
    into.level = std::max(into.level, needed->level + 1);
  raise(into);
}

/// A cheap value that something other than a group needs is computed after all.
void Clusters::materializeCheap() {
  auto isInGroup = [&](Operation *op) { return homes.lookup(op) && homes.lookup(op)->isGroup; };
  for (Operation &op : block) {
    if (!isComputed(&op) || !isCheap(&op))
      continue;
    bool escapes = llvm::any_of(op.getUsers(), [&](Operation *user) {
      return user->getBlock() != &block || !(isInGroup(user) || (isComputed(user) && isCheap(user)));
    });
    // Without a home in it: groups still copy it.
    if (escapes)
      makeGroupCluster(&op, Family::Elementwise).ops.push_back(&op);
  }
}
