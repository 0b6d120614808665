/*===- peak.c - What the machine can do --------------------------------------===*\
 *
 * All threads of a model work at once, as kernels do, so that the clock is the one that
 * they get.
 *
\*===----------------------------------------------------------------------===*/

#include "internal.h"
#include "multiply_add.h"
#include "profile.h"

#include <stdlib.h>
#include <string.h>

#define NNC_ROUNDS 100000
#define NNC_REPEATS 3
/** More than any cache holds. */
#define NNC_STREAM_BYTES ((size_t)64 << 20)

/** What each thread is given. */
typedef struct nnc_exercise {
  nnc_isa isa;
  char *memory;
  size_t part;       /**< bytes of a thread's */
  double operations; /**< that one thread did */
} nnc_exercise;

static int nnc_exercise_pipes(void *data, int thread) {
  nnc_exercise *exercise = data;
  double operations = nnc_multiply_add(exercise->isa, NNC_ROUNDS);
  if (thread == 0)
    exercise->operations = operations;
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
  nnc_peak peak = {0, 0};
  double seconds = nnc_time_exercise(model, nnc_exercise_pipes, &exercise);
  peak.flops = threads * exercise.operations / seconds;
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
