/*===- segments.c - Checkpoints in time ----------------------------------------===*
 *
 * A function that computes segments of a sequence anew on the way back is told how
 * many there are, and of how many steps: as long as their number is large, or as few as
 * a bound on the workspace permits. The fewer, the less of a sequence is gone through
 * past its end; of one segment all steps are kept.
 *
 * The choice depends on the dims of the call alone, so that the context's room does not
 * change the order of sums.
 *
\*===----------------------------------------------------------------------===*/

#include "internal.h"

#include <math.h>

/** What the function's train block says of checkpoints; 0 when it keeps every step. */
static int64_t nnc_checkpoint(const nnc_network *network, const nnc_function *function) {
  for (int32_t i = 0; i < network->train_count; ++i)
    if (function == &network->functions[network->trains[i].gradients])
      return network->trains[i].checkpoint;
  return 0;
}

static int64_t nnc_divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/** Sets the dims of one length. */
static void nnc_segments_set(const nnc_network *network, int32_t length, int64_t steps, int64_t *dims) {
  int64_t *place = dims + 1 + network->free_dim_count + 2 * length;
  place[0] = nnc_divide_up(dims[1 + length], steps);
  place[1] = steps;
}

/** The least s with s s >= n. */
static int64_t nnc_root_up(int64_t n) {
  int64_t root = (int64_t)sqrt((double)n);
  while (root * root < n)
    ++root;
  while (root > 1 && (root - 1) * (root - 1) >= n)
    --root;
  return root;
}

/** At most so many segments of each sequence; gives the workspace, negative when it is too large. */
static int64_t nnc_segments_try(const nnc_network *network, const nnc_function *function, int64_t count, int64_t *dims,
                                int64_t *offsets) {
  for (int32_t i = 0; i < network->free_dim_count; ++i)
    nnc_segments_set(network, i, nnc_divide_up(dims[1 + i], count < dims[1 + i] ? count : dims[1 + i]), dims);
  function->plan(dims, offsets);
  return offsets[function->offset_count];
}

/** The next number of segments at which one of the sequences has shorter ones; 0 when
 * all have one step. */
static int64_t nnc_segments_after(const nnc_network *network, const int64_t *dims) {
  int64_t next = 0;
  for (int32_t i = 0; i < network->free_dim_count; ++i) {
    int64_t steps = dims[1 + network->free_dim_count + 2 * i + 1];
    int64_t count = steps > 1 ? nnc_divide_up(dims[1 + i], steps - 1) : 0;
    if (count > 0 && (next == 0 || count < next))
      next = count;
  }
  return next;
}

/** As few segments as `bytes` permit; where none do, those that take least. */
static void nnc_segments_fit(const nnc_network *network, const nnc_function *function, int64_t bytes, int64_t *dims,
                             int64_t *offsets) {
  int64_t best = 1, least = INT64_MAX;
  for (int64_t count = 1; count > 0; count = nnc_segments_after(network, dims)) {
    int64_t size = nnc_segments_try(network, function, count, dims, offsets);
    if (size >= 0 && size <= bytes)
      return;
    if (size >= 0 && size < least) {
      least = size;
      best = count;
    }
  }
  nnc_segments_try(network, function, best, dims, offsets);
}

void nnc_segments_choose(const nnc_network *network, const nnc_function *function, int64_t *dims, int64_t *offsets) {
  int64_t checkpoint = nnc_checkpoint(network, function);
  if (checkpoint == 0)
    return;
  if (checkpoint > 0) {
    nnc_segments_fit(network, function, checkpoint, dims, offsets);
    return;
  }
  for (int32_t i = 0; i < network->free_dim_count; ++i)
    nnc_segments_set(network, i, nnc_root_up(dims[1 + i]), dims);
  function->plan(dims, offsets);
}

/* A shorter sequence needs no more than a longer one divided into as many segments, so
 * the least that a call can take grows with its dims, but not what is chosen. */
int64_t nnc_segments_reserve(const nnc_network *network, const nnc_function *function, int64_t *dims,
                             int64_t *offsets) {
  nnc_segments_choose(network, function, dims, offsets);
  int64_t checkpoint = nnc_checkpoint(network, function), size = offsets[function->offset_count];
  if (checkpoint <= 0 || size < 0)
    return size;
  int64_t whole = nnc_segments_try(network, function, 1, dims, offsets);
  return size == whole || size > checkpoint ? size : checkpoint;
}
