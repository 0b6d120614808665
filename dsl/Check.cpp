//===- Check.cpp - Ast -> Model -------------------------------------------===//

#include "dsl/Check.h"

#include "dsl/Elaborate.h"
#include "dsl/Parse.h"
#include "dsl/Prune.h"
#include "dsl/Windows.h"

#include <algorithm>
#include <cctype>

namespace nnc::dsl {

static constexpr size_t maxDeclarations = 256;

//===----------------------------------------------------------------------===//
// What ends by itself, and what there is no code for yet
//===----------------------------------------------------------------------===//

/// Loops, each within the one before.
using Loops = std::vector<Operation *>;

/// Calls `found` with each loop that ends by `until`, behind those around it.
static void findEnding(std::vector<Operation> &operations, Loops &around,
                       const std::function<void(const Loops &)> &found) {
  for (Operation &operation : operations) {
    if (!operation.each)
      continue;
    around.push_back(&operation);
    if (operation.each->hasUntil)
      found(around);
    findEnding(operation.each->body, around, found);
    around.pop_back();
  }
}

/// Of inference: what ends by `until` and the compiler has no code for yet.
static void addPendingEnds(Network &network) {
  std::map<int32_t, Location> lengths;
  Loops around;
  findEnding(network.infer.operations, around, [&](const Loops &loops) {
    const Each &each = *loops.back()->each;
    const Dim &trip = each.trip;
    const Location &location = network.infer.values[each.until].location;
    auto add = [&](const std::string &message, std::vector<Note> notes = {}) {
      network.pending.push_back({Diagnostic::Severity::Error, location, message, std::move(notes)});
    };
    if (trip.isFixed())
      return;
    if (trip.offset != 0 || trip.stride != 1)
      return add("`until` in a loop over a length after a window is checked, but not compiled yet");
    auto [known, isNew] = lengths.emplace(trip.free, location);
    if (!isNew)
      add("two loops over `" + network.freeDims[trip.free].name + "` end by `until`, which is not compiled yet",
          {{known->second, "the other ends here"}, {location, "go through a length of its own"}});
  });
}

/// Whether a loop's states and what it stacks are of fixed shape.
static bool hasFixedShapes(const Each &each, const Function &function) {
  auto isFixed = [&](Value value) {
    const Shape &shape = function.values[value].type.shape;
    return std::all_of(shape.begin(), shape.end(), [](const Dim &dim) { return dim.isFixed(); });
  };
  return std::all_of(each.carried.begin(), each.carried.end(), isFixed) &&
         std::all_of(each.outputs.begin(), each.outputs.end(), isFixed);
}

/// Of inference: beam searches that the compiler has no code for yet.
static void addPendingSearches(Network &network) {
  auto add = [&](const Operation &search, const std::string &message, std::vector<Note> notes = {}) {
    network.pending.push_back({Diagnostic::Severity::Error, search.location, message, std::move(notes)});
  };
  // `outer`: the search of a loop around the one that these operations are the body of.
  std::function<void(const std::vector<Operation> &, const Operation *, const Operation *)> visit =
      [&](const std::vector<Operation> &operations, const Operation *loop, const Operation *outer) {
        auto isSearch = [](const Operation &operation) { return operation.name == "predict"; };
        auto own = std::find_if(operations.begin(), operations.end(), isSearch);
        const Operation *first = nullptr;
        for (const Operation &operation : operations) {
          if (operation.each)
            visit(operation.each->body, &operation, own != operations.end() ? &*own : outer);
          if (!isSearch(operation))
            continue;
          if (!loop)
            add(operation, "beam search goes through the steps of a loop", {{operation.location, "write `argmax`"}});
          else if (outer)
            add(operation, "beam search within beam search is checked, but not compiled yet",
                {{outer->location, "the other is here"}});
          else if (first)
            add(operation, "two beam searches in one loop are checked, but not compiled yet",
                {{first->location, "the other is here"}});
          else if (!hasFixedShapes(*loop->each, network.infer))
            add(operation, "beam search with sequences for states or outputs is checked, but not compiled yet");
          else if (!network.infer.values[operation.results.front()].type.shape.empty())
            add(operation, "beam search for several words a step is checked, but not compiled yet");
          first = &operation;
        }
      };
  visit(network.infer.operations, nullptr, nullptr);
}

/// The sequences that a loop makes of these values of its body.
static std::vector<Value> stacksOf(const Operation &loop, const std::vector<Value> &steps) {
  std::vector<Value> stacks;
  for (size_t i = 0; i < loop.each->outputs.size(); ++i)
    if (std::find(steps.begin(), steps.end(), loop.each->outputs[i]) != steps.end())
      stacks.push_back(loop.results[i]);
  return stacks;
}

/// Makes a value of a loop's body a sequence outside.
static Value stack(Function &function, Operation &loop, Value step) {
  ValueInfo stacked = function.values[step];
  stacked.type.shape.insert(stacked.type.shape.begin(), loop.each->trip);
  function.values.push_back(stacked);
  Value value = static_cast<Value>(function.values.size() - 1);
  loop.results.insert(loop.results.begin() + loop.each->outputs.size(), value);
  loop.each->outputs.push_back(step);
  return value;
}

/// A loop that ends by `until` tells how many steps each example took, in an output
/// named after the first of the network's outputs that it stacks. Within a loop it
/// tells so for each of that one's steps.
static void addLengthOutputs(Network &network) {
  Function &infer = network.infer;
  Loops around;
  findEnding(infer.operations, around, [&](const Loops &loops) {
    const Operation &ending = *loops.back();
    Value count = ending.results.back();
    std::vector<Value> stacks(ending.results.begin(), ending.results.begin() + ending.each->outputs.size());
    for (auto loop = std::next(loops.rbegin()); loop != loops.rend(); ++loop) {
      stacks = stacksOf(**loop, stacks);
      count = stack(infer, **loop, count);
    }
    auto isStacked = [&](const Port &port) {
      return std::find(stacks.begin(), stacks.end(), port.value) != stacks.end();
    };
    std::string name = infer.values[ending.each->index].name;
    if (auto port = std::find_if(infer.outputs.begin(), infer.outputs.end(), isStacked); port != infer.outputs.end())
      name = port->name;
    infer.outputs.push_back({name + ".lengths", count});
  });
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

namespace {

/// One program with all that it imports.
class Checker {
public:
  Checker(const Library &library, Diagnostics &diagnostics)
      : library(library), diagnostics(diagnostics), program{{}, {}, diagnostics} {}

  std::optional<Model> run(const Ast &ast) {
    size_t before = diagnostics.size();
    imported.insert(ast.source->path);
    for (const std::shared_ptr<const Ast> &standard : library.standard)
      for (const LayerDecl &layer : standard->layers) {
        program.layers[layer.name] = &layer;
        program.standard.insert(layer.name);
      }
    addLayers(ast);
    addNetworks(ast);
    Model model;
    for (const NetworkDecl *network : networks)
      model.networks.push_back(checkNetwork(*network));
    checkTrainNames();
    if (model.networks.empty() && diagnostics.size() == before)
      error({ast.source, 1, 1, 0}, "defines no network");
    return diagnostics.size() == before ? std::optional<Model>(std::move(model)) : std::nullopt;
  }

private:
  void error(const Location &location, const std::string &message, std::vector<Note> notes = {}) {
    diagnostics.push_back({Diagnostic::Severity::Error, location, message, std::move(notes)});
  }

  void addLayers(const Ast &ast) {
    for (const ImportDecl &import : ast.imports)
      addImport(import);
    for (const LayerDecl &layer : ast.layers) {
      auto known = program.layers.find(layer.name);
      if (known != program.layers.end() && program.standard.erase(layer.name) == 0)
        error(layer.location, "layer `" + layer.name + "` is defined twice",
              {{known->second->location, "it is first defined here"}});
      else if (findBuiltin(layer.name))
        error(layer.location, "layer `" + layer.name + "` is built in; give yours another name");
      if (layer.values.empty())
        error(layer.location, "layer `" + layer.name + "` takes no value",
              {{layer.location, "write `" + layer.name + "(x)`: a layer makes something of a value"}});
      program.layers[layer.name] = &layer;
    }
  }

  void addImport(const ImportDecl &import) {
    SourcePtr source = library.import ? library.import(import.path) : nullptr;
    if (!source)
      return error(import.location, "cannot read \"" + import.path + "\"");
    if (!imported.insert(source->path).second)
      return; // a file that is imported twice is there once
    if (imported.size() > 256)
      return error(import.location, "imports more than the limit of 256 files");
    if (std::unique_ptr<Ast> ast = parse(source, diagnostics)) {
      files.push_back(std::move(ast));
      addLayers(*files.back());
    }
  }

  void addNetworks(const Ast &ast) {
    if (ast.networks.size() > maxDeclarations || ast.trains.size() > maxDeclarations)
      return error({ast.source, 1, 1, 0},
                   "has more than the limit of " + std::to_string(maxDeclarations) + " networks or train blocks");
    for (const NetworkDecl &network : ast.networks) {
      auto known = std::find_if(networks.begin(), networks.end(),
                                [&](const NetworkDecl *other) { return other->name == network.name; });
      if (known != networks.end())
        error(network.location, "network `" + network.name + "` is defined twice",
              {{(*known)->location, "it is first defined here"}});
      else {
        checkName(network);
        networks.push_back(&network);
      }
    }
    for (const TrainDecl &train : ast.trains)
      trains.push_back(&train);
  }

  /// What a C program sees of a network begins with its name, macros with that in capitals.
  void checkName(const NetworkDecl &network) {
    auto lower = [](std::string name) {
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      return name;
    };
    std::string name = lower(network.name);
    if (name == "nnc" || name.rfind("nnc_", 0) == 0)
      error(network.location, "a network cannot be called `" + network.name + "`: so begin the names of the runtime");
    for (const NetworkDecl *other : networks)
      if (lower(other->name) == name)
        error(network.location,
              "networks `" + other->name + "` and `" + network.name + "` differ in capitals alone; their macros do not",
              {{other->location, "the other is here"}});
  }

  Network checkNetwork(const NetworkDecl &declaration) {
    Network network;
    network.name = declaration.name;
    network.location = declaration.location;
    network.infer.name = "infer";
    size_t before = diagnostics.size();
    LayerNames names;
    Elaborator(program, network, network.infer, declaration, names).elaborateInference();
    bool isGood = diagnostics.size() == before; // else each train block would say the same
    if (isGood) {
      pruneOperations(network.infer);
      addPendingEnds(network);
      addPendingSearches(network);
      addLengthOutputs(network);
    }
    for (const TrainDecl *train : trains) {
      if (train->network != declaration.name || !isGood)
        continue;
      Train result;
      result.name = train->name.empty() ? "train" : train->name;
      result.location = train->location;
      for (const Train &other : network.trains)
        if (other.name == result.name)
          error(train->location, "network `" + declaration.name + "` has two train blocks called `" + result.name + "`",
                {{other.location, "the other is here"},
                 {train->location, "write `train " + declaration.name + " as …`"}});
      for (const char *taken : {"infer", "step", "reset", "prepare"})
        if (result.name == taken)
          error(train->location,
                "a train block cannot be called `" + result.name + "`: so is a function of every library");
      result.forward.name = result.name;
      size_t lengths = network.freeDims.size();
      Elaborator(program, network, result.forward, declaration, names).elaborateTraining(*train, result);
      if (network.freeDims.size() > lengths)
        error(train->location,
              "`" + network.freeDims.back().name + "` is no length of network `" + declaration.name + "`");
      pruneOperations(result.forward);
      if (result.bptt.kind == Bptt::Truncated && !result.forward.outputs.empty())
        splitLoss(result, network, diagnostics);
      network.trains.push_back(std::move(result));
    }
    if (isGood)
      pruneWeights(network);
    return network;
  }

  void checkTrainNames() {
    std::vector<std::string> names;
    for (const NetworkDecl *network : networks)
      names.push_back(network->name);
    for (const TrainDecl *train : trains) {
      if (std::find(names.begin(), names.end(), train->network) != names.end())
        continue;
      std::vector<Note> notes;
      if (std::string near = suggest(train->network, names); !near.empty())
        notes.push_back({train->location, "did you mean `" + near + "`?"});
      error(train->location, "network `" + train->network + "` is not defined", std::move(notes));
    }
  }

  const Library &library;
  Diagnostics &diagnostics;
  Program program;
  std::vector<std::unique_ptr<Ast>> files; ///< whose layers `program` points at
  std::set<std::string> imported;
  std::vector<const NetworkDecl *> networks;
  std::vector<const TrainDecl *> trains;
};

} // namespace

std::optional<Model> check(const Ast &ast, const Library &library, Diagnostics &diagnostics) {
  return Checker(library, diagnostics).run(ast);
}

} // namespace nnc::dsl
