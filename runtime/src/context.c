/*===- context.c - Making room for calls -------------------------------------===*/

#include "offload.h"
#include "profile.h"

#include <stdlib.h>
#include <string.h>

/*--- Sizes -----------------------------------------------------------------*/

/** Where the parts of a context lie. */
typedef struct nnc_context_layout {
  size_t offset_lists, offsets, max_dims, dims, full_lists, full, ragged, state;
  size_t profile, totals, events;           /**< of a network that is measured */
  size_t training, steps, gradients, slots; /**< of one that trains */
  size_t states, window_lists, slices, window_arguments;
  size_t workspace, added; /**< what lies before these is zeroed */
  size_t size;             /**< 0 when there is too much */
  size_t zeroed;           /**< of the host's part */
  size_t kernel_size;      /**< bytes on the device: of state, gradients, slots, states, workspace, added */
} nnc_context_layout;

/** The largest extent of free dimension i. */
static int64_t nnc_bound(const nnc_network *network, int32_t i) {
  int64_t bound = network->free_dim_bounds[i];
  return bound > 0 && bound < INT32_MAX ? bound : INT32_MAX;
}

/** Whether these are sizes that the network takes; else `message` says why not. */
static nnc_status nnc_check_sizes(const nnc_network *network, int64_t max_batch, const int64_t *max_lengths,
                                  char *message) {
  if (max_batch < 1 || max_batch > INT32_MAX)
    return nnc_fail(message, NNC_INVALID_ARGUMENT, "max_batch is %lld: it must be at least 1 and below 2^31",
                    (long long)max_batch);
  if (network->free_dim_count > 0 && !max_lengths)
    return nnc_fail(message, NNC_INVALID_ARGUMENT, "max_lengths is null, but %s has %d free dimensions", network->name,
                    (int)network->free_dim_count);
  for (int32_t i = 0; i < network->free_dim_count; ++i) {
    int64_t bound = nnc_bound(network, i);
    if (max_lengths[i] < 1 || max_lengths[i] > bound)
      return nnc_fail(message, NNC_INVALID_ARGUMENT, "the largest %s is %lld: it must be 1 to %lld",
                      network->free_dim_names[i], (long long)max_lengths[i], (long long)bound);
  }
  return NNC_OK;
}

/** The largest dims of one function: a step goes one step, a window its own number. */
static void nnc_get_max_dims(const nnc_network *network, const nnc_function *function, int64_t max_batch,
                             const int64_t *max_lengths, int64_t *out_dims) {
  out_dims[0] = max_batch;
  int64_t limit = nnc_window_limit(network, function);
  for (int32_t i = 0; i < network->free_dim_count; ++i)
    out_dims[i + 1] = function->flags & NNC_FUNCTION_STEP ? 1 : max_lengths[i] < limit ? max_lengths[i] : limit;
}

/** Whether a context has room for a function. */
static bool nnc_has_function(const nnc_function *function, bool trains) {
  return trains || !(function->flags & NNC_FUNCTION_TRAINS);
}

/** The largest workspace of all functions; negative when one is too large. */
static int64_t nnc_get_workspace_size(const nnc_network *network, bool trains, int64_t max_batch,
                                      const int64_t *max_lengths) {
  int64_t size = 0, dims[3 * NNC_MAX_FREE_DIMS + 1] = {0}, offsets[NNC_MAX_OFFSETS + 1];
  for (int32_t i = 0; i < network->function_count; ++i) {
    const nnc_function *function = &network->functions[i];
    if (!nnc_has_function(function, trains))
      continue;
    nnc_get_max_dims(network, function, max_batch, max_lengths, dims);
    function->plan(dims, offsets);
    int64_t needed = nnc_segments_reserve(network, function, dims, offsets);
    if (needed < 0)
      return -1;
    size = needed > size ? needed : size;
  }
  return size;
}

/** Lays out a context. The sizes were checked. */
static nnc_context_layout nnc_lay_out_context(const nnc_network *network, bool trains, int64_t max_batch,
                                              const int64_t *max_lengths) {
  nnc_layout layout = {sizeof(nnc_context), false}, device = {0, false};
  /* Where kernels have their memories: in the same block, where they run on the host. */
  nnc_layout *kernels = network->device == NNC_HOST ? &layout : &device;
  nnc_context_layout parts;
  int64_t offset_count = 0, lengths = network->free_dim_count;
  for (int32_t i = 0; i < network->function_count; ++i)
    if (nnc_has_function(&network->functions[i], trains))
      offset_count += network->functions[i].offset_count + 1;
  parts.offset_lists = nnc_layout_add(&layout, network->function_count, sizeof(int64_t *));
  parts.offsets = nnc_layout_add(&layout, offset_count, sizeof(int64_t));
  parts.max_dims = nnc_layout_add(&layout, lengths + 1, sizeof(int64_t));
  parts.dims = nnc_layout_add(&layout, 3 * lengths + 1, sizeof(int64_t));
  parts.full_lists = nnc_layout_add(&layout, lengths, sizeof(int32_t *));
  parts.full = nnc_layout_add(&layout, lengths * max_batch, sizeof(int32_t));
  parts.ragged = nnc_layout_add(&layout, lengths, sizeof(int32_t *));
  bool measures = network->group_count > 0;
  parts.profile = nnc_layout_add(&layout, measures, sizeof(nnc_profile));
  parts.totals = nnc_layout_add(&layout, network->group_count, sizeof(nnc_group_total));
  parts.events = nnc_layout_add(&layout, measures ? NNC_PROFILE_EVENTS : 0, sizeof(nnc_event));
  parts.state = nnc_layout_add(kernels, network->state_size ? network->state_size(&max_batch) : 0, 1);
  int64_t memory = trains ? network->weights_size : 0, slots = trains ? nnc_slot_count(network) : 0;
  parts.training = nnc_layout_add(&layout, trains, sizeof(nnc_training));
  parts.steps = nnc_layout_add(&layout, trains ? network->train_count : 0, sizeof(int64_t));
  parts.gradients = nnc_layout_add(kernels, memory, 1);
  parts.slots = nnc_layout_add(kernels, slots, (size_t)network->trainable_size);
  bool windows = trains && nnc_window_argument_count(network) > 0;
  parts.states =
      nnc_layout_add(kernels, trains && network->training_state_size ? network->training_state_size(&max_batch) : 0, 1);
  parts.window_lists = nnc_layout_add(&layout, windows ? (1 + NNC_WINDOW_LISTS) * max_batch : 0, sizeof(int32_t));
  parts.slices = nnc_layout_add(&layout, windows ? nnc_window_slices_size(network, max_batch, max_lengths) : 0, 1);
  parts.window_arguments = nnc_layout_add(&layout, trains ? nnc_window_argument_count(network) : 0, sizeof(void *));
  parts.zeroed = layout.size;
  parts.workspace = nnc_layout_add(kernels, nnc_get_workspace_size(network, trains, max_batch, max_lengths), 1);
  parts.added = nnc_layout_add(kernels, memory, 1);
  nnc_layout_add(&device, 1, 1);
  parts.kernel_size = nnc_layout_finish(&device);
  parts.size = parts.kernel_size ? nnc_layout_finish(&layout) : 0;
  return parts;
}

size_t nnc_context_size(const nnc_network *network, bool trains, int64_t max_batch, const int64_t *max_lengths) {
  char message[NNC_MESSAGE_SIZE];
  if (nnc_check_network(network, message) != NNC_OK ||
      nnc_check_sizes(network, max_batch, max_lengths, message) != NNC_OK)
    return 0;
  return nnc_lay_out_context(network, trains, max_batch, max_lengths).size;
}

size_t nnc_context_memory_size(const nnc_network *network, int64_t max_batch, const int64_t *max_lengths) {
  return nnc_context_size(network, /*trains=*/false, max_batch, max_lengths);
}

/*--- Contexts --------------------------------------------------------------*/

/** Points a context at its parts. */
static void nnc_bind_parts(nnc_context *context, const nnc_context_layout *parts, bool trains) {
  char *memory = (char *)context, *kernels = context->offload ? nnc_context_kernel_memory(context) : memory;
  context->offsets = (int64_t **)(memory + parts->offset_lists);
  context->max_dims = (int64_t *)(memory + parts->max_dims);
  context->dims = (int64_t *)(memory + parts->dims);
  context->full = (int32_t **)(memory + parts->full_lists);
  context->ragged = (const int32_t **)(memory + parts->ragged);
  context->state = kernels + parts->state;
  context->workspace = kernels + parts->workspace;
  if (context->model->network->group_count > 0) {
    context->profile = (nnc_profile *)(memory + parts->profile);
    context->profile->totals = (nnc_group_total *)(memory + parts->totals);
    context->profile->events = (nnc_event *)(memory + parts->events);
    context->tasks.profile = context->profile;
  }
  if (!trains)
    return;
  context->training = (nnc_training *)(memory + parts->training);
  context->training->steps = (int64_t *)(memory + parts->steps);
  context->training->gradients = kernels + parts->gradients;
  context->training->slots = kernels + parts->slots;
  context->training->added = kernels + parts->added;
  context->training->states = kernels + parts->states;
  context->training->window_lists = (int32_t *)(memory + parts->window_lists);
  context->training->slices = memory + parts->slices;
  context->training->window_arguments = (void **)(memory + parts->window_arguments);
}

/** Fills the tables of a context. */
static void nnc_fill_tables(nnc_context *context, const nnc_context_layout *parts, int64_t max_batch,
                            const int64_t *max_lengths) {
  const nnc_network *network = context->model->network;
  int64_t *offsets = (int64_t *)((char *)context + parts->offsets);
  for (int32_t i = 0; i < network->function_count; ++i) {
    const nnc_function *function = &network->functions[i];
    if (!nnc_has_function(function, context->training))
      continue;
    nnc_get_max_dims(network, function, max_batch, max_lengths, context->dims);
    context->offsets[i] = offsets;
    function->plan(context->dims, offsets);
    offsets += function->offset_count + 1;
  }
  context->max_dims[0] = max_batch;
  int32_t *full = (int32_t *)((char *)context + parts->full);
  for (int32_t i = 0; i < network->free_dim_count; ++i) {
    context->max_dims[i + 1] = max_lengths[i];
    context->full[i] = full + i * max_batch;
    context->ragged[i] = context->full[i];
  }
}

/** Takes the memory of a context and zeroes what must be. */
static nnc_status nnc_place_context(nnc_model *model, const nnc_context_options *options,
                                    const nnc_context_layout *parts, nnc_context **out_context) {
  if (parts->size == 0)
    return nnc_model_fail(model, NNC_INVALID_ARGUMENT, "the values of so large a call are too large");
  nnc_status status;
  nnc_context *context = nnc_memory_take(options->memory, options->memory_size, parts->size, &status);
  if (status == NNC_INVALID_ARGUMENT)
    return nnc_model_fail(model, status, "the context's memory is not aligned to %d bytes", NNC_ALIGNMENT);
  if (status != NNC_OK)
    return nnc_model_fail(model, status, "the context needs %zu bytes", parts->size);
  memset(context, 0, parts->zeroed);
  context->model = model;
  context->owns_memory = !options->memory;
  context->needs_reset = true;
  context->tasks = (nnc_tasks){0, model->parallel_for, model->parallel_user, NULL, NULL};
  *out_context = context;
  return NNC_OK;
}

nnc_status nnc_context_make(nnc_model *model, const nnc_context_options *options, bool trains, int64_t max_batch,
                            const int64_t *max_lengths, nnc_context **out_context) {
  static const nnc_context_options defaults;
  if (out_context)
    *out_context = NULL;
  if (!model)
    return NNC_INVALID_ARGUMENT;
  if (!out_context)
    return nnc_model_fail(model, NNC_INVALID_ARGUMENT, "out_context is null");
  if (trains && model->network->train_count == 0)
    return nnc_model_fail(model, NNC_INVALID_ARGUMENT, "network %s has no train block", model->network->name);
  char message[NNC_MESSAGE_SIZE];
  nnc_status status = nnc_check_sizes(model->network, max_batch, max_lengths, message);
  if (status != NNC_OK)
    return nnc_model_fail(model, status, "%s", message);
  nnc_context_layout parts = nnc_lay_out_context(model->network, trains, max_batch, max_lengths);
  nnc_context *context = NULL;
  status = nnc_place_context(model, options ? options : &defaults, &parts, &context);
  if (status != NNC_OK)
    return status;
  nnc_bind_parts(context, &parts, trains);
  nnc_fill_tables(context, &parts, max_batch, max_lengths);
  status = nnc_context_offload(context, options ? options->stream : NULL, parts.kernel_size, parts.workspace);
  if (status != NNC_OK) {
    nnc_context_destroy(context);
    return status;
  }
  nnc_bind_parts(context, &parts, trains);
  if (!model->parallel_for && !model->device)
    nnc_pool_prepare();
  *out_context = context;
  return NNC_OK;
}

nnc_status nnc_context_create(nnc_model *model, const nnc_context_options *options, int64_t max_batch,
                              const int64_t *max_lengths, nnc_context **out_context) {
  return nnc_context_make(model, options, /*trains=*/false, max_batch, max_lengths, out_context);
}

void nnc_context_destroy(nnc_context *context) {
  if (!context)
    return;
  nnc_context_close_device(context);
  if (context->owns_memory)
    free(context);
}

const char *nnc_context_error(const nnc_context *context) { return context ? context->message : ""; }
