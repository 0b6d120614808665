//===- Schedule.cpp - How a kernel is computed, in short ------------------===//

#include "compiler/emit/Schedule.h"

#include "llvm/ADT/StringRef.h"

#include <map>
#include <sstream>

using namespace nnc;
using namespace nnc::emit;

namespace internal = Halide::Internal;

/// "panel" of "lenet5_conv0_avx2_i48.panel".
static std::string shorten(llvm::StringRef name, const std::string &symbol) {
  if (name.contains('.'))
    name = name.rsplit('.').second;
  name.consume_front(symbol + "_");
  return name.str();
}

static const char *describe(internal::ForType type) {
  switch (type) {
  case internal::ForType::Parallel:
    return "parallel ";
  case internal::ForType::Vectorized:
    return "vectorized ";
  case internal::ForType::Unrolled:
    return "unrolled ";
  case internal::ForType::GPUBlock:
    return "block ";
  case internal::ForType::GPUThread:
    return "thread ";
  case internal::ForType::GPULane:
    return "lane ";
  default:
    return "";
  }
}

/// The loops of a definition, the outermost first.
static std::string printLoops(const internal::StageSchedule &schedule, const std::string &symbol) {
  std::map<std::string, std::string> factors;
  for (const internal::Split &split : schedule.splits())
    if (split.split_type == internal::Split::SplitVar && split.factor.defined())
      if (auto factor = internal::as_const_int(split.factor))
        factors[split.inner] = " x" + std::to_string(*factor);
  std::string text;
  for (size_t i = schedule.dims().size(); i-- > 0;) {
    const internal::Dim &dim = schedule.dims()[i];
    if (dim.var == Halide::Var::outermost().name())
      continue;
    text +=
        (text.empty() ? "" : ", ") + std::string(describe(dim.for_type)) + shorten(dim.var, symbol) + factors[dim.var];
  }
  return text.empty() ? "at once" : text;
}

namespace {

/// Finds what code for the host launches on a device.
class Launches : public internal::IRVisitor {
public:
  explicit Launches(const std::string &symbol) : prefix(symbol + "_") {}
  std::string text;

protected:
  using internal::IRVisitor::visit;
  void visit(const internal::LetStmt *op) override {
    lets[op->name] = op->value;
    internal::IRVisitor::visit(op);
  }
  void visit(const internal::Call *op) override {
    if ((op->name == "halide_cuda_run" || op->name == "halide_opencl_run") && op->args.size() > 8)
      text += "  blocks " + printSize(op, 2) + ", threads " + printSize(op, 5) + ", shared memory " +
              print(op->args[8]) + " bytes\n";
    internal::IRVisitor::visit(op);
  }

private:
  std::string print(Halide::Expr value) {
    for (size_t i = 0; i < lets.size() && !internal::is_const(value); ++i)
      value = internal::substitute(lets, value);
    std::ostringstream os;
    os << internal::simplify(value);
    std::string text = os.str();
    for (size_t at; (at = text.find(prefix)) != std::string::npos;)
      text.erase(at, prefix.size());
    return text;
  }
  std::string printSize(const internal::Call *op, size_t first) {
    return print(op->args[first]) + " x " + print(op->args[first + 1]) + " x " + print(op->args[first + 2]);
  }
  std::string prefix; ///< of what the kernel is handed
  std::map<std::string, Halide::Expr> lets;
};

} // namespace

std::string emit::printSchedule(const targets::Group &group, const std::string &symbol, const targets::Isa &isa) {
  std::ostringstream os;
  bool onDevice = isa.target.has_gpu_feature();
  if (onDevice) {
    Launches launches(symbol);
    Halide::Module module = targets::makePipeline(group).compile_to_module(group.arguments, symbol, isa.target,
                                                                           Halide::LinkageType::External);
    for (const internal::LoweredFunc &function : module.functions())
      function.body.accept(&launches);
    os << launches.text;
  }
  internal::Function out = group.out.func.function();
  auto environment = internal::build_environment({out});
  for (const std::string &name : internal::topological_order({out}, environment)) {
    internal::Function function = environment.at(name);
    Halide::LoopLevel level = function.schedule().compute_level();
    level.lock();
    bool isOut = name == out.name();
    if (level.is_inlined() && !isOut && !function.has_update_definition())
      continue;
    os << "  " << (isOut ? "result" : shorten(name, symbol));
    if (!isOut && !level.is_inlined() && !level.is_root())
      os << " at " << shorten(level.var().name(), symbol);
    os << ": " << printLoops(function.definition().schedule(), symbol) << '\n';
    for (const internal::Definition &update : function.updates())
      os << "    then " << printLoops(update.schedule(), symbol) << '\n';
  }
  return os.str();
}
