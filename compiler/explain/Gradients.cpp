//===- Gradients.cpp - How far losses are from weights ---------------------===//
//
// For each loss of a train block and each weight the way that an error goes back: through how many layers, how many
// steps of time, which activations and gates. Then for each loop how it goes back from one step to the step before,
// which decides whether it lasts (Hochreiter 1991; Hochreiter & Schmidhuber 1997).
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/Interface.h"
#include "compiler/explain/Explain.h"
#include "compiler/explain/Paths.h"
#include "compiler/explain/Table.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"

#include <cmath>

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;
using namespace nnc::explain;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

static StringRef getMnemonic(Operation *op) { return op->getName().stripDialect(); }

static std::string plural(int64_t count, StringRef noun) {
  return (count == 0 ? "no" : std::to_string(count)) + " " + noun.str() + (count == 1 ? "" : "s");
}

namespace {

/// A part of a loss: the loss is the sum of its terms, each times its factor.
struct Loss {
  Value value;
  double factor;
};

/// Explains one train block.
class Explainer {
public:
  Explainer(func::FuncOp function, int64_t window, llvm::raw_ostream &os)
      : function(function), block(function.getBody().front()), window(window), os(os), paths(block) {}

  void run() {
    auto end = cast<func::ReturnOp>(block.getTerminator());
    splitLoss(end.getOperand(0), 1, maxTerms);
    for (const Loss &loss : losses) {
      Reaches reaches;
      reaches[loss.value] = {};
      paths.followBack(block, reaches, Prefer::FewLayers);
      found.push_back(std::move(reaches));
    }
    printLosses();
    printWeights();
    if (losses.size() > 1)
      printShortcuts();
    function.walk<WalkOrder::PreOrder>([&](EachOp loop) {
      if (!loop.getStarts().empty())
        printLoop(loop);
    });
  }

private:
  static constexpr int maxTerms = 64;

  void splitLoss(Value value, double factor, int depth);
  void printLosses();
  void printWeights();
  void printShortcuts();
  void printLoop(EachOp loop);
  std::string getStateName(EachOp loop, unsigned state);
  std::string describeBacks(const Way &way);
  const Reach *find(size_t loss, WeightOp weight);

  func::FuncOp function;
  Block &block;
  int64_t window; ///< the most steps that an error goes back with truncation; 0 without
  llvm::raw_ostream &os;
  Paths paths;
  std::vector<Loss> losses;
  std::vector<Reaches> found; ///< of each loss
};

} // namespace

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

static std::optional<double> getConstant(Value value) {
  if (auto broadcast = value.getDefiningOp<BroadcastOp>())
    value = broadcast.getX();
  auto constant = value.getDefiningOp<ConstantOp>();
  auto number = constant ? dyn_cast<FloatAttr>(constant.getValue()) : FloatAttr();
  return number ? std::optional(number.getValueAsDouble()) : std::nullopt;
}

void Explainer::splitLoss(Value value, double factor, int depth) {
  Operation *op = value.getDefiningOp();
  if (op && depth > 0 && isa<AddOp, SubOp>(op)) {
    splitLoss(op->getOperand(0), factor, depth - 1);
    return splitLoss(op->getOperand(1), isa<AddOp>(op) ? factor : -factor, depth - 1);
  }
  if (op && depth > 0 && isa<MulOp>(op))
    for (unsigned side : {0, 1})
      if (std::optional<double> number = getConstant(op->getOperand(side)))
        return splitLoss(op->getOperand(1 - side), factor * *number, depth - 1);
  if (op && depth > 0 && isa<BroadcastOp>(op))
    return splitLoss(op->getOperand(0), factor, depth - 1);
  losses.push_back({value, factor});
}

/// The op that the user wrote for a loss, where its mean or sum over the steps is taken.
static std::string describeLoss(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return "an input";
  std::string text = getMnemonic(op).str();
  Value inner = op->getNumOperands() > 0 ? op->getOperand(0) : Value();
  if (auto loop = inner ? inner.getDefiningOp<EachOp>() : EachOp())
    if (auto index = cast<OpResult>(inner).getResultNumber(); index < loop.getOutputs().size())
      if (Operation *step = loop.getYield().getOutputs()[index].getDefiningOp())
        text += " of " + getMnemonic(step).str();
  return text + " (" + emit::getSource(op->getLoc()) + ")";
}

void Explainer::printLosses() {
  for (auto [index, loss] : llvm::enumerate(losses)) {
    os << "  loss";
    if (losses.size() > 1)
      os << ' ' << index + 1;
    os << ": ";
    if (loss.factor != 1)
      os << llvm::format("%g", loss.factor) << " * ";
    os << describeLoss(loss.value) << '\n';
  }
}

//===----------------------------------------------------------------------===//
// From losses to weights
//===----------------------------------------------------------------------===//

const Reach *Explainer::find(size_t loss, WeightOp weight) {
  const Reach *best = nullptr;
  for (auto &[value, reach] : found[loss]) {
    auto read = value.getDefiningOp<ReadOp>();
    if (read && read.getSymbol() == weight.getSymName() && (!best || reach.best.layers < best->best.layers))
      best = &reach;
  }
  return best;
}

/// "0 … T-1", "all of S".
std::string Explainer::describeBacks(const Way &way) {
  std::vector<std::string> parts;
  for (Back back : way.backs) {
    std::string trip = back.loop.getTrip().str();
    std::string last = window > 0 && !getNumber(trip) ? std::to_string(window - 1)
                       : getNumber(trip)              ? std::to_string(*getNumber(trip) - 1)
                                                      : trip + "-1";
    if (back.leaves)
      parts.push_back("all of " + trip);
    else
      parts.push_back(back.goesOn ? std::to_string(back.from) + " … " + last : std::to_string(back.from));
  }
  return parts.empty() ? "-" : llvm::join(parts, ", ");
}

/// "2 tanh, 1 gate": what an error meets but layers.
static std::string describeMarks(const Way &way) {
  std::vector<std::pair<std::string, int>> counts;
  for (const Mark &mark : way.getMarks()) {
    if (mark.kind == Mark::Layer)
      continue;
    std::string name = mark.kind == Mark::Gate ? "gate" : getMnemonic(mark.op).str();
    auto known = llvm::find_if(counts, [&](auto &entry) { return entry.first == name; });
    if (known == counts.end())
      known = counts.insert(counts.end(), {name, 0});
    ++known->second;
  }
  std::vector<std::string> texts;
  for (auto &[name, count] : counts)
    texts.push_back(std::to_string(count) + " " + name + (name == "gate" && count > 1 ? "s" : ""));
  return texts.empty() ? "-" : llvm::join(texts, ", ");
}

/// Of the shortest way and of the longest: "13 … 22".
static std::string describeLayers(const Reach &reach) {
  std::string text = std::to_string(reach.best.layers);
  return reach.longest > reach.best.layers ? text + " … " + std::to_string(reach.longest) : text;
}

void Explainer::printWeights() {
  std::string alignment = "l";
  std::vector<std::string> heading{"weight"};
  for (size_t index = 0; index < losses.size(); ++index) {
    std::string which = losses.size() > 1 ? " " + std::to_string(index + 1) : "";
    alignment += "rll";
    for (const std::string &column : {"layers" + which, std::string("steps back"), std::string("meets")})
      heading.push_back(column);
  }
  Table table(alignment);
  table.add(heading);
  for (auto weight : function->getParentOfType<ModuleOp>().getOps<WeightOp>()) {
    if (weight.getFrozen())
      continue;
    std::vector<std::string> row{weight.getSymName().str()};
    for (size_t loss = 0; loss < losses.size(); ++loss) {
      const Reach *reach = find(loss, weight);
      std::string layers = reach ? describeLayers(*reach) : "no way";
      row.insert(row.end(), {layers, reach ? describeBacks(reach->best) : "", reach ? describeMarks(reach->best) : ""});
    }
    table.add(row);
  }
  table.printWithout("-", os);
}

/// How much nearer a weight is to another loss than to the first.
void Explainer::printShortcuts() {
  for (size_t loss = 1; loss < losses.size(); ++loss) {
    int64_t nearer = 0, gain = 0;
    std::string example;
    for (auto weight : function->getParentOfType<ModuleOp>().getOps<WeightOp>()) {
      const Reach *main = weight.getFrozen() ? nullptr : find(0, weight);
      const Reach *other = weight.getFrozen() ? nullptr : find(loss, weight);
      if (!main || !other || other->best.layers >= main->best.layers)
        continue;
      ++nearer;
      if (main->best.layers - other->best.layers <= gain)
        continue;
      gain = main->best.layers - other->best.layers;
      example = ": to " + weight.getSymName().str() + " it is " + describeLayers(*other) + " layers, not " +
                describeLayers(*main);
    }
    os << "  loss " << loss + 1 << " is nearer than loss 1 to " << plural(nearer, "weight") << example << '\n';
  }
}

//===----------------------------------------------------------------------===//
// From step to step
//===----------------------------------------------------------------------===//

/// What the user calls a state; an earlier step of one has its lag.
std::string Explainer::getStateName(EachOp loop, unsigned state) {
  Value value = loop.getYield().getNext()[state];
  auto isCarried = [&](Value candidate) { return llvm::is_contained(loop.getCarried(), candidate); };
  if (auto select = value.getDefiningOp<SelectOp>(); select && isCarried(select.getB()))
    value = select.getA();
  if (isCarried(value)) {
    unsigned before = llvm::find(loop.getCarried(), value) - loop.getCarried().begin();
    return before < state ? getStateName(loop, before) + "'" : "state " + std::to_string(state + 1);
  }
  Operation *op = value.getDefiningOp();
  StringRef name = op ? nn::getName(op->getLoc()) : StringRef();
  return name.empty() ? "state " + std::to_string(state + 1) : name.str();
}

/// Whether states lead to each other in a circle on which nothing saturates, and no layer is; gives one of them.
static std::optional<unsigned> findOpenCircle(const std::vector<std::vector<std::optional<Way>>> &ways,
                                              bool hasLayers) {
  size_t count = ways.size();
  std::vector<std::vector<bool>> leads(count, std::vector<bool>(count));
  for (size_t from = 0; from < count; ++from)
    for (size_t to = 0; to < count; ++to)
      leads[from][to] =
          ways[from][to] && ways[from][to]->saturations == 0 && (hasLayers || ways[from][to]->layers == 0);
  for (size_t by = 0; by < count; ++by)
    for (size_t from = 0; from < count; ++from)
      for (size_t to = 0; to < count; ++to)
        leads[from][to] = leads[from][to] || (leads[from][by] && leads[by][to]);
  for (size_t state = 0; state < count; ++state)
    if (leads[state][state])
      return state;
  return std::nullopt;
}

void Explainer::printLoop(EachOp loop) {
  std::vector<std::vector<std::optional<Way>>> ways = paths.followStates(loop);
  os << "  a step back in the loop over " << loop.getTrip() << " (" << emit::getSource(loop.getLoc()) << ")\n";
  Table table("ll");
  bool any = false;
  for (size_t after = 0; after < ways.size(); ++after)
    for (size_t before = 0; before < ways.size(); ++before) {
      const std::optional<Way> &way = ways[after][before];
      if (!way)
        continue;
      any = true;
      std::string text = plural(way->layers, "layer");
      for (const Mark &mark : way->getMarks()) {
        StringRef what = mark.kind == Mark::Layer ? "" : mark.kind == Mark::Gate ? "gate" : getMnemonic(mark.op);
        text += mark.kind == Mark::Gate ? ", gated (" : mark.kind == Mark::Layer ? ", " : ", " + what.str() + " (";
        if (mark.kind == Mark::Layer) {
          for (Value operand : mark.op->getOperands())
            if (ReadOp read = paths.getWeight(operand)) {
              text += read.getSymbol().str() + " (";
              break;
            }
        }
        text += emit::getSource(mark.op->getLoc()) + ")";
      }
      table.add({"  " + getStateName(loop, after) + " to " + getStateName(loop, before), text});
    }
  table.print(os);
  if (!any) {
    os << "    nothing goes back\n";
    return;
  }
  if (std::optional<unsigned> state = findOpenCircle(ways, /*hasLayers=*/false))
    os << "    by " << getStateName(loop, *state)
       << " an error goes back through any number of steps; nothing saturates and no layer multiplies it\n";
  else if (std::optional<unsigned> state = findOpenCircle(ways, /*hasLayers=*/true))
    os << "    by " << getStateName(loop, *state)
       << " an error goes back and nothing saturates, but a layer multiplies it again and again\n";
  else
    os << "    every way back saturates: slopes of at most 1 multiply an error again and again\n";
}

std::string explain::explainGradients(ModuleOp module, const dsl::Network &network) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (network.trains.empty())
    os << "network " << network.name << " has no train block\n";
  for (const dsl::Train &train : network.trains) {
    auto function = module.lookupSymbol<func::FuncOp>(train.name);
    int64_t window = train.bptt.kind == dsl::Bptt::Truncated ? train.bptt.k2 : 0;
    os << "gradients of " << network.name << ", " << train.name << ": the ways of errors back";
    if (window > 0)
      os << ", at most " << window - 1 << " steps";
    os << '\n';
    Explainer(function, window, os).run();
  }
  return text;
}
