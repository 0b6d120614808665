//===- Memory.cpp - How close the plan of the workspace is to the least ---===//
//
// Of each function of a planned module: the workspace of a call, and the largest sum of
// what is needed at one moment, which no plan gets below. Arenas are packed each by
// itself, since lengths are not known, so that sums over several need not be reached
// together.
//
//===----------------------------------------------------------------------===//

#include "compiler/explain/Explain.h"
#include "compiler/explain/LoadedNetwork.h"
#include "compiler/explain/Table.h"
#include "compiler/passes/Packing.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::explain;

/// "23552 batch + 64": arenas in bytes for one unit, and how small each could be by itself.
static std::string describeArenas(ArrayRef<Buffer> buffers) {
  std::string text;
  for (auto [unit, bytes] : getArenas(buffers)) {
    double least = getLeastSize(buffers, [&](StringRef other) { return other == unit ? 1.0 : 0.0; });
    text += (text.empty() ? "" : " + ") + std::to_string(bytes);
    if (static_cast<double>(bytes) > least)
      text += " (at least " + formatNumber(least, 0) + ")";
    text += unit == "1" ? "" : " " + unit.str();
  }
  return text;
}

static void addRow(Table &table, func::FuncOp function, bool inPlace, const Dims &dims) {
  FunctionBuffers plan = chooseBuffers(function, inPlace);
  pack(plan.buffers);
  auto weigh = [&](StringRef unit) { return evaluate(unit, dims); };
  double size = 0, least = getLeastSize(plan.buffers, weigh);
  for (auto [unit, bytes] : getArenas(plan.buffers))
    size += weigh(unit) * static_cast<double>(bytes);
  if (size == 0)
    return;
  table.add({function.getName().str(), formatNumber(size, 0), formatNumber(least, 0), formatNumber(size / least, 3),
             describeArenas(plan.buffers)});
}

llvm::Expected<std::string> explain::explainMemory(ModuleOp planned, const targets::Target &target, const Call &call) {
  auto network = LoadedNetwork::load(planned, target, call.isProfiled);
  if (!network)
    return network.takeError();
  emit::Interface interface = emit::describeInterface(planned, planned.getName().value_or("network"));
  auto dims = chooseDims(call, interface.freeDims, 1);
  if (!dims)
    return dims.takeError();

  Table table("lrrrl");
  table.add({"function", "workspace", "at least", "ratio", "for each unit"});
  for (auto function : planned.getOps<func::FuncOp>())
    addRow(table, function, target.worksInPlace(), getDims(network->get(), interface, function, *dims));

  std::string text;
  llvm::raw_string_ostream os(text);
  os << "memory of " << interface.name << ": bytes of a call, " << describe(*dims, interface.freeDims) << '\n';
  table.print(os);
  os << "  weights: " << interface.weightsBytes;
  if (interface.preparedBytes > 0)
    os << ", what is prepared of them once: " << interface.preparedBytes;
  os << '\n';
  return text;
}
