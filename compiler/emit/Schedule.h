//===- Schedule.h - How a kernel is computed, in short --------------------===//

#ifndef NNC_COMPILER_EMIT_SCHEDULE_H
#define NNC_COMPILER_EMIT_SCHEDULE_H

#include "targets/Target.h"

namespace nnc::emit {

/// A line for each stage of a scheduled group: "sums at task: k, unrolled r x8, vectorized lane x16". Of a kernel for a
/// device also one for each launch, with its blocks, threads and shared memory. Throws what Halide throws.
std::string printSchedule(const targets::Group &group, const std::string &symbol, const targets::Isa &isa);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_SCHEDULE_H
