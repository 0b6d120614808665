/*===- windows.c - Windows of truncated back-propagation ----------------------===*
 *
 * Window number i has the losses of the steps i k1 to (i + 1) k1, and goes through up
 * to k2 of them, those before its own from states that an earlier window left.
 *
\*===----------------------------------------------------------------------===*/

#include "internal.h"

#include <string.h>

static int64_t nnc_least(int64_t a, int64_t b) { return a < b ? a : b; }

/** x in [0, limit]. */
static int64_t nnc_clamp(int64_t x, int64_t limit) { return x < 0 ? 0 : nnc_least(x, limit); }

/*--- Which steps -----------------------------------------------------------*/

/** The steps of the longest example; of examples without any, those of the call. */
static int64_t nnc_longest(const nnc_context *context) {
  int64_t longest = 0;
  for (int64_t example = 0; example < context->dims[0]; ++example)
    if (context->ragged[0][example] > longest)
      longest = context->ragged[0][example];
  return longest > 0 ? longest : context->dims[1];
}

int64_t nnc_window_count(const nnc_context *context, const nnc_train *train) {
  return (nnc_longest(context) - 1) / train->window_step + 1;
}

nnc_window nnc_window_at(const nnc_context *context, const nnc_train *train, int64_t i) {
  int64_t own = i * train->window_step, end = own + train->window_step, begin = end - train->window_length;
  int64_t next = begin + train->window_step;
  return (nnc_window){begin > 0 ? begin : 0, own, nnc_least(end, nnc_longest(context)), next > 0 ? next : 0};
}

/*--- What a window's function reads ----------------------------------------*/

static void nnc_fill_lists(nnc_context *context, const nnc_window *window, bool whole) {
  int64_t max_batch = context->max_dims[0];
  int32_t *lengths = context->training->window_lists;
  int32_t *lists[NNC_WINDOW_LISTS];
  for (int32_t i = 0; i < NNC_WINDOW_LISTS; ++i)
    lists[i] = lengths + (i + 1) * max_batch;
  for (int64_t example = 0; example < context->dims[0]; ++example) {
    int64_t length = context->ragged[0][example];
    int64_t own = nnc_clamp(length - window->own, window->end - window->own);
    lengths[example] = (int32_t)nnc_clamp(length - window->begin, window->end - window->begin);
    lists[NNC_WINDOW_OWN][example] = (int32_t)own;
    lists[NNC_WINDOW_TOTAL][example] = (int32_t)length;
    lists[NNC_WINDOW_DIVISOR][example] = (int32_t)(whole ? length : own);
    lists[NNC_WINDOW_KEPT][example] = (int32_t)nnc_clamp(window->next - window->begin, window->end - window->begin);
    lists[NNC_WINDOW_FIRST][example] = window->begin == 0;
    /* What has no steps ends before the first. */
    lists[NNC_WINDOW_ENDS][example] = length <= window->end && (own > 0 || (length == 0 && window->own == 0));
  }
}

/** Whether an argument has a step for each of the sequence. */
static bool nnc_is_sequence(const nnc_argument *argument) {
  return !argument->output && argument->rank > 1 && argument->extents[1].dim > 0;
}

/** Bytes of one step of one example. */
static int64_t nnc_step_size(const nnc_argument *argument) {
  int64_t size = argument->element == NNC_TRUTH ? 1 : 4;
  for (int32_t i = 2; i < argument->rank; ++i)
    size *= argument->extents[i].size;
  return size;
}

/** Rounds up to where a next slice can begin. */
static int64_t nnc_slice_size(const nnc_argument *argument, int64_t batch, int64_t steps) {
  return (batch * steps * nnc_step_size(argument) + NNC_ALIGNMENT - 1) / NNC_ALIGNMENT * NNC_ALIGNMENT;
}

void nnc_window_fill(nnc_context *context, const nnc_train *train, const nnc_window *window, bool whole,
                     void *const *arguments) {
  const nnc_function *function = &context->model->network->functions[train->gradients];
  int64_t batch = context->dims[0], steps = window->end - window->begin;
  char *slice = context->training->slices;
  nnc_fill_lists(context, window, whole);
  for (int32_t i = 0; i < function->argument_count; ++i) {
    const nnc_argument *argument = &function->arguments[i];
    context->training->window_arguments[i] = arguments[i];
    if (!nnc_is_sequence(argument))
      continue;
    int64_t size = nnc_step_size(argument);
    const char *from = (const char *)arguments[i] + window->begin * size;
    for (int64_t example = 0; example < batch; ++example)
      memcpy(slice + example * steps * size, from + example * context->dims[1] * size, (size_t)(steps * size));
    context->training->window_arguments[i] = slice;
    slice += nnc_slice_size(argument, batch, steps);
  }
}

/*--- Sizes -----------------------------------------------------------------*/

int64_t nnc_window_limit(const nnc_network *network, const nnc_function *function) {
  for (int32_t i = 0; i < network->train_count; ++i)
    if (network->trains[i].window_length > 0 && function == &network->functions[network->trains[i].gradients])
      return network->trains[i].window_length;
  return INT64_MAX;
}

int32_t nnc_window_argument_count(const nnc_network *network) {
  int32_t most = 0;
  for (int32_t i = 0; i < network->train_count; ++i) {
    const nnc_function *function = &network->functions[network->trains[i].gradients];
    if (network->trains[i].window_length > 0 && function->argument_count > most)
      most = function->argument_count;
  }
  return most;
}

int64_t nnc_window_slices_size(const nnc_network *network, int64_t max_batch, const int64_t *max_lengths) {
  int64_t largest = 0;
  for (int32_t i = 0; i < network->train_count; ++i) {
    if (network->trains[i].window_length == 0)
      continue;
    const nnc_function *function = &network->functions[network->trains[i].gradients];
    int64_t size = 0, steps = nnc_least(max_lengths[0], network->trains[i].window_length);
    for (int32_t a = 0; a < function->argument_count; ++a)
      if (nnc_is_sequence(&function->arguments[a]))
        size += nnc_slice_size(&function->arguments[a], max_batch, steps);
    largest = size > largest ? size : largest;
  }
  return largest;
}
