//===- peak.cpp - How fast the machine multiplies and adds ----------------===//
//
// Two pipes with a latency of four cycles need eight independent sums; twelve
// leave room for processors that are deeper or wider.
//
//===----------------------------------------------------------------------===//

#include "peak.h"

#include <immintrin.h>

namespace nnc::bench {

namespace {
constexpr int Sums = 12;
volatile float sink;
} // namespace

__attribute__((target("avx2,fma"))) int64_t multiplyAddAvx2(int64_t rounds) {
  __m256 sums[Sums];
  for (int i = 0; i < Sums; ++i)
    sums[i] = _mm256_set1_ps(static_cast<float>(i));
  __m256 factor = _mm256_set1_ps(0.999f), term = _mm256_set1_ps(0.001f);
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < Sums; ++i)
      sums[i] = _mm256_fmadd_ps(sums[i], factor, term);
    // Keeps the loop from being folded; costs no instruction.
    asm volatile("" : "+x"(factor), "+x"(term));
  }
  __m256 all = sums[0];
  for (int i = 1; i < Sums; ++i)
    all = _mm256_add_ps(all, sums[i]);
  sink = _mm256_cvtss_f32(all);
  return rounds * Sums * 8 * 2;
}

__attribute__((target("avx512f"))) int64_t multiplyAddAvx512(int64_t rounds) {
  __m512 sums[Sums];
  for (int i = 0; i < Sums; ++i)
    sums[i] = _mm512_set1_ps(static_cast<float>(i));
  __m512 factor = _mm512_set1_ps(0.999f), term = _mm512_set1_ps(0.001f);
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < Sums; ++i)
      sums[i] = _mm512_fmadd_ps(sums[i], factor, term);
    asm volatile("" : "+v"(factor), "+v"(term));
  }
  __m512 all = sums[0];
  for (int i = 1; i < Sums; ++i)
    all = _mm512_add_ps(all, sums[i]);
  sink = _mm512_cvtss_f32(all);
  return rounds * Sums * 16 * 2;
}

bool hasAvx512() { return __builtin_cpu_supports("avx512f"); }

} // namespace nnc::bench
