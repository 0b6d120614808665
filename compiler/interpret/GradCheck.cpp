//===- GradCheck.cpp - Gradients against differences of losses ------------===//
//
// The loss is what the program says: the module as it was imported, run op by op. The
// gradients are what the passes made of it, before kernels. Both are in float64, so that
// a difference of losses has ten digits, and a derivative that is wrong in the fourth
// is found. Each example's loss has a random factor, so that nothing cancels by
// symmetry. What must not be read is no number: inputs past an example's end, and every
// value before it is computed.
//
// A difference across a kink is no derivative. The interpreter keeps a digest of all
// choices (the sign of a relu's operand, the winner of a maximum); where it differs
// between the points of a difference, a shorter one is taken. Where that does not help
// the component is left out, and where many are, other inputs are drawn.
//
//===----------------------------------------------------------------------===//

#include "compiler/interpret/GradCheck.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <optional>

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;
using namespace nnc::interpret;

/// The largest error, as a share of the gradient's norm.
static constexpr double tolerance = 1e-6;
/// Of a weight so many elements are tried one by one; all where it has no more.
static constexpr int64_t maxElements = 24;
/// Of a larger one so many sums of all elements, with random signs, too.
static constexpr int64_t directions = 6;
/// How often other inputs are drawn.
static constexpr int maxDraws = 20;

void interpret::addCotangents(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function->hasAttr("nn.train"))
      continue;
    auto end = cast<func::ReturnOp>(function.getBody().front().getTerminator());
    Value losses = end.getOperand(0);
    unsigned index = function.getNumArguments();
    OpBuilder builder(end);
    auto marks = builder.getDictionaryAttr(builder.getNamedAttr("nn.cotangent", builder.getUnitAttr()));
    if (failed(function.insertArgument(index, losses.getType(), marks, function.getLoc())))
      continue;
    end->setOperand(0, createInferred<MulOp>(builder, losses.getLoc(), {losses, function.getArgument(index)}));
  }
}

namespace {

/// Where a weight is moved to: along one element, or all of them.
struct Direction {
  std::optional<int64_t> element;
  std::vector<double> signs;

  void move(Tensor &weight, double by) const {
    if (element)
      weight[*element] += by;
    else
      for (int64_t i = 0; i < weight.size(); ++i)
        weight[i] += by * signs[i];
  }
  double project(const Tensor &gradient) const {
    if (element)
      return gradient[*element];
    double sum = 0;
    for (int64_t i = 0; i < gradient.size(); ++i)
      sum += gradient[i] * signs[i];
    return sum;
  }
};

/// What was found of one weight.
struct Finding {
  std::string name;
  Shape shape;
  int64_t tried = 0, left = 0; ///< components; of these left out
  double error = 0;

  bool holds() const { return error <= tolerance; }
};

/// Checks one train block.
class BlockChecker {
public:
  BlockChecker(ModuleOp module, ModuleOp differentiated, func::FuncOp forward, func::FuncOp backward,
               const CallSize &size)
      : module(module), forward(forward), backward(backward), lengths(chooseLengths(forward, size)),
        losses(module, lengths), gradients(differentiated, lengths), call(module, forward, lengths, losses) {}

  std::vector<Finding> run();
  const std::map<std::string, int64_t> &getLengths() const { return lengths; }

private:
  double getLoss();
  std::optional<double> differentiate(Tensor &weight, const Direction &direction);
  Finding check(WeightOp weight);

  ModuleOp module;
  func::FuncOp forward, backward;
  std::map<std::string, int64_t> lengths;
  Interpreter losses, gradients;
  RandomCall call;
  double loss = 0;       ///< of what was drawn
  uint64_t branches = 0; ///< taken for it
};

} // namespace

//===----------------------------------------------------------------------===//
// Differences
//===----------------------------------------------------------------------===//

double BlockChecker::getLoss() {
  std::vector<Tensor> results = losses.run(forward, call.getArguments());
  double sum = 0;
  for (double loss : results.front().data)
    sum += loss;
  return sum;
}

/// The slope of the loss along a direction, of five points with an error of the fourth
/// power of their distance; nothing where each distance meets a kink. Of two distances
/// that agree; where the loss bends strongly (1 / x near 0) these are short ones.
std::optional<double> BlockChecker::differentiate(Tensor &weight, const Direction &direction) {
  const std::vector<double> before = weight.data;
  std::optional<double> last, best;
  double least = std::numeric_limits<double>::infinity();
  for (double step : {1e-3, 3e-4, 1e-4, 1e-5}) {
    bool isSmooth = true;
    auto getLossAt = [&](double times) {
      if (!isSmooth)
        return 0.0;
      direction.move(weight, times * step);
      losses.resetBranches();
      double loss = getLoss();
      weight.data = before;
      isSmooth = losses.getBranches() == branches;
      return loss;
    };
    // Differences first: of a loss that does not depend on the weight they are 0.
    double near = getLossAt(1) - getLossAt(-1), far = getLossAt(2) - getLossAt(-2);
    if (!isSmooth)
      continue;
    double slope = (8 * near - far) / (12 * step);
    double apart = last ? std::abs(slope - *last) : std::numeric_limits<double>::max();
    if (apart < least) {
      least = apart;
      best = slope;
    }
    if (apart <= 1e-8 * std::abs(slope) + 1e-11 * std::max(1.0, std::abs(loss))) // the rounding of losses
      break;
    last = slope;
  }
  return best;
}

Finding BlockChecker::check(WeightOp op) {
  Finding finding;
  finding.name = op.getSymName().str();
  Tensor &weight = losses.values.at(finding.name);
  finding.shape = weight.shape;
  auto found = gradients.gradients.find(finding.name);
  if (found == gradients.gradients.end()) {
    finding.error = std::numeric_limits<double>::infinity();
    return finding;
  }
  std::vector<Direction> list;
  for (int64_t i = 0; i < std::min(maxElements, weight.size()); ++i)
    list.push_back({weight.size() <= maxElements ? i : call.pick(0, weight.size() - 1), {}});
  for (int64_t i = 0; weight.size() > maxElements && i < directions; ++i) {
    Direction direction;
    for (int64_t element = 0; element < weight.size(); ++element)
      direction.signs.push_back((call.pick(0, 1) ? 1 : -1) / std::sqrt(static_cast<double>(weight.size())));
    list.push_back(std::move(direction));
  }
  double off = 0, norm = 0;
  for (const Direction &direction : list) {
    ++finding.tried;
    std::optional<double> numeric = differentiate(weight, direction);
    if (!numeric) {
      ++finding.left;
      continue;
    }
    double given = direction.project(found->second);
    off += (given - *numeric) * (given - *numeric);
    norm += std::max(given * given, *numeric * *numeric);
  }
  // What is 0 up to the rounding of losses, and of what they are sums of, is 0.
  double scale = std::max(std::sqrt(norm), 1e-4 * std::max(1.0, std::abs(loss)));
  finding.error = off == off ? std::sqrt(off) / scale : std::numeric_limits<double>::infinity();
  return finding;
}

std::vector<Finding> BlockChecker::run() {
  std::vector<Finding> best;
  int64_t bestLeft = std::numeric_limits<int64_t>::max();
  for (int number = 0; number < maxDraws && bestLeft > 0; ++number) {
    call.draw(number);
    losses.resetBranches();
    loss = getLoss();
    if (!std::isfinite(loss))
      continue;
    branches = losses.getBranches();
    gradients.values = losses.values;
    gradients.gradients.clear();
    gradients.run(backward, call.getArguments());
    std::vector<Finding> findings;
    int64_t left = 0, tried = 0;
    for (auto weight : module.getOps<WeightOp>())
      if (!weight.getFrozen()) {
        findings.push_back(check(weight));
        left += findings.back().left;
        tried += findings.back().tried;
      }
    if (left < bestLeft) {
      best = std::move(findings);
      bestLeft = left;
    }
    if (10 * left <= tried)
      break;
  }
  return best;
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

static bool print(StringRef block, const std::map<std::string, int64_t> &lengths, ArrayRef<Finding> findings,
                  llvm::raw_ostream &os) {
  os << "gradients of " << block << ", float64, against central differences";
  for (auto &[name, length] : lengths)
    if (!StringRef(name).contains('.'))
      os << ", " << name << " = " << length;
  os << '\n';
  size_t width = 6;
  for (const Finding &finding : findings)
    width = std::max(width, finding.name.size());
  int64_t passed = 0;
  for (const Finding &finding : findings) {
    std::string shape =
        "[" + llvm::join(llvm::map_range(finding.shape, [](int64_t n) { return std::to_string(n); }), ", ") + "]";
    os << "  " << llvm::left_justify(finding.name, width) << "  " << llvm::left_justify(shape, 16) << "  "
       << llvm::format("%4d", static_cast<int>(finding.tried - finding.left)) << " components"
       << llvm::format("  %.0e  ", finding.error) << (finding.holds() ? "ok" : "WRONG");
    if (finding.left > 0)
      os << ", " << finding.left << " at kinks left out";
    os << '\n';
    passed += finding.holds() && finding.left < finding.tried;
  }
  os << "  " << passed << " of " << findings.size() << " weights within " << llvm::format("%.0e", tolerance) << '\n';
  return !findings.empty() && passed == static_cast<int64_t>(findings.size());
}

bool interpret::checkGradients(ModuleOp module, ModuleOp differentiated, const CallSize &size, llvm::raw_ostream &os) {
  bool holds = true, any = false;
  for (auto forward : module.getOps<func::FuncOp>()) {
    if (!forward->hasAttr("nn.train"))
      continue;
    auto backward = differentiated.lookupSymbol<func::FuncOp>((forward.getName() + "_gradients").str());
    if (!backward)
      continue; // it is one itself
    any = true;
    BlockChecker checker(module, differentiated, forward, backward, size);
    std::vector<Finding> findings = checker.run();
    if (findings.empty() &&
        llvm::all_of(module.getOps<WeightOp>(), [](WeightOp weight) { return weight.getFrozen(); })) {
      os << "gradients of " << forward.getName() << ": no weight is trained\n";
      continue;
    }
    if (findings.empty())
      os << "no loss of " << forward.getName() << " is finite, whatever is drawn\n";
    holds &= print(forward.getName(), checker.getLengths(), findings, os);
  }
  if (!any)
    os << "there is no train block to check\n";
  return any && holds;
}
