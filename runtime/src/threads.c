/*===- threads.c - The pool that all models share ----------------------------===*\
 *
 * A loop is cut into one range a thread, the caller's included, so that a thread
 * works on neighbouring data and finds it in its cache at the next loop. Workers
 * wait for the next loop by spinning for as long as it takes to wake a thread,
 * then asleep. When the caller is done it takes the ranges that no worker has
 * begun: a loop never waits for a thread that is asleep or has no processor. The
 * pool runs one loop at a time: whoever finds it busy, a task of the running loop
 * included, runs its own loop alone.
 *
 * Measured on two cores of an EPYC (Zen 4): handing a loop to a spinning worker
 * costs 0.2 us, to a sleeping one 8 us, and it begins 25 us later. Two threads
 * gain 1.95 times on loops of 10 us that follow each other; on a loop of 300 us
 * 2.0 times, or 1.8 when the worker slept. That breaks even at 30 us, so nobody is
 * woken for less.
 *
\*===----------------------------------------------------------------------===*/

#include "float_mode.h"
#include "internal.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define NNC_MAX_THREADS 256
#define NNC_SPIN_NANOSECONDS 50000

/** Operations, in loops that follow each other, that are worth waking threads. */
#define NNC_WORK_TO_WAKE 1000000

typedef struct nnc_worker {
  /** Odd: a share of the loop is here for who takes it; even: none is. */
  _Alignas(128) _Atomic uint32_t ticket;
  _Atomic bool asleep;
  int avoided; /**< the processor that it stays away from, or -1 */
  pthread_t thread;
} nnc_worker;

typedef struct nnc_loop {
  nnc_task task;
  void *data;
  int count;
  int threads;
  bool backward; /**< each thread goes from its last task to its first */
} nnc_loop;

/** Whoever set `busy` owns everything but the atomics, the workers included. */
static struct nnc_pool {
  atomic_flag busy;
  _Atomic int wanted; /**< what nnc_set_threads was told */
  int worker_count;
  bool handles_fork;
  cpu_set_t processors; /**< of the thread that started the workers */
  int64_t missed_work;  /**< of loops that let workers sleep, one soon after the other */
  int64_t missed_at;    /**< when the last of them came */
  nnc_loop loop;
  _Atomic bool stop;
  _Atomic bool waiting;                   /**< the caller is asleep until `running` is 0 */
  _Alignas(128) _Atomic uint32_t running; /**< shares that are not finished, but the caller's own */
  _Atomic int result;
} pool = {.busy = ATOMIC_FLAG_INIT};
static nnc_worker workers[NNC_MAX_THREADS - 1];

/*--- Waiting ---------------------------------------------------------------*/

static int64_t nnc_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void nnc_pause(void) {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

/** Spins a while for a word to be another than `seen`: whether it was. */
static bool nnc_spin(_Atomic uint32_t *word, uint32_t seen) {
  for (int64_t end = nnc_now() + NNC_SPIN_NANOSECONDS; nnc_now() < end;)
    for (int i = 0; i < 32; ++i) {
      if (atomic_load_explicit(word, memory_order_acquire) != seen)
        return true;
      nnc_pause();
    }
  return false;
}

/** Sleeps until woken, unless the word is another than `seen`. */
static void nnc_sleep(_Atomic uint32_t *word, uint32_t seen) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void nnc_wake(_Atomic uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0); }

/** Waits until a worker has a ticket that is odd, and gives it. */
static uint32_t nnc_wait_for_ticket(nnc_worker *worker) {
  uint32_t seen = atomic_load(&worker->ticket);
  if (seen % 2 == 0 && !nnc_spin(&worker->ticket, seen)) {
    /* Either this sees the new ticket, or the one who wrote it sees `asleep`. */
    atomic_store(&worker->asleep, true);
    while (atomic_load(&worker->ticket) == seen)
      nnc_sleep(&worker->ticket, seen);
    atomic_store(&worker->asleep, false);
  }
  return atomic_load(&worker->ticket);
}

/** Waits until every share is finished. */
static void nnc_wait_for_shares(void) {
  uint32_t running = atomic_load(&pool.running);
  while (running != 0 && nnc_spin(&pool.running, running))
    running = atomic_load(&pool.running);
  if (running == 0)
    return;
  atomic_store(&pool.waiting, true);
  while ((running = atomic_load(&pool.running)) != 0)
    nnc_sleep(&pool.running, running);
  atomic_store(&pool.waiting, false);
}

/*--- Loops -----------------------------------------------------------------*/

/** Runs the tasks of [begin, end) in the calling thread, until one fails: the code of that one, or 0. */
static int nnc_run_range(const nnc_loop *loop, int begin, int end) {
  unsigned mode = nnc_float_mode_set();
  int code = 0;
  for (int i = 0; i < end - begin && !code; ++i)
    code = loop->task(loop->data, loop->backward ? end - 1 - i : begin + i);
  nnc_float_mode_restore(mode);
  return code;
}

/** Runs the range of one thread. The first failure is the loop's result. */
static void nnc_run_share(const nnc_loop *loop, int thread) {
  int begin = (int)((int64_t)loop->count * thread / loop->threads);
  int end = (int)((int64_t)loop->count * (thread + 1) / loop->threads);
  int none = 0, code = nnc_run_range(loop, begin, end);
  if (code)
    atomic_compare_exchange_strong(&pool.result, &none, code);
}

/** Takes the share that a worker was handed, unless it is taken: exactly one
 * thread takes each ticket. */
static bool nnc_take_share(nnc_worker *worker, uint32_t ticket) {
  return ticket % 2 == 1 && atomic_compare_exchange_strong(&worker->ticket, &ticket, ticket + 1);
}

/** Runs the share of a worker, who may be asleep still: then the caller does. */
static void nnc_finish_share(const nnc_worker *worker) { nnc_run_share(&pool.loop, (int)(worker - workers) + 1); }

static void *nnc_worker_main(void *argument) {
  nnc_worker *worker = argument;
  for (;;) {
    uint32_t ticket = nnc_wait_for_ticket(worker);
    if (atomic_load(&pool.stop))
      return NULL;
    if (!nnc_take_share(worker, ticket))
      continue;
    nnc_finish_share(worker);
    if (atomic_fetch_sub(&pool.running, 1) == 1 && atomic_load(&pool.waiting))
      nnc_wake(&pool.running);
  }
}

/** Keeps a worker off the caller's processor, where it would wait for the caller
 * rather than work beside it: a system that wakes a thread on the waker's
 * processor takes milliseconds to find it another. */
static void nnc_move_away(nnc_worker *worker, int processor) {
  if (worker->avoided == processor || processor < 0)
    return;
  cpu_set_t set = pool.processors;
  CPU_CLR((size_t)processor, &set);
  if (CPU_COUNT(&set) > 0 && pthread_setaffinity_np(worker->thread, sizeof set, &set) == 0)
    worker->avoided = processor;
}

/** Whether to wake workers for a loop: for a large one, or after many small ones
 * that would have found them awake. */
static bool nnc_is_worth_waking(int64_t work) {
  int64_t now = nnc_now();
  if (now - pool.missed_at > NNC_SPIN_NANOSECONDS)
    pool.missed_work = 0;
  pool.missed_at = now;
  if (work < NNC_WORK_TO_WAKE && (pool.missed_work += work) < NNC_WORK_TO_WAKE)
    return false;
  pool.missed_work = 0;
  return true;
}

/** Hands shares, or the wish to stop, to the first workers, with so much work. */
static void nnc_post(int count, int64_t work) {
  bool asleep = false;
  for (int i = 0; i < count; ++i) {
    atomic_fetch_add(&workers[i].ticket, 1);
    asleep |= atomic_load(&workers[i].asleep);
  }
  if (!asleep || !nnc_is_worth_waking(work))
    return;
  int here = sched_getcpu();
  for (int i = 0; i < count; ++i)
    if (atomic_load(&workers[i].asleep)) {
      nnc_move_away(&workers[i], here);
      nnc_wake(&workers[i].ticket);
    }
}

/** Runs the shares that no worker has begun, since one who sleeps or waits for a
 * processor would be longer about it. */
static void nnc_take_back(int count) {
  for (int i = count; i-- > 0;)
    if (nnc_take_share(&workers[i], atomic_load(&workers[i].ticket))) {
      nnc_finish_share(&workers[i]);
      atomic_fetch_sub(&pool.running, 1);
    }
}

/*--- Workers ---------------------------------------------------------------*/

static void nnc_stop_workers(void) {
  atomic_store(&pool.stop, true);
  nnc_post(pool.worker_count, INT64_MAX);
  for (int i = 0; i < pool.worker_count; ++i)
    pthread_join(workers[i].thread, NULL);
  atomic_store(&pool.stop, false);
  pool.worker_count = 0;
}

/** In a child process there is no thread but the one that forked. */
static void nnc_forget_workers(void) {
  pool.worker_count = 0;
  atomic_store(&pool.stop, false);
  atomic_store(&pool.waiting, false);
  atomic_flag_clear(&pool.busy);
}

/** Starts workers until there are that many, or the system gives no more. They
 * leave signals to the threads of the program. */
static void nnc_start_workers(int count) {
  sigset_t all, old;
  if (!pool.handles_fork)
    pool.handles_fork = pthread_atfork(NULL, NULL, nnc_forget_workers) == 0;
  CPU_ZERO(&pool.processors);
  sched_getaffinity(0, sizeof pool.processors, &pool.processors);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  for (int i = pool.worker_count; i < count; ++i) {
    nnc_worker *worker = &workers[i];
    atomic_store(&worker->ticket, 0);
    atomic_store(&worker->asleep, false);
    worker->avoided = -1;
    if (pthread_create(&worker->thread, NULL, nnc_worker_main, worker) != 0)
      break;
    pool.worker_count = i + 1;
  }
  pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/** Makes as many workers as nnc_set_threads asked for. */
static void nnc_fit_workers(void) {
  int count = nnc_threads() - 1;
  if (count < pool.worker_count)
    nnc_stop_workers();
  if (count > pool.worker_count)
    nnc_start_workers(count);
}

/** A library can be unloaded while the program goes on. */
__attribute__((destructor)) static void nnc_close_pool(void) {
  if (atomic_flag_test_and_set(&pool.busy))
    return;
  nnc_stop_workers();
  atomic_flag_clear(&pool.busy);
}

/*--- What others call ------------------------------------------------------*/

nnc_status nnc_set_threads(int count) {
  if (count < 0)
    return NNC_INVALID_ARGUMENT;
  atomic_store(&pool.wanted, count < NNC_MAX_THREADS ? count : NNC_MAX_THREADS);
  return NNC_OK;
}

/** The processors that this process may run on. */
static int nnc_processors(void) {
  static _Atomic int known;
  int count = atomic_load(&known);
  if (count == 0) {
    cpu_set_t set;
    count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    count = count < 1 ? 1 : count > NNC_MAX_THREADS ? NNC_MAX_THREADS : count;
    atomic_store(&known, count);
  }
  return count;
}

int nnc_threads(void) {
  int count = atomic_load(&pool.wanted);
  return count ? count : nnc_processors();
}

void nnc_pool_prepare(void) {
  if (atomic_flag_test_and_set(&pool.busy))
    return;
  nnc_fit_workers();
  atomic_flag_clear(&pool.busy);
}

int nnc_pool_run(nnc_task task, void *data, int count, bool backward, int64_t work) {
  nnc_loop loop = {task, data, count, 1, backward};
  if (!nnc_is_worth_sharing(count, work) || atomic_flag_test_and_set(&pool.busy))
    return nnc_run_range(&loop, 0, count);
  int64_t most = work / NNC_WORK_OF_THREAD;
  nnc_fit_workers();
  int threads = pool.worker_count + 1;
  threads = threads < count ? threads : count;
  threads = threads < most ? threads : (int)most;
  loop.threads = threads;
  pool.loop = loop;
  atomic_store(&pool.result, 0);
  atomic_store(&pool.running, (uint32_t)threads - 1);
  nnc_post(threads - 1, work);
  nnc_run_share(&pool.loop, 0);
  nnc_take_back(threads - 1);
  nnc_wait_for_shares();
  int result = atomic_load(&pool.result);
  atomic_flag_clear(&pool.busy);
  return result;
}

int nnc_model_parallel_for(const nnc_model *model, nnc_task task, void *data, int count) {
  if (model->parallel_for && count > 1)
    return model->parallel_for(model->parallel_user, task, data, count);
  return nnc_pool_run(task, data, count, /*backward=*/false, INT64_MAX);
}
