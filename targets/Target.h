//===- Target.h - What a target must do -----------------------------------===//

#ifndef NNC_TARGETS_TARGET_H
#define NNC_TARGETS_TARGET_H

#include "targets/Device.h"
#include "targets/Group.h"

namespace nnc::targets {

/// A set of instructions that kernels are compiled for. One library carries
/// the kernels of several and chooses when a model is created.
struct Isa {
  std::string name;      ///< "avx2", "avx512": part of the kernels' symbols
  Halide::Target target; ///< without runtime, asserts and bounds queries
  int vector;            ///< floats in a register
  /// Of CUDA: what device code is assembled for ("sm_90"). None: it is compiled when it is
  /// loaded.
  std::vector<std::string> architectures = {};
};

/// What decides the variants of a kernel: its anchor's sizes, without Halide.
struct KernelShape {
  Family family;
  bool dynamicRows = false; ///< the outermost extent of the result is an argument
  int64_t columns = 0;      ///< of the innermost dimension of the result
  int64_t reduction = 0;    ///< products summed for each element
};

/// A convolution of an image with a kernel of 3 by 3, in steps of 1.
struct ConvShape {
  int64_t height, width;   ///< of the result
  int64_t inputs, outputs; ///< channels
  int64_t examples = 0;    ///< for which each transform of the kernel serves; 0: for all calls
  bool everywhere = false; ///< whether it is by tiles wherever that is possible, whatever it costs
};

/// How a convolution is computed: by direct sums, or by Winograd's algorithm, F(4x4, 3x3), which transforms the image
/// where it multiplies it, or before. In the order of the passes' ConvForm.
enum class ConvForm { Direct, Tiles, TilesOfTransformed };

/// What one machine of a target can do at most, for the roofline (Williams et al. 2009): typical numbers, not those of
/// the machine at hand.
struct Machine {
  std::string name;
  double operations;       ///< a cycle; a multiplication with an addition counts as two
  double nearBytes;        ///< a cycle, of what a kernel reads and writes while it fits `nearSize`
  double farBytes;         ///< a cycle, of what does not
  double nearSize;         ///< bytes
  double launchCycles = 0; ///< that each kernel takes whatever it does
};

/// A machine that nnc writes code for.
class Target {
public:
  virtual ~Target() = default;
  virtual std::string name() const = 0;
  virtual Device device() const { return Device::Host; }
  virtual std::vector<Isa> isas() const = 0;

  /// What kernels for the last of these can reach.
  virtual Machine machine() const = 0;

  /// Width of the panels in which a contraction's weight with `columns`
  /// outputs is stored: [columns / width][reduction][width], padded with zeros.
  virtual int64_t panelWidth(Family family, int64_t columns) const = 0;

  /// How a convolution is computed fastest.
  virtual ConvForm convForm(const ConvShape &) const { return ConvForm::Direct; }

  /// How many gradients of weights, of rows times the same rows, are best made in one kernel.
  virtual unsigned gradientsInKernel() const { return 1; }

  /// How many rows of kernels go on side by side where they are not told to wait for each other.
  virtual unsigned branches() const { return 1; }

  /// Whether starting a kernel costs more than what it stores for the next one.
  virtual bool fewKernels() const { return device() != Device::Host; }

  /// Whether results of products and of element-wise kernels may lie where operands do that are
  /// read element by element (`Group::inPlace`).
  virtual bool worksInPlace() const { return device() == Device::Host; }

  /// Least rows of each variant, ascending, the first 1: a call with r rows
  /// runs the last variant whose minimum is at most r. {1} when one serves all.
  virtual std::vector<int64_t> variants(const KernelShape &shape) const = 0;

  /// Schedules every stage of a group for rows >= minRows.
  virtual void schedule(Group &group, const Isa &isa, int64_t minRows) const = 0;
};

/// The targets of this build; null when there is none of that name.
const Target *findTarget(const std::string &name);
std::vector<std::string> targetNames();

} // namespace nnc::targets

#endif // NNC_TARGETS_TARGET_H
