//===- Gpu.h - What CUDA and OpenCL share ---------------------------------===//

#ifndef NNC_TARGETS_GPU_GPU_H
#define NNC_TARGETS_GPU_GPU_H

#include "targets/Target.h"

namespace nnc::targets {

/// A target whose kernels run on a device: panels, variants and schedules are those of
/// this folder.
class Gpu : public Target {
public:
  Machine machine() const override;
  int64_t panelWidth(Family family, int64_t columns) const override;
  ConvForm convForm(const ConvShape &conv) const override;
  std::vector<int64_t> variants(const KernelShape &shape) const override;
  void schedule(Group &group, const Isa &isa, int64_t minRows) const override;
};

namespace gpu {

/// One function a family: schedules all stages of a group.
void scheduleDense(Group &group, int64_t minRows);
void scheduleConv(Group &group, int64_t minRows);

/// Convolution by tiles, and what it transforms. False for other groups.
bool scheduleWinograd(Group &group, int64_t minRows);

/// By tiles where that is well faster; the file has the model of what it costs.
ConvForm chooseConvForm(const ConvShape &conv, const Machine &machine);

void scheduleReduce(Group &group);
void scheduleReshape(Group &group);

/// Right for any group: a thread for each element of the result.
void scheduleDefault(Group &group);

/// A kernel of its own that has a thread for each point of these loops, in blocks of so many; 0: of as many as suit the
/// points. Gives the loop in which a thread computes its point.
Halide::Var launchPoints(Halide::Func func, const std::vector<Loop> &loops, int threads = 0);

/// A result whose sums are in panels, by blocks of threads that share what they add up: for
/// rows of the result, of which there are at least so many. False for other groups.
bool schedulePanels(Group &group, int64_t minRows);

/// Makes one loop of several, be they of a reduction, the first of them innermost.
template <typename Definition, typename Variable>
Variable fuseAll(Definition &definition, const std::vector<Variable> &vars, const std::string &name = "points") {
  Variable all = vars[0];
  for (size_t i = 1; i < vars.size(); ++i) {
    Variable next(name + std::to_string(i));
    definition.fuse(all, vars[i], next);
    all = next;
  }
  return all;
}

/// The same of a definition that adds to the Func.
void launchUpdate(Halide::Stage update, const std::vector<Loop> &loops);

/// A kernel of its own that has sums in registers and stores them once.
void launchAlone(Halide::Func sums, const std::vector<Loop> &loops);

/// How many terms each of so many parts of a loop has; the last may have fewer.
Halide::Expr countTermsOfPart(const ReductionLoop &loop, int64_t parts);

/// Sums that several results need, in kernels of their own. Long sums of few points are
/// cut in parts, as many for any sizes at run time.
void launchSums(Stage &stage, Group &group);

/// Whether a stage is needed at the one point of the result that a thread computes.
bool isOfPoint(const Stage &stage, const Group &group);

} // namespace gpu

} // namespace nnc::targets

#endif // NNC_TARGETS_GPU_GPU_H
