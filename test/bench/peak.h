//===- peak.h - How fast the machine multiplies and adds ------------------===//

#ifndef NNC_BENCH_PEAK_H
#define NNC_BENCH_PEAK_H

#include <cstdint>

namespace nnc::bench {

/// Fused multiply-adds on registers alone, enough of them in flight to hide
/// their latency, `rounds` times. Gives the number of floating-point
/// operations done; a multiply-add is two.
int64_t multiplyAddAvx2(int64_t rounds);
int64_t multiplyAddAvx512(int64_t rounds);

/// Whether this processor has AVX-512 (foundation).
bool hasAvx512();

} // namespace nnc::bench

#endif // NNC_BENCH_PEAK_H
