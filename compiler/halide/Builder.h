//===- Builder.h - Values of a kernel as Funcs ----------------------------===//

#ifndef NNC_COMPILER_HALIDE_BUILDER_H
#define NNC_COMPILER_HALIDE_BUILDER_H

#include "compiler/dialect/NN.h"
#include "targets/Group.h"

#include <functional>
#include <map>

namespace nnc {

/// An index for each dimension of a value, outermost first as in its type; of a value in
/// panels also [panel][other…][lane], as it lies.
using Indices = std::vector<Halide::Expr>;

/// The element of a value at an index.
using Element = std::function<Halide::Expr(const Indices &)>;

/// An extent or an index as Halide counts.
inline int32_t toInt(int64_t value) { return static_cast<int32_t>(value); }

/// Builds the Funcs of one kernel. A family's file says how an element of an
/// op's result follows from elements of its operands; `define` makes a Func of
/// it. A Func has the dimensions of the type in Halide's order: innermost first.
class AlgorithmBuilder {
public:
  AlgorithmBuilder(nn::KernelOp kernel, std::string symbol, bool onDevice = false);

  targets::Group build();

  /// Whether the kernel is for a device, which has sums by blocks of threads.
  bool isOnDevice() const { return onDevice; }

  /// The element of a value. A truth value is a Halide Bool, a class an Int(32).
  Halide::Expr at(mlir::Value value, const Indices &indices);

  /// The element of an operand whose dimensions are the last ones of the
  /// result's, at an index of the result.
  Halide::Expr atSuffix(mlir::Value operand, const Indices &indices);

  /// The Func of a value: of its dimensions, or of [panel][other…][lane] where its
  /// type is in panels.
  Halide::Func func(mlir::Value value) { return funcs.at(value.getAsOpaquePointer()); }

  /// An extent of a type: a number, or an expression of the kernel's arguments.
  Halide::Expr size(const nn::Extent &extent);

  /// Makes `element` the value of an op's result.
  void define(mlir::Value result, const Element &element);

  /// Makes a stage that the schedule must place: starts from `initial` and
  /// takes `update(itself, indices)` for every point of `domain`, whose extents
  /// are innermost first.
  Halide::Func accumulate(const std::string &name, targets::Role role, llvm::ArrayRef<nn::Extent> extents,
                          const Halide::RDom &domain, const Element &initial,
                          const std::function<Halide::Expr(Halide::Expr, const Indices &)> &update);

  /// The two factors of a product at a point.
  using Factors = std::function<std::pair<Halide::Expr, Halide::Expr>(const Indices &)>;

  /// The same for a sum of products from 0, whose factors at a point `factors` gives: the
  /// second is of the weight, or of what depends on the innermost extent as it does. Sums of
  /// as many dimensions have the same variables, so that a schedule can take several in one loop.
  Halide::Func accumulateProducts(const std::string &name, targets::Role role, llvm::ArrayRef<nn::Extent> extents,
                                  const Halide::RDom &domain, const Factors &factors) {
    return accumulateProducts(name, role, extents, domain, llvm::ArrayRef(factors)).front();
  }

  /// Several such sums as one stage, whose Func has a value for each; gives a Func for each value.
  std::vector<Halide::Func> accumulateProducts(const std::string &name, targets::Role role,
                                               llvm::ArrayRef<nn::Extent> extents, const Halide::RDom &domain,
                                               llvm::ArrayRef<Factors> products);

  /// Makes the one result of the kernel, which starts from `initial` and takes
  /// `update(itself, indices)` for every point of `domain`, at a place that may be
  /// read: `place` stands for the outermost indices. The others are the result's.
  void scatter(mlir::Value result, const Halide::RDom &domain, const Element &initial, const Indices &place,
               const std::function<Halide::Expr(Halide::Expr, const Indices &)> &update);

  /// Makes a stage without an update that the schedule may place.
  Halide::Func stage(const std::string &name, targets::Role role, llvm::ArrayRef<nn::Extent> extents,
                     const Element &element);

  /// The stage that was made last.
  targets::Stage &getLastStage() { return group.stages.back(); }

  /// Lets a Func stand for a value; its dimensions are the value's.
  void bind(mlir::Value value, Halide::Func func) { funcs[value.getAsOpaquePointer()] = std::move(func); }

  /// Notes what the exponential of a value is, where the value was made of it.
  void noteExponential(mlir::Value value, Element element) {
    exponentials[value.getAsOpaquePointer()] = std::move(element);
  }

  /// What was noted; none where nothing was.
  Element getExponential(mlir::Value value) const {
    auto known = exponentials.find(value.getAsOpaquePointer());
    return known == exponentials.end() ? Element() : known->second;
  }

  /// Calls a Func with indices that are outermost first.
  static Halide::Expr call(const Halide::Func &func, const Indices &indices);

  /// A reduction domain over [0, extent) for each extent, innermost first.
  Halide::RDom domain(const std::string &name, llvm::ArrayRef<Halide::Expr> extents);

  /// A domain over all indices of these extents, which are outermost first, and the index at a point of it.
  std::pair<Halide::RDom, Indices> domainOver(const std::string &name, llvm::ArrayRef<nn::Extent> extents);

  /// The domain [0, terms) of all products of rows and weights that sum so many terms.
  Halide::RDom productDomain(int64_t terms);

  std::string unique(const std::string &name) { return symbol + "_" + name + std::to_string(next++); }

private:
  void bindArgument(mlir::BlockArgument argument);
  void buildOp(mlir::Operation &op);
  void buildResults();
  targets::Factor makeFactor(const std::string &name, const Halide::Expr &value, const std::vector<Halide::Var> &vars,
                             const Halide::RDom &domain, Halide::Expr &call);
  std::vector<targets::ReductionLoop> makeReductions(const Halide::RDom &domain);
  void makeOut(Halide::Func out, const std::vector<Halide::Var> &vars, nn::Extents extents);
  std::vector<Halide::Var> makeVars(unsigned rank);
  void alignRows(Halide::OutputImageParam buffer, const std::vector<Halide::Expr> &sizes) const;
  std::vector<targets::Loop> makeLoops(llvm::ArrayRef<nn::Extent> extents, const std::vector<Halide::Var> &vars);

  nn::KernelOp kernel;
  std::string symbol;
  bool onDevice;
  unsigned next = 0;
  std::map<std::string, Halide::Param<int32_t>> lengths; ///< d0, d1, …
  std::map<const void *, Halide::Func> funcs;
  std::map<const void *, Element> exponentials;
  std::map<size_t, std::vector<Halide::Var>> productVars; ///< by the number of dimensions
  std::map<int64_t, Halide::RDom> productDomains;         ///< by the number of terms
  targets::Group group;
};

/// The last dimension of a value in panels of `packed`, [panel][other…][lane], as a
/// stage; what pads the last panel is 0.
Halide::Func packColumns(AlgorithmBuilder &builder, mlir::Value value, llvm::ArrayRef<nn::Extent> packed);

/// Rows times a weight in panels of what it gives.
struct PanelProduct {
  mlir::Value result, rows, weight;
  int64_t width; ///< of a panel
};

/// Makes result(…, n) the sum of rows(…, k) weight(n, k) over the domain `k`. The rows of the
/// sums go on beyond the last one, which they repeat: a tile may end there.
void buildRowsTimesPanels(AlgorithmBuilder &builder, const PanelProduct &product, const Halide::RDom &k);

/// One function a file: gives false for ops of the others.
bool buildElementwise(AlgorithmBuilder &builder, mlir::Operation &op);
bool buildDense(AlgorithmBuilder &builder, mlir::Operation &op);
bool buildDenseGradient(AlgorithmBuilder &builder, mlir::Operation &op);
bool buildConv(AlgorithmBuilder &builder, mlir::Operation &op);
bool buildConvInputGradient(AlgorithmBuilder &builder, mlir::Operation &op);
bool buildConvKernelGradient(AlgorithmBuilder &builder, mlir::Operation &op);
bool buildWinograd(AlgorithmBuilder &builder, mlir::Operation &op);
bool buildPool(AlgorithmBuilder &builder, mlir::Operation &op);
bool buildNorm(AlgorithmBuilder &builder, mlir::Operation &op);
bool buildReduce(AlgorithmBuilder &builder, mlir::Operation &op);
bool buildReshape(AlgorithmBuilder &builder, mlir::Operation &op);

} // namespace nnc

#endif // NNC_COMPILER_HALIDE_BUILDER_H
