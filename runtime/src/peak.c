/*===- peak.c - What the machine can do --------------------------------------===*\
 *
 * Two pipes with a latency of four cycles need eight independent sums; twelve leave
 * room for processors that are deeper or wider. All threads of a model work at once,
 * as kernels do, so that the clock is the one that they get.
 *
\*===----------------------------------------------------------------------===*/

#include "internal.h"
#include "profile.h"

#include <stdlib.h>
#include <string.h>

#define NNC_SUMS 12
#define NNC_ROUNDS 100000
#define NNC_REPEATS 3
/** More than any cache holds. */
#define NNC_STREAM_BYTES ((size_t)64 << 20)

/** What each thread is given. */
typedef struct nnc_exercise {
  nnc_isa isa;
  char *memory;
  size_t part; /**< bytes of a thread's */
} nnc_exercise;

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
  NNC_TARGET(target) static float name(void) {                                                                         \
    vector sums[NNC_SUMS], factor = {0}, term = {0};                                                                   \
    factor += 0.999f;                                                                                                  \
    term += 0.001f;                                                                                                    \
    for (int i = 0; i < NNC_SUMS; ++i)                                                                                 \
      sums[i] = term * (float)i;                                                                                       \
    for (int round = 0; round < NNC_ROUNDS; ++round) {                                                                 \
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

static int nnc_exercise_pipes(void *data, int thread) {
  const nnc_exercise *exercise = data;
  (void)thread;
  nnc_sink = exercise->isa == NNC_ISA_AVX512 ? nnc_multiply_add_avx512() : nnc_multiply_add_avx2();
  return 0;
}

static int nnc_exercise_memory(void *data, int thread) {
  nnc_exercise *exercise = data;
  char *from = exercise->memory + (size_t)thread * exercise->part;
  memcpy(from, from + exercise->part / 2, exercise->part / 2);
  return 0;
}

/** The least seconds of some runs on all threads. */
static double nnc_time_exercise(const nnc_model *model, nnc_task task, nnc_exercise *exercise) {
  double best = 0;
  for (int i = 0; i < NNC_REPEATS; ++i) {
    int64_t begin = nnc_now();
    nnc_model_parallel_for(model, task, exercise, nnc_threads());
    double seconds = (double)(nnc_now() - begin) * 1e-9;
    if (i == 0 || seconds < best)
      best = seconds;
  }
  return best > 0 ? best : 1e-9;
}

nnc_peak nnc_measure_peak(const nnc_model *model) {
  double threads = nnc_threads();
  nnc_exercise exercise = {.isa = model->isa};
  double lanes = model->isa == NNC_ISA_AVX512 ? 16 : 8;
  nnc_peak peak = {0, 0};
  double seconds = nnc_time_exercise(model, nnc_exercise_pipes, &exercise);
  peak.flops = threads * NNC_ROUNDS * NNC_SUMS * lanes * 2 / seconds;
  exercise.memory = malloc(NNC_STREAM_BYTES);
  if (!exercise.memory)
    return peak;
  memset(exercise.memory, 1, NNC_STREAM_BYTES);
  exercise.part = NNC_STREAM_BYTES / (size_t)threads;
  seconds = nnc_time_exercise(model, nnc_exercise_memory, &exercise);
  peak.bytes = threads * (double)exercise.part / seconds; /* half of it is read, half written */
  free(exercise.memory);
  return peak;
}
