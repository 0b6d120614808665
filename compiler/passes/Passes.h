//===- Passes.h - The passes and their order ------------------------------===//

#ifndef NNC_COMPILER_PASSES_PASSES_H
#define NNC_COMPILER_PASSES_PASSES_H

#include "compiler/dialect/NN.h"

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include <functional>

namespace nnc {

#define GEN_PASS_DECL
#include "compiler/passes/Passes.h.inc"

/// Width of the panels of a weight with this many outputs that a contraction of
/// this family reads; 0 for row-major.
using PanelWidth = std::function<int64_t(nn::Family family, int64_t columns)>;

/// A convolution of an image with a kernel of 3 by 3, in steps of 1.
struct ConvSize {
  int64_t height, width;   ///< of the result
  int64_t inputs, outputs; ///< channels
  int64_t examples = 0;    ///< for which each transform of the kernel serves; 0: for all calls
};

/// How a convolution is computed: by direct sums, or by Winograd's algorithm, which transforms the image where it
/// multiplies it, or before.
enum class ConvForm { Direct, Tiles, TilesOfTransformed };
using ChooseConvForm = std::function<ConvForm(const ConvSize &size)>;

/// What a target chooses.
struct Choices {
  PanelWidth panelWidth;
  ChooseConvForm convForm;        ///< none: always direct
  unsigned gradientsInKernel = 1; ///< of weights, made of the same rows
  unsigned branches = 1;          ///< of kernels that need not wait for each other
  bool fewKernels = false;        ///< a kernel costs more than what it stores
  bool worksInPlace = false;      ///< results of products and of element-wise kernels may lie where operands do
};

/// ChooseWinograd with a target's choices.
std::unique_ptr<mlir::Pass> createChooseWinograd(const Choices &choices);

/// LayWeights with a target's choice.
std::unique_ptr<mlir::Pass> createLayWeights(PanelWidth panelWidth);

#define GEN_PASS_REGISTRATION
#include "compiler/passes/Passes.h.inc"

/// Where the pipeline may stop: the module as it leaves a station.
enum class Station { Imported, Typed, Split, Differentiated, Optimized, Grouped, Planned };

/// Adds the passes up to and with `last`.
void buildPipeline(mlir::OpPassManager &manager, Station last, const Choices &choices);

/// Adds the passes that unfold the loops of train blocks and differentiate them, for readers (`-emit=nn-bptt`).
void buildUnfoldingPipeline(mlir::OpPassManager &manager);

} // namespace nnc

#endif // NNC_COMPILER_PASSES_PASSES_H
