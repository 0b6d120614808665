/*===- training.c - What a context that trains holds --------------------------===*/

#include "float_mode.h"
#include "offload.h"

#include <string.h>

/*--- Contexts --------------------------------------------------------------*/

int32_t nnc_slots_before(const nnc_network *network, int32_t train) {
  int32_t count = 0;
  for (int32_t i = 0; i < train; ++i)
    count += network->trains[i].slot_count;
  return count;
}

int32_t nnc_slot_count(const nnc_network *network) { return nnc_slots_before(network, network->train_count); }

size_t nnc_training_memory_size(const nnc_network *network, int64_t max_batch, const int64_t *max_lengths) {
  return nnc_train_count(network) > 0 ? nnc_context_size(network, /*trains=*/true, max_batch, max_lengths) : 0;
}

size_t nnc_training_workspace_size(const nnc_network *network, int32_t train, int64_t batch, const int64_t *lengths,
                                   int64_t *out_steps) {
  if (train < 0 || train >= nnc_train_count(network) || nnc_training_memory_size(network, batch, lengths) == 0)
    return 0;
  const nnc_train *block = &network->trains[train];
  int64_t size = 0, dims[3 * NNC_MAX_FREE_DIMS + 1] = {batch}, offsets[NNC_MAX_OFFSETS + 1];
  for (int32_t i = 0; i < network->free_dim_count; ++i)
    dims[i + 1] = lengths[i];
  if (block->update >= 0) {
    network->functions[block->update].plan(dims, offsets);
    size = offsets[network->functions[block->update].offset_count];
  }
  const nnc_function *gradients = &network->functions[block->gradients];
  int64_t limit = nnc_window_limit(network, gradients);
  for (int32_t i = 0; i < network->free_dim_count; ++i)
    dims[i + 1] = lengths[i] < limit ? lengths[i] : limit;
  gradients->plan(dims, offsets);
  nnc_segments_choose(network, gradients, dims, offsets);
  for (int32_t i = 0; out_steps && i < network->free_dim_count; ++i) {
    int64_t segment = dims[network->free_dim_count + 2 * i + 2];
    out_steps[i] = segment > 0 ? segment : dims[i + 1];
  }
  int64_t own = offsets[gradients->offset_count];
  return (size_t)(own > size ? own : size);
}

nnc_status nnc_training_create(nnc_model *model, const nnc_context_options *options, int64_t max_batch,
                               const int64_t *max_lengths, nnc_context **out_context) {
  return nnc_context_make(model, options, /*trains=*/true, max_batch, max_lengths, out_context);
}

nnc_status nnc_training_check(nnc_context *context, int32_t train) {
  if (!context)
    return NNC_INVALID_ARGUMENT;
  const nnc_network *network = context->model->network;
  if (!context->training)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT,
                    "the context cannot train: nnc_training_create makes one that can");
  if (train < 0 || train >= network->train_count)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s has no train block %d, but %d of them", network->name,
                    (int)train, (int)network->train_count);
  return NNC_OK;
}

/*--- Settings --------------------------------------------------------------*/

nnc_status nnc_training_set_epoch(nnc_context *context, int64_t epoch) {
  nnc_status status = nnc_training_check(context, 0);
  if (status != NNC_OK)
    return status;
  if (epoch < 0)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "the epoch is %lld: it must be at least 0",
                    (long long)epoch);
  context->training->epoch = epoch;
  return NNC_OK;
}

nnc_status nnc_training_seed(nnc_context *context, uint64_t seed) {
  nnc_status status = nnc_training_check(context, 0);
  if (status != NNC_OK)
    return status;
  context->training->seed = seed;
  context->training->calls = 0;
  return NNC_OK;
}

int64_t nnc_training_epoch(const nnc_context *context) {
  return context && context->training ? context->training->epoch : 0;
}

int64_t nnc_training_step(const nnc_context *context) {
  int64_t steps = 0;
  if (context && context->training)
    for (int32_t i = 0; i < context->model->network->train_count; ++i)
      steps += context->training->steps[i];
  return steps;
}

int64_t nnc_training_examples(const nnc_context *context) {
  return context && context->training ? context->training->examples : 0;
}

/*--- Gradients -------------------------------------------------------------*/

/** The gradient of a weight, as it is read. */
typedef struct nnc_reading {
  float *values;
  float scale;
} nnc_reading;

static void nnc_read_gradient(void *data, float *storage, int64_t stride, int64_t first, int64_t length) {
  const nnc_reading *reading = data;
  for (int64_t i = 0; i < length; ++i)
    reading->values[first + i] = storage[i * stride] * reading->scale;
}

float nnc_gradient_scale(const nnc_context *context, int32_t train) {
  return context->model->network->trains[train].reduce_sum ? 1 : (float)(1.0 / (double)context->training->examples);
}

nnc_status nnc_gradients_check(nnc_context *context, int32_t train) {
  nnc_status status = nnc_training_check(context, train);
  if (status != NNC_OK)
    return status;
  const nnc_train *trains = context->model->network->trains;
  const nnc_training *training = context->training;
  if (training->examples == 0)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s: there are no gradients since the last update",
                    trains[train].name);
  if (training->train != train)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s: the gradients of %lld examples are those of %s",
                    trains[train].name, (long long)training->examples, trains[training->train].name);
  return NNC_OK;
}

nnc_status nnc_gradient_read(const nnc_context *context, int32_t train, const char *name, float *out_values,
                             int64_t count) {
  /* Reading leaves the context as it is but for its message. */
  nnc_context *target = (nnc_context *)context;
  const nnc_weight *weight;
  nnc_status status = nnc_gradients_check(target, train);
  if (status == NNC_OK)
    status = nnc_weight_check(context->model->network, name, out_values, count, &weight, target->message);
  if (status != NNC_OK)
    return status;
  if (!weight->trainable)
    return nnc_fail(target->message, NNC_INVALID_ARGUMENT, "weight %s is a running statistic: it has no gradient",
                    name);
  nnc_reading reading = {out_values, nnc_gradient_scale(context, train)};
  char *gradients;
  status = nnc_kernels_fetch(target, context->training->gradients, (size_t)context->model->network->weights_size,
                             &gradients);
  if (status != NNC_OK)
    return status;
  nnc_weight_visit(weight, gradients, 0, nnc_weight_rows(weight), nnc_read_gradient, &reading);
  return NNC_OK;
}

nnc_status nnc_gradients_sum(nnc_context *context, const char *added) {
  size_t size = (size_t)context->model->network->trainable_size;
  char *gradients;
  nnc_status status = nnc_kernels_fetch(context, context->training->gradients, size, &gradients);
  if (status != NNC_OK)
    return status;
  float *sums = (float *)gradients;
  const float *terms = (const float *)added;
  unsigned mode = nnc_float_mode_set();
  for (size_t i = 0; i < size / sizeof(float); ++i)
    sums[i] += terms[i];
  nnc_float_mode_restore(mode);
  return nnc_kernels_push(context, context->training->gradients, gradients, size);
}

nnc_status nnc_gradients_add(nnc_context *context, nnc_context *other) {
  nnc_status status = nnc_training_check(context, 0);
  if (status != NNC_OK)
    return status;
  nnc_training *to = context->training, *from = other ? other->training : NULL;
  const nnc_network *network = context->model->network;
  if (!from || from == to || other->model->network != network)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "the other context %s",
                    !other       ? "is null"
                    : !from      ? "cannot train"
                    : from == to ? "is the same"
                                 : "is of another network");
  if (from->examples == 0)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "the other context has no gradients");
  if (to->examples > 0 && to->train != from->train)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "the gradients here are of %s, the other context's of %s",
                    network->trains[to->train].name, network->trains[from->train].name);
  char *gradients; /* of the other, whose copy for the host is its own */
  status = nnc_kernels_fetch(other, from->gradients, (size_t)network->weights_size, &gradients);
  if (status != NNC_OK)
    return nnc_fail(context->message, status, "%s", other->message);
  if (to->examples == 0)
    status = nnc_kernels_copy(context, to->gradients, gradients, (size_t)network->weights_size);
  else
    status = nnc_gradients_sum(context, gradients);
  if (status != NNC_OK)
    return status;
  to->examples += from->examples;
  to->train = from->train;
  from->examples = 0;
  return NNC_OK;
}
