/*===- multiply_add.c - How fast the machine multiplies and adds ------------===*\
 *
 * Two pipes with a latency of four cycles need eight independent sums; twelve leave
 * room for processors that are deeper or wider.
 *
\*===----------------------------------------------------------------------===*/

#include "multiply_add.h"

#define NNC_SUMS 12

/* GCC's vectors, so that one text serves both sets of instructions. */
typedef float nnc_vector8 __attribute__((vector_size(32)));
typedef float nnc_vector16 __attribute__((vector_size(64)));

#if defined(__x86_64__)
#define NNC_TARGET(name) __attribute__((target(name)))
#else
#define NNC_TARGET(name)
#endif

/** sums = sums * factor + term, again and again. The assembly keeps the loop from being
 * folded and costs no instruction. */
#define NNC_MULTIPLY_ADD(name, target, vector)                                                                         \
  NNC_TARGET(target) static float name(int64_t rounds) {                                                               \
    vector sums[NNC_SUMS], factor = {0}, term = {0};                                                                   \
    factor += 0.999f;                                                                                                  \
    term += 0.001f;                                                                                                    \
    for (int i = 0; i < NNC_SUMS; ++i)                                                                                 \
      sums[i] = term * (float)i;                                                                                       \
    for (int64_t round = 0; round < rounds; ++round) {                                                                 \
      _Pragma("GCC unroll 12") for (int i = 0; i < NNC_SUMS; ++i) sums[i] = sums[i] * factor + term;                   \
      __asm__ volatile("" : "+x"(factor), "+x"(term));                                                                 \
    }                                                                                                                  \
    float total = 0;                                                                                                   \
    for (int i = 0; i < NNC_SUMS; ++i)                                                                                 \
      total += sums[i][0];                                                                                             \
    return total;                                                                                                      \
  }

NNC_MULTIPLY_ADD(nnc_multiply_add_avx2, "avx2,fma", nnc_vector8)
NNC_MULTIPLY_ADD(nnc_multiply_add_avx512, "avx512f", nnc_vector16)

/** So that sums are computed. */
static _Thread_local volatile float nnc_sink;

double nnc_multiply_add(nnc_isa isa, int64_t rounds) {
  nnc_sink = isa == NNC_ISA_AVX512 ? nnc_multiply_add_avx512(rounds) : nnc_multiply_add_avx2(rounds);
  double lanes = isa == NNC_ISA_AVX512 ? 16 : 8;
  return (double)rounds * NNC_SUMS * lanes * 2;
}
