//===- Groups.cpp - What is computed together, and how fast it can be ------===//
//
// Of each function of a library its kernels in order. The time that one takes is estimated by a roofline (Williams et
// al. 2009): the machine's peak bounds its operations, and the bandwidth of where its values are its bytes.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/DeviceCode.h"
#include "compiler/emit/Interface.h"
#include "compiler/explain/Explain.h"
#include "compiler/explain/LoadedNetwork.h"
#include "compiler/explain/Table.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <map>

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;
using namespace nnc::explain;

//===----------------------------------------------------------------------===//
// Fusion
//===----------------------------------------------------------------------===//

static StringRef getMnemonic(Operation *op) { return op->getName().stripDialect(); }

/// What a kernel computes, but for what costs nothing: "conv + add + tanh".
static std::string getContents(KernelOp kernel) {
  std::vector<std::string> names;
  for (Operation &op : kernel.getBody().front().without_terminator())
    if (!isa<ConstantOp, BroadcastOp, ReshapeOp>(op))
      names.push_back(getMnemonic(&op).str());
  return names.empty() ? "a constant" : llvm::join(names, " + ");
}

static KernelOp getKernel(LaunchOp launch) {
  return SymbolTable::lookupNearestSymbolFrom<KernelOp>(launch, launch.getKernelAttr());
}

/// Why a kernel that reads a value of another one is not one with it.
static std::string explainReader(Value value, OpOperand &use) {
  auto reader = cast<LaunchOp>(use.getOwner());
  KernelOp kernel = getKernel(reader);
  std::string name = reader.getKernel().str();
  BlockArgument argument = kernel.getBody().getArgument(use.getOperandNumber());
  for (Operation *user : argument.getUsers()) {
    auto compute = dyn_cast<ComputeOp>(user);
    if (!compute || user->hasTrait<nn::OpTrait::Elementwise>())
      continue;
    switch (compute.getFamily()) {
    case Family::Dense:
    case Family::Conv:
      return name + " reads each element for many sums (" + getMnemonic(user).str() + ")";
    case Family::Reshape:
      return name + " moves its elements (" + getMnemonic(user).str() + ")";
    default:
      return name + " sums or compares its elements (" + getMnemonic(user).str() + ")";
    }
  }
  if (nn::getType(reader.getResult(0)) != nn::getType(value))
    return name + " has another shape";
  return name + " joins it with what is computed later";
}

/// Why each result of a group ends it.
static std::string explainEnd(LaunchOp launch) {
  std::vector<std::string> reasons;
  auto add = [&](std::string reason) {
    if (!llvm::is_contained(reasons, reason))
      reasons.push_back(std::move(reason));
  };
  std::function<void(Value)> explainUses = [&](Value value) {
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      if (isa<LaunchOp>(user))
        add(explainReader(value, use));
      else if (isa<ReshapeOp>(user)) // the same elements
        explainUses(user->getResult(0));
      else if (isa<func::ReturnOp>(user))
        add("it is an output");
      else if (auto yield = dyn_cast<YieldOp>(user))
        add(llvm::is_contained(yield.getNext(), value) ? "the next step of the loop reads it" : "the loop stacks it");
      else if (isa<EachOp>(user))
        add("a loop reads it");
      else if (isa<StoreGradientOp>(user))
        add("it is a gradient");
      else
        add("it is stored");
    }
  };
  llvm::for_each(launch.getResults(), explainUses);
  return reasons.empty() ? "nothing reads it" : llvm::join(reasons, "; ");
}

//===----------------------------------------------------------------------===//
// Work
//===----------------------------------------------------------------------===//

namespace {

/// What one launch costs, each time.
struct Cost {
  double operations = 0, read = 0, written = 0; ///< bytes
  double times = 1;                             ///< that the function launches it
  double cycles = 0;                            ///< at least
  bool isBoundByBytes = false;
};

/// Counts what a function launches on a device.
struct LaunchCount {
  double all = 0, inRow = 0; ///< of which so many are one after the other
};

/// Explains one function.
class FunctionExplainer {
public:
  FunctionExplainer(func::FuncOp function, const targets::Machine &machine, const Dims &dims,
                    ArrayRef<std::string> schedules, const emit::KernelTable &table, std::vector<bool> &said,
                    llvm::raw_ostream &os)
      : function(function), machine(machine), dims(dims), schedules(schedules), table(table), said(said), os(os) {}

  void run(StringRef heading);

private:
  Cost getCost(LaunchOp launch);
  size_t getSlot(LaunchOp launch);
  double countLaunches(Operation *op);
  LaunchCount countLaunches();
  void print(size_t number, LaunchOp launch, const Cost &cost, double allCycles);

  func::FuncOp function;
  const targets::Machine &machine;
  const Dims &dims;
  ArrayRef<std::string> schedules; ///< by slot of the table
  const emit::KernelTable &table;
  std::vector<bool> &said; ///< which of these were printed
  llvm::raw_ostream &os;
};

} // namespace

static double getBytes(Value value, const Dims &dims) {
  RankedTensorType type = nn::getType(value);
  return evaluate(emit::getUnit(type), dims) * static_cast<double>(emit::getFixedBytes(type));
}

Cost FunctionExplainer::getCost(LaunchOp launch) {
  Cost cost;
  cost.operations = evaluate(emit::getWork(launch, getKernel(launch)), dims);
  llvm::SetVector<Value> inputs(launch.getInputs().begin(), launch.getInputs().end());
  for (Value input : inputs)
    cost.read += getBytes(input, dims);
  for (Value result : launch.getResults())
    cost.written += getBytes(result, dims);
  for (auto loop = launch->getParentOfType<EachOp>(); loop; loop = loop->getParentOfType<EachOp>())
    cost.times *= evaluate(loop.getTrip(), dims);
  double bytes = cost.read + cost.written, computing = cost.operations / machine.operations;
  double moving = bytes / (bytes <= machine.nearSize ? machine.nearBytes : machine.farBytes);
  cost.isBoundByBytes = moving > computing;
  cost.cycles = std::max(computing, moving) + machine.launchCycles;
  return cost;
}

/// The variant that a call of these sizes runs.
size_t FunctionExplainer::getSlot(LaunchOp launch) {
  const emit::KernelSlots &slots = table.kernels.find(launch.getKernel())->second;
  double rows = launch.getExtents().empty() ? 1 : evaluate(cast<StringAttr>(launch.getExtents()[0]).getValue(), dims);
  size_t variant = 0;
  while (variant + 1 < slots.minRows.size() && static_cast<double>(slots.minRows[variant + 1]) <= rows)
    ++variant;
  return slots.first + variant;
}

/// What an op launches on a device: a kernel of several parts that often.
double FunctionExplainer::countLaunches(Operation *op) {
  double count = 0;
  op->walk([&](LaunchOp launch) {
    llvm::SmallVector<StringRef> lines;
    StringRef(schedules[getSlot(launch)]).split(lines, '\n');
    count += getCost(launch).times *
             llvm::count_if(lines, [](StringRef line) { return line.ltrim().starts_with("blocks "); });
  });
  return count;
}

LaunchCount FunctionExplainer::countLaunches() {
  LaunchCount count;
  std::map<int64_t, double> branches, marks; // how many are one after the other until there
  auto getLongest = [&] {
    double longest = 0;
    for (auto [branch, length] : branches)
      longest = std::max(longest, length);
    return longest;
  };
  for (Operation &op : function.getBody().front()) {
    double here = countLaunches(&op);
    count.all += here;
    if (isa<JoinOp>(op)) {
      double longest = getLongest();
      for (auto &[branch, length] : branches)
        length = longest;
      count.inRow = longest; // branches that begin after it
    } else if (auto launch = dyn_cast<LaunchOp>(op)) {
      double &length = branches.try_emplace(launch.getBranch().value_or(0), count.inRow).first->second;
      for (int64_t mark : launch.getAfter().value_or(ArrayRef<int64_t>()))
        length = std::max(length, marks[mark]);
      length += here;
      if (launch.getMark())
        marks[*launch.getMark()] = length;
    } else {
      branches[0] += here;
    }
  }
  count.inRow = getLongest();
  return count;
}

void FunctionExplainer::print(size_t number, LaunchOp launch, const Cost &cost, double allCycles) {
  std::string place = emit::describePlace(launch.getLoc());
  os << "  " << number << ". " << launch.getKernel() << (place.empty() ? "" : ", " + place) << '\n';
  os << "     computes  " << getContents(getKernel(launch)) << '\n';
  os << "     ends      " << explainEnd(launch) << '\n';
  os << "     work      " << formatCount(cost.operations) << " operations, " << formatBytes(cost.read) << " read, "
     << formatBytes(cost.written) << " written";
  if (cost.times != 1)
    os << ", " << formatCount(cost.times) << " times";
  os << "; bound by " << (cost.isBoundByBytes ? "bytes" : "operations") << ": "
     << formatShare(cost.operations / (cost.cycles * machine.operations)) << " of peak, "
     << formatShare(cost.cycles * cost.times / allCycles) << " of the time\n";
  size_t slot = getSlot(launch);
  if (said[slot])
    return;
  said[slot] = true;
  StringRef indent = "     schedule";
  for (StringRef line : llvm::split(StringRef(schedules[slot]).rtrim(), '\n')) {
    os << indent << line << '\n';
    indent = "             ";
  }
}

void FunctionExplainer::run(StringRef heading) {
  std::vector<std::pair<LaunchOp, Cost>> launches;
  double cycles = 0, operations = 0;
  function.walk([&](LaunchOp launch) {
    Cost cost = getCost(launch);
    cycles += cost.cycles * cost.times;
    operations += cost.operations * cost.times;
    launches.push_back({launch, cost});
  });
  os << heading << ": " << launches.size() << (launches.size() == 1 ? " group, " : " groups, ");
  if (LaunchCount count = countLaunches(); count.all > 0) {
    os << llvm::formatv("{0:F0} {1}, ", count.all, count.all == 1 ? "launch" : "launches");
    if (count.inRow < count.all)
      os << llvm::formatv("{0:F0} one after the other, ", count.inRow);
  }
  os << formatCount(operations) << " operations";
  if (cycles > 0)
    os << ", at most " << formatShare(operations / (cycles * machine.operations)) << " of the peak of " << machine.name;
  os << '\n';
  for (auto [index, entry] : llvm::enumerate(launches))
    print(index + 1, entry.first, entry.second, cycles);
}

//===----------------------------------------------------------------------===//
// The report
//===----------------------------------------------------------------------===//

/// Lines of what ptxas says, for each slot.
static llvm::Error addResources(std::vector<std::string> &schedules, ArrayRef<std::string> codes,
                                ArrayRef<std::string> architectures) {
  for (auto [schedule, code] : llvm::zip_equal(schedules, codes))
    for (const std::string &architecture : architectures) {
      auto functions = emit::getDeviceResources(code, architecture);
      if (!functions)
        return functions.takeError();
      for (const emit::DeviceResources &function : *functions)
        schedule += "  " + architecture + ": " + std::to_string(function.registers) + " registers, " +
                    std::to_string(function.shared) + " bytes of static shared memory, " +
                    std::to_string(function.spills) + " bytes of spills\n";
    }
  return llvm::Error::success();
}

llvm::Expected<std::string> explain::explainGroups(ModuleOp planned, const targets::Target &target, const Call &call,
                                                   const emit::KernelOptions &options) {
  emit::KernelTable table = emit::tabulateKernels(planned, target);
  StringRef name = planned.getName().value_or("network");
  emit::Interface interface = emit::describeInterface(planned, name);
  auto asked = chooseDims(call, interface.freeDims, 1);
  if (!asked)
    return asked.takeError();
  auto network = LoadedNetwork::load(planned, target, call.isProfiled);
  if (!network)
    return network.takeError();
  emit::KernelOptions plain = options;
  plain.architectures.clear();
  auto schedules = emit::describeKernels(planned, name, table, target, emit::KernelForm::Schedule, plain);
  if (failed(schedules))
    return "";
  if (!options.architectures.empty()) {
    auto codes = emit::describeKernels(planned, name, table, target, emit::KernelForm::Device, plain);
    if (failed(codes))
      return "";
    if (llvm::Error error = addResources(*schedules, *codes, options.architectures))
      return error;
  }

  std::string text;
  llvm::raw_string_ostream os(text);
  std::vector<bool> said(table.slotCount);
  targets::Machine machine = target.machine();
  auto explain = [&](Operation *op, const Twine &what, const Dims &dims) {
    if (op)
      FunctionExplainer(cast<func::FuncOp>(op), machine, dims, *schedules, table, said, os)
          .run((what + " of " + name + ", " + target.name() + ", " + describe(dims, interface.freeDims)).str());
  };
  explain(interface.prepare, "prepare", *asked);
  for (const emit::Function &function : interface.functions)
    explain(function.op, function.name, getDims(network->get(), interface, cast<func::FuncOp>(function.op), *asked));
  if (target.device() == targets::Device::Cuda && options.architectures.empty())
    os << "  -arch=sm_90 adds what ptxas says of registers, shared memory and spills\n";
  return text;
}
