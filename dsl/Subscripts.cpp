//===- Subscripts.cpp - Steps of loops, and parts of values ----------------===//

#include "dsl/Elaborate.h"

#include <algorithm>
#include <cmath>

namespace nnc::dsl {

/// A loop of which `name` is the index; null when there is none.
static Scope *findLoop(Scope &scope, const std::string &name) {
  for (Scope *at = &scope; at; at = at->parent)
    if (at->loop && at->loop->index == name)
      return at;
  return nullptr;
}

/// What a loop would take a step of, though it is computed anew in each step.
Item Elaborator::refuseWithin(const LoopState &loop, const Location &location) {
  return error(location, "takes a step of the loop over `" + loop.index + "` of what is computed within that loop",
               {{location, "define the sequence before `each " + loop.index + " in …`"},
                {location, "of several subscripts those of outer loops come first"}});
}

/// Whether a value is computed in a loop's body, or in that of a loop within it.
static bool isWithin(Value value, const LoopState &loop, Scope &scope) {
  auto holds = [&](const std::vector<Value> &values) {
    return std::find(values.begin(), values.end(), value) != values.end();
  };
  auto isOf = [&](const Each &each) {
    return holds(each.elements) || holds(each.carried) ||
           std::any_of(each.body.begin(), each.body.end(),
                       [&](const Operation &operation) { return holds(operation.results); });
  };
  for (Scope *at = &scope; at; at = at->parent) {
    if (at->loop && isOf(at->loop->each))
      return true;
    if (at->loop == &loop)
      break;
  }
  return false;
}

/// Whether an expression reads names of a loop's body, or of loops within it.
static bool readsWithin(const Expr &expr, Scope &loop, Scope &scope) {
  auto reads = [&](const ExprPtr &part) { return part && readsWithin(*part, loop, scope); };
  if (expr.kind == Expr::Kind::Name)
    for (Scope *at = &scope; at; at = at->parent) {
      if (at->names.count(expr.text) || (at->loop && at->loop->index == expr.text))
        return true;
      if (at == &loop)
        break;
    }
  return std::any_of(expr.operands.begin(), expr.operands.end(), reads) ||
         std::any_of(expr.arguments.begin(), expr.arguments.end(),
                     [&](const Argument &argument) { return reads(argument.value); }) ||
         std::any_of(expr.subscripts.begin(), expr.subscripts.end(),
                     [&](const Subscript &subscript) { return reads(subscript.first) || reads(subscript.last); });
}

/// `(a + b)[t]`: a step of a sequence that is computed once, before the loop.
Item Elaborator::evaluateStepOf(const Expr &base, Scope &loop, Scope &scope, const Location &location) {
  if (readsWithin(base, loop, scope))
    return refuseWithin(*loop.loop, location);
  Item whole = settle(evaluate(base, *loop.parent));
  return whole.is(Item::Kind::Tensor) ? tensor(elementOf(*loop.loop, whole.value, location)) : Item();
}

Item Elaborator::evaluateIndex(const Expr &expr, Scope &scope) {
  const Expr &base = *expr.operands[0];
  size_t next = 0;
  Item value;
  const Subscript &first = expr.subscripts.front();
  // `[t]`, `[t - 2]`: a step of a loop around.
  const Expr *step = first.isRange ? nullptr : first.first.get();
  int64_t lag = 0;
  if (step && step->kind == Expr::Kind::Binary && (step->text == "-" || step->text == "+") &&
      step->operands[0]->kind == Expr::Kind::Name && findLoop(scope, step->operands[0]->text)) {
    Item offset = evaluate(*step->operands[1], scope);
    if (!offset.is(Item::Kind::Number) || offset.number != std::floor(offset.number) || std::abs(offset.number) > 1e9)
      return offset.isError() ? offset : error(step->location, "an earlier step is a whole number of steps back");
    lag = static_cast<int64_t>(step->text == "-" ? offset.number : -offset.number);
    step = step->operands[0].get();
  }
  Scope *loop = step && step->kind == Expr::Kind::Name ? findLoop(scope, step->text) : nullptr;
  if (loop) {
    if (lag < 0 || lag > 256)
      return error(first.first->location,
                   lag < 0 ? "reads a later step: only this and earlier steps are known"
                           : "reads " + std::to_string(lag) + " steps back, more than the limit of 256");
    value = base.kind == Expr::Kind::Name ? evaluateStep(base, base.text, *loop->loop, *loop, lag, scope)
                                          : evaluateStepOf(base, *loop, scope, expr.location);
    next = 1;
  } else {
    value = settle(evaluate(base, scope));
    // `h[T]`: the last step.
    bool isName = step && step->kind == Expr::Kind::Name;
    Item last = isName ? evaluate(*step, scope) : Item();
    if (isName && last.isError())
      return {}; // has been said
    if (value.is(Item::Kind::Tensor) && last.is(Item::Kind::Dim)) {
      const Shape shape = typeOf(value.value).shape;
      if (shape.empty() || shape.front() != last.dim)
        return error(expr.location, (base.text.empty() ? "the value" : "`" + base.text + "`") + " has shape " +
                                        describe(shape) + ", whose first dimension is not `" + step->text + "`");
      if (value.hasFinal) {
        value = tensor(value.final);
      } else {
        Type type = typeOf(value.value);
        type.shape.erase(type.shape.begin());
        value = tensor(emit("last", {value.value}, type, scope, expr.location));
      }
      next = 1;
    }
  }
  // `x[s, l]`: steps of several loops, the outer ones first.
  while (value.is(Item::Kind::Tensor) && next > 0 && next < expr.subscripts.size()) {
    const Subscript &subscript = expr.subscripts[next];
    bool isName = !subscript.isRange && subscript.first->kind == Expr::Kind::Name;
    Scope *inner = isName ? findLoop(scope, subscript.first->text) : nullptr;
    if (!inner)
      break;
    if (isWithin(value.value, *inner->loop, scope))
      return refuseWithin(*inner->loop, expr.location);
    value = tensor(elementOf(*inner->loop, value.value, expr.location));
    ++next;
  }
  if (value.isError() || next == expr.subscripts.size())
    return value;
  if (value.is(Item::Kind::Dim) || !value.is(Item::Kind::Tensor))
    return error(expr.location, "only values have elements");

  // What is left cuts fixed dimensions.
  Type type = typeOf(value.value);
  size_t free = 0;
  while (free < type.shape.size() && !type.shape[free].isFixed())
    ++free;
  std::vector<int64_t> starts, sizes;
  Shape kept(type.shape.begin(), type.shape.begin() + free);
  if (expr.subscripts.size() - next > type.shape.size() - free)
    return error(expr.location,
                 "has " + std::to_string(expr.subscripts.size() - next) + " subscripts for a value of shape " +
                     describe(type),
                 {originOf(value.value, "the value")});
  for (size_t dim = free; dim < type.shape.size(); ++dim) {
    int64_t extent = type.shape[dim].size, start = 0, end = extent;
    size_t at = next + dim - free;
    bool drops = false;
    if (at < expr.subscripts.size()) {
      const Subscript &subscript = expr.subscripts[at];
      if (subscript.first) {
        std::optional<int64_t> number = evaluateCount(*subscript.first, scope, "a subscript", 0);
        if (!number)
          return {};
        start = *number;
      }
      if (!subscript.isRange) {
        end = start + 1;
        drops = true;
      } else if (subscript.last) {
        std::optional<int64_t> number = evaluateCount(*subscript.last, scope, "a subscript", 0);
        if (!number)
          return {};
        end = *number;
      }
    }
    if (start >= end || end > extent) {
      std::vector<Note> notes{originOf(value.value, "the value")};
      if (start == extent && drops) // counted from 1, as steps of time are
        notes.push_back({expr.location, "subscripts count from 0: the last is " + std::to_string(extent - 1)});
      return error(expr.location,
                   "takes " + std::to_string(start) + ":" + std::to_string(end) + " of a dimension of " +
                       std::to_string(extent),
                   std::move(notes));
    }
    starts.push_back(start);
    sizes.push_back(end - start);
    if (!drops)
      kept.push_back(Dim::fixed(end - start));
    type.shape[dim] = Dim::fixed(end - start);
  }
  Value cut = emit("slice", {value.value}, type, scope, expr.location, {{"starts", starts}, {"sizes", sizes}});
  return kept == type.shape ? tensor(cut) : reshapeTo(cut, kept, scope, expr.location);
}

} // namespace nnc::dsl
