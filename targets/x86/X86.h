//===- X86.h - x86-64 with AVX2 or AVX-512 --------------------------------===//

#ifndef NNC_TARGETS_X86_X86_H
#define NNC_TARGETS_X86_X86_H

#include "targets/Target.h"

namespace nnc::targets {

const Target &getX86();

namespace x86 {

void scheduleDense(Group &group, const Isa &isa, int64_t minRows);
void scheduleDenseGradient(Group &group, const Isa &isa);
void scheduleConv(Group &group, const Isa &isa);

/// By tiles where that is well faster; the file has the model of what it costs.
ConvForm chooseConvForm(const ConvShape &conv);

/// Convolution by tiles, and its weights. False for other groups.
bool scheduleWinograd(Group &group, const Isa &isa);

/// Tiles of an image with so many channels whose transform stays in L2.
int64_t countTilesInCache(int64_t channels);
void scheduleConvGradient(Group &group, const Isa &isa);
void schedulePool(Group &group, const Isa &isa);
void scheduleElementwise(Group &group, const Isa &isa);
void scheduleReduce(Group &group, const Isa &isa);
void scheduleReshape(Group &group, const Isa &isa);

/// How many threads share the loop of this kernel, at run time.
Halide::Expr countThreads();

/// Makes several loops of a Func one, the first innermost, and gives that.
Halide::Var fuseLoops(Halide::Func func, const std::vector<Halide::Var> &loops);

/// Makes the loops of a result from number `first` on one loop, and of it a parallel loop
/// of chunks: a task has some ten thousand elements, if rows are so short.
void parallelizeOuter(const Stage &out, size_t first);

/// Most bytes of a stage on the stack.
constexpr int64_t maxStackBytes = 256 << 10;

/// Keeps a stage on the stack: Halide puts more than 16 KB on the heap unless it
/// is told registers, which on a processor are the stack.
constexpr Halide::MemoryType onStack = Halide::MemoryType::Register;

/// Whether a spatial dimension of a padded image is known only at the call.
bool hasFreeWindow(const Stage &padded);

/// Right for any group, and vectorized where that is plain.
void scheduleDefault(Group &group, const Isa &isa);

} // namespace x86

} // namespace nnc::targets

#endif // NNC_TARGETS_X86_X86_H
