//===- BranchLaunches.cpp - Launches that need not wait for each other -----===//
//
// A device works on several kernels at once where it is not told to wait. Of the launches of a function, outside of
// loops, each that needs a result of the last one of a branch follows it there; others begin or go on with another
// branch. What needs results of other branches, or writes where these read or write, waits for them. Loops, and copies
// at a function's end, are in the first branch and wait for all.
//
//===----------------------------------------------------------------------===//

#include "compiler/passes/Buffers.h"
#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLExtras.h"

#include <optional>
#include <vector>

namespace nnc {
#define GEN_PASS_DEF_BRANCHLAUNCHES
#include "compiler/passes/Passes.h.inc"
} // namespace nnc

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

namespace {

/// What a launch reads or writes.
struct Region {
  PlaceKind kind;
  int64_t index;              ///< of an arena, a result, a weight
  int64_t begin = 0, end = 0; ///< bytes for one unit, in the workspace

  bool overlaps(const Region &other) const {
    return kind == other.kind && index == other.index &&
           (kind != PlaceKind::Workspace || (begin < other.end && other.begin < end));
  }
};

/// A launch in its branch, with what it touches.
struct Member {
  LaunchOp launch;
  SmallVector<Region> reads = {}, writes = {};
  unsigned branch = 0;
  unsigned number = 0;              ///< counts the launches of the branch since the last join, from 1
  SmallVector<unsigned> seen = {};  ///< of each branch, the launches that this one follows, with itself
  SmallVector<int64_t> after = {};  ///< marks that it waits for
  std::optional<int64_t> mark = {}; ///< that others wait for

  bool mustFollow(const Member &before) const {
    auto meet = [](ArrayRef<Region> as, ArrayRef<Region> bs) {
      return llvm::any_of(
          as, [&](const Region &a) { return llvm::any_of(bs, [&](const Region &b) { return a.overlaps(b); }); });
    };
    return meet(reads, before.writes) || meet(writes, before.reads) || meet(writes, before.writes);
  }
};

/// A row of launches.
struct Branch {
  SmallVector<unsigned> launches; ///< since the last join, by their number among the members
  unsigned age = 0;               ///< when it was last added to
};

class Brancher {
public:
  Brancher(func::FuncOp function, unsigned count) : function(function), branches(count) {
    for (auto [index, weight] : llvm::enumerate(function->getParentOfType<ModuleOp>().getOps<WeightOp>()))
      weights[weight.getSymNameAttr()] = index;
  }

  void run() {
    Block &body = function.getBody().front();
    join(&body.front());
    for (Operation &op : body)
      if (auto launch = dyn_cast<LaunchOp>(op); launch && addMember(launch))
        place();
      else if (!isNoWork(&op))
        joinAround(&op);
    if (llvm::any_of(members, [](const Member &member) { return member.branch != 0; }))
      write();
  }

private:
  /// Whether an op is but a name for memory.
  bool isNoWork(Operation *op) {
    if (auto store = dyn_cast<StoreGradientOp>(op)) {
      PlaceAttr place = getPlace(getRoot(store.getValue()));
      int64_t weight = weights.lookup(store.getSymbolAttr().getAttr());
      return place && place.getKind() == PlaceKind::Gradient && place.getIndex() == weight;
    }
    return isa<ReadOp, ReshapeOp, FlatOp>(op);
  }

  /// Where a result of a launch or loop lies; null where it is not one buffer.
  static PlaceAttr getPlace(Value root) {
    auto result = dyn_cast<OpResult>(root);
    if (!result)
      return {};
    ArrayAttr places;
    if (auto launch = dyn_cast<LaunchOp>(result.getOwner()))
      places = launch.getPlacesAttr();
    else if (auto loop = dyn_cast<EachOp>(result.getOwner()))
      places = loop.getPlacesAttr();
    return places ? dyn_cast<PlaceAttr>(places[result.getResultNumber()]) : PlaceAttr();
  }

  /// Adds what a value takes of memory that launches write. False where that is not known.
  bool addRegion(Value value, SmallVectorImpl<Region> &regions) {
    Value root = getRoot(value);
    if (isa<BlockArgument>(root) || root.getDefiningOp<ReadOp>())
      return true; // the caller's, or what is stored at joins alone
    PlaceAttr place = getPlace(root);
    auto loop = root.getDefiningOp<EachOp>();
    if (loop && !place)
      return addStackedState(loop, cast<OpResult>(root).getResultNumber() - loop.getOutputs().size(), regions);
    if (!place || place.getKind() == PlaceKind::Flat)
      return false;
    Region region{place.getKind(), place.getIndex()};
    if (region.kind == PlaceKind::Workspace) {
      bool isState = loop && llvm::is_contained(loop.getFinals(), root); // in one of two slots
      region.begin = place.getOffset();
      region.end = place.getOffset() + (isState ? 2 : 1) * getPlannedBytes(getType(root));
    }
    regions.push_back(region);
    return true;
  }

  /// The last state of a loop that has no slots for it lies in the stack of its steps, or where it started.
  bool addStackedState(EachOp loop, unsigned state, SmallVectorImpl<Region> &regions) {
    PlaceAttr place = getPlace(getRoot(loop.getYield().getNext()[state]));
    return place && place.getKind() == PlaceKind::Stack && addRegion(loop.getOutputs()[place.getIndex()], regions) &&
           addRegion(loop.getStarts()[state], regions);
  }

  /// Makes a member of the launch that comes next. False where it is not known what it touches.
  bool addMember(LaunchOp launch) {
    Member member{launch};
    for (Value operand : launch.getInputs())
      if (!addRegion(operand, member.reads))
        return false;
    for (Value result : launch.getResults())
      if (!addRegion(result, member.writes))
        return false;
    members.push_back(std::move(member));
    return true;
  }

  /// Puts the last member into a branch.
  void place() {
    Member &member = members.back();
    SmallVector<unsigned> needed(branches.size()); // of each branch, how many launches must have ended
    for (const Member &before : ArrayRef(members).drop_back().drop_front(joined))
      if (member.mustFollow(before))
        needed[before.branch] = std::max(needed[before.branch], before.number);
    member.branch = choose(needed);
    Branch &branch = branches[member.branch];
    member.seen.resize(branches.size());
    if (!branch.launches.empty())
      member.seen = members[branch.launches.back()].seen;
    for (auto [index, count] : llvm::enumerate(needed))
      if (count > member.seen[index])
        wait(member, members[branches[index].launches[count - 1]]);
    branch.launches.push_back(members.size() - 1);
    member.number = member.seen[member.branch] = branch.launches.size();
    branch.age = ++age;
  }

  /// Lets a launch wait for one of another branch, and so for all that this follows.
  void wait(Member &member, Member &before) {
    if (!before.mark)
      before.mark = nextMark++;
    member.after.push_back(*before.mark);
    for (auto [seen, other] : llvm::zip_equal(member.seen, before.seen))
      seen = std::max(seen, other);
  }

  /// The branch that ends with what a launch needs, of several the latest; else the one that has waited longest.
  unsigned choose(ArrayRef<unsigned> needed) {
    std::optional<unsigned> last;
    for (auto [index, branch] : llvm::enumerate(branches))
      if (needed[index] > 0 && needed[index] == branch.launches.size() && (!last || branches[*last].age < branch.age))
        last = index;
    if (last)
      return *last;
    return llvm::min_element(branches, [](const Branch &a, const Branch &b) { return a.age < b.age; }) -
           branches.begin();
  }

  /// All that comes from this op on waits for all before.
  void join(Operation *op) {
    joins.push_back(op);
    joined = members.size();
    nextMark = 0;
    for (Branch &branch : branches)
      branch = Branch();
  }

  void joinAround(Operation *op) {
    join(op);
    if (!isa<func::ReturnOp>(op))
      join(op->getNextNode());
  }

  static void insertJoin(Operation *op) {
    OpBuilder builder(op);
    JoinOp::create(builder, op->getLoc());
  }

  void write() {
    for (const Member &member : members) {
      LaunchOp launch = member.launch;
      launch.setBranch(member.branch);
      if (!member.after.empty())
        launch.setAfter(member.after);
      if (member.mark)
        launch.setMark(*member.mark);
    }
    for (Operation *op : joins)
      if (!isa_and_nonnull<JoinOp>(op->getPrevNode()))
        insertJoin(op);
  }

  func::FuncOp function;
  std::vector<Branch> branches;
  std::vector<Member> members;
  size_t joined = 0;              ///< members before the last join
  SmallVector<Operation *> joins; ///< before which all wait
  DenseMap<StringAttr, int64_t> weights;
  unsigned age = 0;
  int64_t nextMark = 0; ///< since the last join
};

struct BranchLaunchesPass : nnc::impl::BranchLaunchesBase<BranchLaunchesPass> {
  using BranchLaunchesBase::BranchLaunchesBase;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      Brancher(function, branches).run();
  }
};

} // namespace
