//===- Unfolded.cpp - Unfolded loops as text -------------------------------===//
//
// After differentiation the gradient of a weight that several steps read is a sum of those of its copies, in their
// order. Values get the names that a textbook gives them: W_3 is the weight as step 3 reads it, dW_3 its gradient, dW
// the sum, dh_3 the error that has gone back through the op that gives h_3.
//
//===----------------------------------------------------------------------===//

#include "compiler/explain/Explain.h"

#include "compiler/dialect/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

static StringRef getStepName(Operation *op) {
  auto name = dyn_cast<NameLoc>(op->getLoc());
  return name ? name.getName().getValue() : nn::getName(op->getLoc());
}

static void rename(Operation *op, const Twine &name) {
  op->setLoc(NameLoc::get(StringAttr::get(op->getContext(), name)));
}

/// Names what the user has a name for. Of the several ops that are the derivative of one the last gives its result.
static void nameSteps(func::FuncOp function) {
  llvm::StringSet<> known;
  SmallVector<Operation *> ops;
  function.walk([&](Operation *op) { ops.push_back(op); });
  for (Operation *op : llvm::reverse(ops)) {
    std::string name = getStepName(op).str();
    if (isa<func::FuncOp>(op) || name.empty())
      continue;
    if (op->hasAttr("nn.unfolded"))
      rename(op, name);
    else if (known.insert(name).second)
      rename(op, "d" + name);
    else
      op->setLoc(UnknownLoc::get(op->getContext()));
  }
}

/// Names the terms of a weight's gradient after the copies that they are of.
static void nameGradients(func::FuncOp function, StoreGradientOp store) {
  SmallVector<ReadOp> copies;
  for (auto read : function.getOps<ReadOp>())
    if (read.getSymbol() == store.getSymbol())
      copies.push_back(read);
  if (copies.empty())
    return; // this block does not read it
  SmallVector<Operation *> terms, sums;
  Operation *sum = store.getValue().getDefiningOp();
  for (size_t left = copies.size(); sum && left > 1; --left) {
    auto add = dyn_cast<AddOp>(sum);
    if (!add)
      return; // not all of the copies reach the loss
    sums.push_back(sum);
    terms.push_back(add.getB().getDefiningOp());
    sum = add.getA().getDefiningOp();
  }
  terms.push_back(sum);
  for (auto [copy, term] : llvm::zip_equal(copies, llvm::reverse(terms)))
    if (term && !term->hasAttr("nn.unfolded"))
      rename(term, "d" + getStepName(copy));
  std::string first = getStepName(copies.front()).str();
  for (auto [index, op] : llvm::enumerate(sums)) {
    size_t last = copies.size() - 1 - index;
    StringRef step = getStepName(copies[last]).rsplit('_').second;
    rename(op, "d" + (index == 0 ? store.getSymbol().str() : first + "_to_" + step.str()));
  }
}

std::string explain::printUnfolded(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
    if (!function->hasAttr("nn.train")) {
      function.erase();
      continue;
    }
    for (BlockArgument argument : function.getArguments())
      if (auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "nn.name"))
        argument.setLoc(NameLoc::get(name));
    nameSteps(function);
    for (auto store : function.getOps<StoreGradientOp>())
      nameGradients(function, store);
    function.walk([](Operation *op) { op->removeAttr("nn.unfolded"); });
  }
  os << "// Unfolded in time: W_3 is the weight W as step 3 reads it, dW_3 its gradient, dW their sum.\n";
  module.print(os, OpPrintingFlags().printNameLocAsPrefix());
  return text;
}
