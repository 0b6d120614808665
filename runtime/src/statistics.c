/*===- statistics.c - What becomes of values and errors in training ------------===*\
 *
 * Of networks that were compiled with -gradient-stats. Their gradients leave numbers
 * of each layer in the context's states of training; how errors flow back is a
 * function of its own.
 *
\*===----------------------------------------------------------------------===*/

#include "float_mode.h"
#include "offload.h"

#include <math.h>
#include <string.h>

int32_t nnc_statistics_count(const nnc_network *network, int32_t train) {
  return train >= 0 && train < nnc_train_count(network) ? network->trains[train].statistic_count : 0;
}

/** Whether a train block records statistics; the context's message says why not. */
static nnc_status nnc_statistics_check(nnc_context *context, int32_t train) {
  nnc_status status = nnc_training_check(context, train);
  if (status != NNC_OK)
    return status;
  const nnc_train *block = &context->model->network->trains[train];
  if (!block->statistics)
    return nnc_fail(context->message, NNC_UNSUPPORTED, "%s: the network was compiled without -gradient-stats",
                    block->name);
  if (context->training->recorded != train + 1)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s: its gradients were not the last to be computed",
                    block->name);
  return NNC_OK;
}

/** A number of a layer, from the first of the states; -1 where it has none. */
static float nnc_number_at(const char *states, int64_t place) {
  float number = -1;
  if (place >= 0)
    memcpy(&number, states + place, sizeof number);
  return number;
}

/** The numbers of all layers, for the host to read. */
static nnc_status nnc_statistics_fetch(nnc_context *context, const nnc_train *block, char **out_states) {
  int64_t end = 0;
  for (int32_t i = 0; i < block->statistic_count; ++i) {
    const nnc_statistic *row = &block->statistics[i];
    const int64_t places[] = {row->not_finite, row->error, row->saturated, row->dead};
    for (size_t k = 0; k < sizeof places / sizeof *places; ++k)
      end = places[k] >= end ? places[k] + (int64_t)sizeof(float) : end;
  }
  return nnc_kernels_fetch(context, context->training->states, (size_t)end, out_states);
}

static nnc_layer_statistics nnc_describe_layer(const nnc_statistic *row, const char *states) {
  return (nnc_layer_statistics){row->layer,
                                row->operation,
                                row->source,
                                (int64_t)nnc_number_at(states, row->not_finite),
                                nnc_number_at(states, row->error),
                                nnc_number_at(states, row->saturated),
                                nnc_number_at(states, row->dead)};
}

nnc_status nnc_statistics_at(nnc_context *context, int32_t train, int32_t index, nnc_layer_statistics *out_layer) {
  nnc_status status = nnc_statistics_check(context, train);
  if (status != NNC_OK)
    return status;
  const nnc_train *block = &context->model->network->trains[train];
  if (!out_layer || index < 0 || index >= block->statistic_count)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s: it has %d layers, and no number %d", block->name,
                    (int)block->statistic_count, (int)index);
  char *states;
  status = nnc_statistics_fetch(context, block, &states);
  if (status == NNC_OK)
    *out_layer = nnc_describe_layer(&block->statistics[index], states);
  return status;
}

/** Values are computed from the first layer to the last, errors the other way. */
static const nnc_statistic *nnc_find_not_finite(const nnc_train *block, const char *states) {
  for (int32_t i = 0; i < block->statistic_count; ++i)
    if (nnc_number_at(states, block->statistics[i].not_finite) > 0)
      return &block->statistics[i];
  for (int32_t i = block->statistic_count; i-- > 0;)
    if (!isfinite(nnc_number_at(states, block->statistics[i].error)))
      return &block->statistics[i];
  return NULL;
}

nnc_status nnc_first_not_finite(nnc_context *context, int32_t train, nnc_layer_statistics *out_layer) {
  nnc_status status = nnc_statistics_check(context, train);
  if (status != NNC_OK)
    return status;
  const nnc_train *block = &context->model->network->trains[train];
  if (!out_layer)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s: out_layer is null", block->name);
  char *states;
  status = nnc_statistics_fetch(context, block, &states);
  if (status != NNC_OK)
    return status;
  const nnc_statistic *row = nnc_find_not_finite(block, states);
  if (!row)
    return nnc_fail(context->message, NNC_NOT_FOUND, "%s: every value and error is finite", block->name);
  *out_layer = nnc_describe_layer(row, states);
  return NNC_OK;
}

nnc_status nnc_fail_numeric(nnc_context *context, int32_t train, const char *name, float loss) {
  nnc_layer_statistics layer;
  if (isnan(loss))
    loss = fabsf(loss); /* printf would show its sign, which means nothing */
  if (!context->model->network->trains[train].statistics || nnc_first_not_finite(context, train, &layer) != NNC_OK)
    return nnc_fail(context->message, NNC_NUMERIC, "%s: the loss is %g", name, (double)loss);
  const char *space = *layer.layer ? " " : "";
  if (!*layer.source)
    return nnc_fail(context->message, NNC_NUMERIC, "%s: the loss is %g; %s%s%s has values that are not finite", name,
                    (double)loss, layer.operation, space, layer.layer);
  return nnc_fail(context->message, NNC_NUMERIC,
                  "%s: the loss is %g; the first value that is not finite is of %s%s%s (%s)", name, (double)loss,
                  layer.operation, space, layer.layer, layer.source);
}

/*--- How errors flow -------------------------------------------------------*/

/** The number of a step is the last input. */
static nnc_status nnc_check_step(nnc_context *context, const nnc_train *block, void *const *arguments) {
  const nnc_function *function = &context->model->network->functions[block->flow];
  int32_t last = 0, step;
  while (last + 1 < function->argument_count && !function->arguments[last + 1].output)
    ++last;
  if (!nnc_host_reads(context, arguments[last]))
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s: loss_step must be in the host's memory",
                    function->name);
  memcpy(&step, arguments[last], sizeof step);
  int64_t longest = 0;
  for (int32_t i = 0; i < context->model->network->free_dim_count; ++i)
    longest = context->dims[i + 1] > longest ? context->dims[i + 1] : longest;
  if (step >= 0 && !block->flow_has_steps)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT,
                    "%s: loss_step is %d, but the loss is no sum or mean over steps: it must be -1", function->name,
                    (int)step);
  if (step < -1 || step >= longest)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s: loss_step is %d, it must be -1 to %lld",
                    function->name, (int)step, (long long)longest - 1);
  return NNC_OK;
}

nnc_status nnc_gradient_flow(nnc_context *context, int32_t train, int64_t batch, const int64_t *lengths,
                             const int32_t *const *ragged, void *const *arguments) {
  nnc_status status = nnc_training_check(context, train);
  if (status != NNC_OK)
    return status;
  const nnc_network *network = context->model->network;
  const nnc_train *block = &network->trains[train];
  if (block->flow == 0)
    return nnc_fail(context->message, NNC_UNSUPPORTED, "%s: the network was compiled without -gradient-stats",
                    block->name);
  status = nnc_check_batch(context, &network->functions[block->flow], batch, lengths, ragged, arguments);
  if (status == NNC_OK)
    status = nnc_check_step(context, block, arguments);
  if (status != NNC_OK)
    return status;
  /* The numbers are those that the next call of the gradients draws: training goes on as without this one. */
  int32_t seed[2];
  int64_t calls = context->training->calls;
  nnc_draw_seed(context->training, seed);
  context->training->calls = calls;
  unsigned mode = nnc_float_mode_set();
  status = nnc_context_prepare(context);
  nnc_frame frame = nnc_context_frame(context);
  frame.seed = seed;
  if (status == NNC_OK)
    status = nnc_context_call(context, block->flow, &frame, arguments);
  nnc_float_mode_restore(mode);
  return status;
}
