//===- Bptt.cpp - What each way of going back through time costs ----------===//
//
// Each policy that a train block could have is tried: the network is planned with it, and the runtime says, of the
// tables that the library would have, how much memory a call takes. Operations are those of all kernels of a step of
// training, its gradients and the update; with windows, of all windows of the call.
//
//===----------------------------------------------------------------------===//

#include "compiler/explain/Explain.h"
#include "compiler/explain/LoadedNetwork.h"
#include "compiler/explain/Table.h"

#include "nnc/runtime.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace nnc;
using namespace nnc::explain;

//===----------------------------------------------------------------------===//
// Policies
//===----------------------------------------------------------------------===//

/// As the source writes it.
static std::string describe(const dsl::Bptt &bptt) {
  auto number = [](int64_t value) { return std::to_string(value); };
  switch (bptt.kind) {
  case dsl::Bptt::Full:
    return "full";
  case dsl::Bptt::Truncated:
    return bptt.k1 == bptt.k2 ? "truncated(" + number(bptt.k1) + ")"
                              : "truncated(" + number(bptt.k1) + ", " + number(bptt.k2) + ")";
  case dsl::Bptt::CheckpointSqrt:
    return "checkpoint(sqrt)";
  case dsl::Bptt::CheckpointBytes:
    for (auto [unit, shift] : {std::pair("GiB", 30), {"MiB", 20}, {"KiB", 10}})
      if (bptt.bytes % (int64_t(1) << shift) == 0)
        return "checkpoint(" + number(bptt.bytes >> shift) + " " + unit + ")";
    return "checkpoint(" + number(bptt.bytes) + ")";
  case dsl::Bptt::Unroll:
    return "unroll(" + number(bptt.k1) + ")";
  }
  llvm_unreachable("every policy has a name");
}

/// What could be asked for of any train block, and its own policy. Windows need a loss that can be taken in parts, and
/// a size that only the user can choose, so they are there where the program has them.
static std::vector<dsl::Bptt> getPolicies(const dsl::Train &train) {
  std::vector<dsl::Bptt> policies(2);
  policies[0].kind = dsl::Bptt::Full;
  policies[1].kind = dsl::Bptt::CheckpointSqrt;
  if (train.bptt.kind != dsl::Bptt::Full && train.bptt.kind != dsl::Bptt::CheckpointSqrt)
    policies.push_back(train.bptt);
  return policies;
}

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

namespace {

/// What a call costs with one policy.
struct Cost {
  size_t workspace = 0, context = 0; ///< bytes; 0: too large a call
  double operations = 0;
  std::string steps; ///< how it goes through the sequences
};

} // namespace

/// How many windows a sequence has, and the steps that all of them go through (runtime/src/windows.c).
static std::pair<double, double> getWindows(const dsl::Bptt &bptt, int64_t length) {
  auto sumTo = [](double n) { return n * (n + 1) / 2; };
  auto step = static_cast<double>(bptt.k1), longest = static_cast<double>(bptt.k2);
  double count = std::ceil(static_cast<double>(length) / step), atStart = std::min(count, std::floor(longest / step));
  double ends = step * sumTo(count) - (count * step - static_cast<double>(length));
  double begins = step * (sumTo(count) - sumTo(atStart)) - longest * (count - atStart);
  return {count, ends - begins};
}

static double getOperations(const emit::Interface &interface, const emit::Train &train, const dsl::Bptt &bptt,
                            const Dims &dims, ArrayRef<int64_t> steps) {
  auto workOf = [&](int32_t function) {
    return function < 0 ? emit::Work() : emit::getWork(cast<func::FuncOp>(interface.functions[function].op));
  };
  emit::Work gradients = workOf(train.gradients);
  double update = evaluate(workOf(train.update), dims);
  Dims all = dims;
  if (bptt.kind == dsl::Bptt::Truncated) {
    // A window treats its steps one by one, so that its work grows by the same with each.
    int64_t &window = all[interface.freeDims[0].name];
    auto [count, total] = getWindows(bptt, window);
    window = 0;
    double fixed = evaluate(gradients, all);
    window = 1;
    return count * (fixed + update) + total * (evaluate(gradients, all) - fixed);
  }
  for (auto [dim, count] : llvm::zip_equal(interface.freeDims, steps)) {
    all[nn::getStepsName(dim.name)] = count;
    all[nn::getSegmentsName(dim.name)] = llvm::divideCeilSigned(dims.at(dim.name), count);
  }
  return evaluate(gradients, all) + update;
}

/// "1 step", "10 steps".
static std::string plural(int64_t count, StringRef noun) {
  return std::to_string(count) + " " + noun.str() + (count == 1 ? "" : "s");
}

/// "10 segments of 10 steps".
static std::string describeSteps(const emit::Interface &interface, const emit::Train &train, const dsl::Bptt &bptt,
                                 const Dims &dims, ArrayRef<int64_t> steps) {
  if (bptt.kind == dsl::Bptt::Truncated)
    return plural(llvm::divideCeilSigned(dims.at(interface.freeDims[0].name), bptt.k1), "window") + " of up to " +
           plural(steps[0], "step");
  bool hasSegments = false;
  interface.functions[train.gradients].op->walk([&](nn::EachOp loop) { hasSegments |= loop.getSegments(); });
  if (!hasSegments)
    return bptt.kind == dsl::Bptt::Full || bptt.kind == dsl::Bptt::Unroll ? "all steps at once"
                                                                          : "as full: no loop carries a state";
  std::string text;
  for (auto [dim, count] : llvm::zip_equal(interface.freeDims, steps))
    text += (text.empty() ? "" : ", ") + (interface.freeDims.size() > 1 ? dim.name + ": " : "") +
            plural(llvm::divideCeilSigned(dims.at(dim.name), count), "segment") + " of " + plural(count, "step");
  return text;
}

static llvm::Expected<Cost> getCost(ModuleOp planned, const targets::Target &target, size_t number,
                                    const dsl::Bptt &bptt, const Dims &dims, bool isProfiled) {
  auto network = LoadedNetwork::load(planned, target, isProfiled);
  if (!network)
    return network.takeError();
  emit::Interface interface = emit::describeInterface(planned, "network");
  std::vector<int64_t> lengths = getLengths(dims, interface.freeDims), steps = lengths;
  int64_t batch = dims.at(nn::batchName.str());
  Cost cost;
  cost.context = nnc_training_memory_size(network->get(), batch, lengths.data());
  cost.workspace = nnc_training_workspace_size(network->get(), number, batch, lengths.data(), steps.data());
  cost.operations = getOperations(interface, interface.trains[number], bptt, dims, steps);
  cost.steps = describeSteps(interface, interface.trains[number], bptt, dims, steps);
  return cost;
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

static std::string describe(const dsl::Location &location) {
  return location.source
             ? location.source->path + ":" + std::to_string(location.line) + ":" + std::to_string(location.column)
             : "the default";
}

/// Gives false where the network could not be planned.
static llvm::Expected<bool> explainTrain(const dsl::Network &network, size_t number, Planner plan,
                                         const targets::Target &target, const Call &call, llvm::raw_ostream &os) {
  const dsl::Train &train = network.trains[number];
  std::vector<dsl::Bptt> chosen;
  for (const dsl::Train &block : network.trains)
    chosen.push_back(block.bptt);
  std::optional<Dims> dims;
  std::string heading;
  Table table("lrrrrl");
  table.add({"policy", "workspace", "context", "operations", "of full", "goes through"});
  double full = 0;
  for (const dsl::Bptt &bptt : getPolicies(train)) {
    bool isOwn = bptt.kind == train.bptt.kind;
    chosen[number] = bptt;
    OwningOpRef<ModuleOp> planned = plan(chosen);
    if (!planned)
      return false;
    if (!dims) {
      emit::Interface interface = emit::describeInterface(*planned, "network");
      int64_t batch = train.batch == dsl::Train::Batch::Mini ? train.batchSize : 1;
      auto asked = chooseDims(call, interface.freeDims, batch);
      if (!asked)
        return asked.takeError();
      dims = std::move(*asked);
      heading = describe(*dims, interface.freeDims);
    }
    auto cost = getCost(*planned, target, number, bptt, *dims, call.isProfiled);
    if (!cost)
      return cost.takeError();
    if (bptt.kind == dsl::Bptt::Full)
      full = cost->operations;
    auto bytes = [&](size_t count) { return cost->context > 0 ? std::to_string(count) : "too large"; };
    table.add({describe(bptt) + (isOwn ? " *" : ""), bytes(cost->workspace), bytes(cost->context),
               formatCount(cost->operations), formatNumber(cost->operations / full, 2),
               cost->context > 0 ? cost->steps : ""});
  }
  os << "back-propagation through time of " << network.name << ", " << train.name << ": bytes of a call, " << heading
     << '\n';
  table.print(os);
  os << "  * as the program says (" << describe(train.bptt.location) << ")\n";
  return true;
}

llvm::Expected<std::string> explain::explainBptt(const dsl::Network &network, Planner plan,
                                                 const targets::Target &target, const Call &call) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (network.trains.empty())
    os << "network " << network.name << " has no train block\n";
  for (size_t number = 0; number < network.trains.size(); ++number) {
    auto isPlanned = explainTrain(network, number, plan, target, call, os);
    if (!isPlanned)
      return isPlanned.takeError();
    if (!*isPlanned)
      return "";
  }
  return text;
}
