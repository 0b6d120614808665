//===- Print.cpp - Printing a model ---------------------------------------===//

#include "dsl/Check.h"

#include <ostream>
#include <sstream>

namespace nnc::dsl {

namespace {

class ModelPrinter {
public:
  ModelPrinter(const Network &network, std::ostream &os) : network(network), os(os) {}

  void run() {
    os << "network " << network.name << '\n';
    for (const FreeDim &dim : network.freeDims) {
      os << "  length " << dim.name;
      if (dim.bound)
        os << " <= " << dim.bound;
      os << '\n';
    }
    for (const Weight &weight : network.weights) {
      os << "  weight " << weight.name << " [";
      for (size_t i = 0; i < weight.shape.size(); ++i)
        os << (i ? ", " : "") << weight.shape[i];
      os << "] = ";
      print(weight.init);
      os << (weight.trainable ? "\n" : " frozen\n");
    }
    print(network.infer);
    for (const Train &train : network.trains)
      print(train);
  }

private:
  void print(const Initializer &init) {
    static const char *const names[] = {"constant", "glorot", "he", "uniform", "normal", "orthogonal"};
    os << names[init.kind];
    if (init.kind == Initializer::Uniform)
      os << '(' << init.a << ", " << init.b << ')';
    else if (init.kind == Initializer::Constant || init.kind == Initializer::Normal)
      os << '(' << init.a << ')';
  }

  void print(const Dim &dim) {
    if (dim.isFixed()) {
      os << dim.size;
      return;
    }
    if (dim.offset)
      os << '(' << network.freeDims[dim.free].name << (dim.offset > 0 ? "+" : "") << dim.offset << ')';
    else
      os << network.freeDims[dim.free].name;
    if (dim.stride != 1)
      os << '/' << dim.stride;
  }

  void print(const Type &type) {
    os << '[';
    for (size_t i = 0; i < type.shape.size(); ++i)
      os << (i ? ", " : ""), print(type.shape[i]);
    os << ']';
    if (type.element == Element::Class)
      os << " : class[" << type.classes << ']';
    if (type.element == Element::Bool)
      os << " : truth";
  }

  void print(const Function &function) {
    current = &function;
    os << "  function " << function.name << '\n';
    for (const Port &port : function.inputs) {
      os << "    input " << port.name << " = %" << port.value << ' ';
      print(function.values[port.value].type);
      os << '\n';
    }
    print(function.operations, 2);
    for (const Port &port : function.outputs)
      os << "    output " << port.name << " = %" << port.value << '\n';
  }

  void print(const std::vector<Value> &values) {
    for (size_t i = 0; i < values.size(); ++i)
      os << (i ? ", %" : "%") << values[i];
  }

  void print(const std::vector<Operation> &operations, int depth) {
    for (const Operation &operation : operations) {
      os << std::string(2 * depth, ' ');
      print(operation.results);
      os << " = " << operation.name << '(';
      print(operation.operands);
      os << ')';
      for (const auto &[name, value] : operation.attributes)
        os << ' ' << name << '=', print(value);
      for (Value result : operation.results)
        os << ' ', print(current->values[result].type);
      os << '\n';
      if (operation.each)
        print(*operation.each, depth + 1);
    }
  }

  void print(const Each &each, int depth) {
    std::string indent(2 * depth, ' ');
    os << indent << "steps %" << each.index << " in ";
    print(each.trip);
    os << ", elements (", print(each.elements);
    os << "), states (", print(each.carried);
    os << ")\n";
    print(each.body, depth);
    os << indent << "next (", print(each.next);
    os << "), outputs (", print(each.outputs);
    os << ')';
    if (each.hasUntil)
      os << ", until %" << each.until;
    os << '\n';
  }

  void print(const Attribute &attribute) {
    auto list = [&](const std::vector<int64_t> &numbers) {
      os << '[';
      for (size_t i = 0; i < numbers.size(); ++i)
        os << (i ? ", " : "") << numbers[i];
      os << ']';
    };
    if (auto *flag = std::get_if<bool>(&attribute))
      os << (*flag ? "true" : "false");
    else if (auto *integer = std::get_if<int64_t>(&attribute))
      os << *integer;
    else if (auto *number = std::get_if<double>(&attribute))
      os << *number;
    else if (auto *text = std::get_if<std::string>(&attribute))
      os << *text;
    else if (auto *numbers = std::get_if<std::vector<int64_t>>(&attribute))
      list(*numbers);
    else
      list(std::get<Axes>(attribute).dims);
  }

  void print(const Train &train) {
    os << "  train " << train.name << " optimizer=" << train.optimizer;
    for (const auto &[name, value] : train.hyperparameters)
      os << ' ' << name << '=' << value;
    os << " rate=(";
    for (size_t i = 0; i < train.rate.postfix.size(); ++i) {
      const auto &[name, number] = train.rate.postfix[i];
      os << (i ? " " : "");
      name.empty() ? os << number : os << name;
    }
    os << ')';
    static const char *const batches[] = {"online", "", "full"};
    os << " batch=" << batches[static_cast<int>(train.batch)];
    if (train.batch == Train::Batch::Mini)
      os << train.batchSize;
    static const char *const policies[] = {"full", "truncated", "checkpoint(sqrt)", "checkpoint", "unroll"};
    os << " bptt=" << policies[train.bptt.kind];
    if (train.bptt.kind == Bptt::Truncated)
      os << '(' << train.bptt.k1 << ", " << train.bptt.k2 << ')';
    if (train.bptt.kind == Bptt::Unroll)
      os << '(' << train.bptt.k1 << ')';
    if (train.bptt.kind == Bptt::CheckpointBytes)
      os << '(' << train.bptt.bytes << ')';
    if (train.clipNorm)
      os << " clip=norm(" << train.clipNorm << ')';
    if (train.clipValue)
      os << " clip=value(" << train.clipValue << ')';
    if (train.weightDecay)
      os << " weight_decay=" << train.weightDecay;
    os << (train.reduceSum ? " reduce=sum\n" : "\n");
    print(train.forward);
  }

  const Network &network;
  const Function *current = nullptr;
  std::ostream &os;
};

} // namespace

void print(const Model &model, std::ostream &os) {
  for (const Network &network : model.networks)
    ModelPrinter(network, os).run();
}

} // namespace nnc::dsl
