/*===- kernel_loops.c - Parallel loops of kernels ----------------------------===*\
 *
 * A loop runs in the calling thread where its work is too little to share, else on
 * the caller's own threads, or on the shared pool (threads.c) where there are none.
 *
\*===----------------------------------------------------------------------===*/

#include "float_mode.h"
#include "internal.h"

#include <limits.h>

typedef struct nnc_kernel_loop {
  void *user_context;
  int (*task)(void *user_context, int index, uint8_t *closure);
  int min;
  uint8_t *closure;
} nnc_kernel_loop;

static int nnc_kernel_task(void *data, int index) {
  const nnc_kernel_loop *loop = data;
  return loop->task(loop->user_context, loop->min + index, loop->closure);
}

/** The same for threads of the caller's, which may round as they like. */
static int nnc_foreign_task(void *data, int index) {
  unsigned mode = nnc_float_mode_set();
  int code = nnc_kernel_task(data, index);
  nnc_float_mode_restore(mode);
  return code;
}

/** Whether a loop goes backward: every second of the same kernel in a thread. A step of a recurrent network reads the
 * weights of the step before, of which the cache holds those that were read last: read in the same order they would
 * be gone when their turn comes. An LSTM of 256, whose weights are as large as L2 (1 MB), gains 7 %. */
static bool nnc_goes_backward(int (*task)(void *user_context, int index, uint8_t *closure)) {
  static _Thread_local uint64_t turns; /* one bit for each kernel, or for several */
  uint64_t bit = UINT64_C(1) << ((uintptr_t)task * UINT64_C(0x9e3779b97f4a7c15) >> 58);
  turns ^= bit;
  return !(turns & bit);
}

/** Runs the loop of a kernel in the calling thread. Steps of small networks have little but such loops. */
static int nnc_run_kernel_alone(const nnc_kernel_loop *loop, int size, bool backward) {
  unsigned mode = nnc_float_mode_set();
  int code = 0, step = backward ? -1 : 1;
  for (int index = loop->min + (backward ? size - 1 : 0), left = size; left > 0 && !code; --left, index += step)
    code = loop->task(loop->user_context, index, loop->closure);
  nnc_float_mode_restore(mode);
  return code;
}

int nnc_kernel_parallel_for(void *user_context, int (*task)(void *user_context, int index, uint8_t *closure), int min,
                            int size, uint8_t *closure) {
  const nnc_tasks *tasks = user_context;
  nnc_kernel_loop loop = {user_context, task, min, closure};
  if (tasks->parallel_for && size > 1 && tasks->work >= 2 * NNC_WORK_OF_THREAD)
    return tasks->parallel_for(tasks->parallel_user, nnc_foreign_task, &loop, size);
  bool backward = size > 1 && nnc_goes_backward(task);
  if (!nnc_is_worth_sharing(size, tasks->work))
    return nnc_run_kernel_alone(&loop, size, backward);
  return nnc_pool_run(nnc_kernel_task, &loop, size, backward, tasks->work);
}

int nnc_kernel_threads(void *user_context) {
  const nnc_tasks *tasks = user_context;
  int64_t worth = tasks->work / NNC_WORK_OF_THREAD;
  int most = tasks->parallel_for ? INT_MAX : nnc_threads();
  return worth < 1 ? 1 : worth < most ? (int)worth : most;
}
