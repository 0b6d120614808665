/*===- offload.c - Contexts and models whose kernels run on a device -----------===*/

#include "offload.h"

#include <stdlib.h>
#include <string.h>

/*--- Errors ----------------------------------------------------------------*/

/** The queue's failure as the context's, which is then over. */
static nnc_status nnc_take_failure(nnc_queue *queue, const char *what, char *message) {
  nnc_status status = queue->status;
  if (status != NNC_OK)
    nnc_fail(message, status, "%s: %s", what, queue->message);
  queue->status = NNC_OK;
  return status;
}

/*--- Models ----------------------------------------------------------------*/

/** Where the parts of a model lie on the device. */
static size_t nnc_lay_out_kernels(const nnc_network *network, size_t *out_prepared, size_t *out_scratch) {
  nnc_layout layout = {0, false};
  nnc_layout_add(&layout, network->weights_size, 1);
  *out_prepared = nnc_layout_add(&layout, network->prepared_size, 1);
  *out_scratch = nnc_layout_add(&layout, network->prepare ? network->prepare_workspace_size : 0, 1);
  nnc_layout_add(&layout, 1, 1);
  return nnc_layout_finish(&layout);
}

nnc_status nnc_model_offload(nnc_model *model, int32_t index, char *message) {
  const nnc_network *network = model->network;
  if (network->device == NNC_HOST)
    return NNC_OK;
  nnc_status status = nnc_device_open((nnc_device_kind)network->device, index, &model->device, message);
  if (status != NNC_OK)
    return status;
  size_t prepared, scratch, size = nnc_lay_out_kernels(network, &prepared, &scratch);
  const nnc_device_api *api = model->device->api;
  status = api->enter(model->device, message);
  if (status != NNC_OK)
    return status;
  char *memory = api->allocate(model->device, size + NNC_DEVICE_SLACK);
  if (!memory)
    status = nnc_fail(message, NNC_OUT_OF_MEMORY, "%s has no %zu bytes for the model", model->device->name, size);
  model->kernel_weights = memory;
  model->prepared = memory + prepared;
  model->kernel_scratch = memory + scratch;
  if (status == NNC_OK)
    status = nnc_queue_create(model->device, NULL, &model->queue, message);
  api->leave(model->device);
  return status;
}

void nnc_model_close_device(nnc_model *model) {
  nnc_device *device = model->device;
  char message[NNC_MESSAGE_SIZE];
  if (!device)
    return;
  bool entered = device->api->enter(device, message) == NNC_OK;
  nnc_queue_destroy(model->queue);
  if (model->kernel_weights)
    device->api->release(device, model->kernel_weights);
  if (entered)
    device->api->leave(device);
  nnc_device_close(device);
}

/** Copies all weights between the host and the device, on the model's queue; its lock is
 * held. */
static nnc_status nnc_copy_weights(nnc_model *model, char *to, const char *from, char *message) {
  const nnc_device_api *api = model->device->api;
  nnc_status status = api->enter(model->device, message);
  if (status != NNC_OK)
    return status;
  size_t size = (size_t)model->network->weights_size;
  if (size > 0 && api->copy(model->queue, to, from, size) == NNC_OK)
    api->finish(model->queue);
  api->leave(model->device);
  return nnc_take_failure(model->queue, "copying the weights", message);
}

nnc_status nnc_model_fetch(nnc_model *model) {
  if (!model->device)
    return NNC_OK;
  char message[NNC_MESSAGE_SIZE];
  nnc_status status = NNC_OK;
  pthread_mutex_lock(&model->lock);
  uint64_t version = atomic_load(&model->version);
  if (model->host_version != version)
    status = nnc_copy_weights(model, model->weights, model->kernel_weights, message);
  if (status == NNC_OK)
    model->host_version = version;
  pthread_mutex_unlock(&model->lock);
  return status == NNC_OK ? NNC_OK : nnc_model_fail(model, status, "%s", message);
}

nnc_status nnc_model_push(nnc_model *model, char *message) {
  uint64_t version = atomic_load_explicit(&model->version, memory_order_acquire);
  if (!model->device || atomic_load_explicit(&model->kernel_version, memory_order_acquire) == version)
    return NNC_OK;
  nnc_status status = NNC_OK;
  pthread_mutex_lock(&model->lock);
  if (atomic_load(&model->kernel_version) != version)
    status = nnc_copy_weights(model, model->kernel_weights, model->weights, message);
  if (status == NNC_OK)
    atomic_store_explicit(&model->kernel_version, version, memory_order_release);
  pthread_mutex_unlock(&model->lock);
  return status;
}

void nnc_weights_moved(nnc_model *model) {
  uint64_t version = atomic_fetch_add(&model->version, 1) + 1;
  if (model->device)
    atomic_store(&model->kernel_version, version);
  else
    model->host_version = version;
}

/*--- Room for calls --------------------------------------------------------*/

/** Arguments up to this size are copied together. */
#define NNC_SMALL_BYTES 65536

/** Graphs that a context keeps, each for one function and one set of lengths. */
#define NNC_MAX_GRAPHS 32

/** What a call hands to the device, or takes from there. */
typedef struct nnc_item {
  const void *from; /**< of an input */
  void *to;         /**< of an output */
  size_t size;
  bool is_large;
  char *place; /**< on the device */
} nnc_item;

/** A graph, and what it was recorded for. */
typedef struct nnc_graph {
  void *graph; /**< null where a call was made, but not yet recorded */
  int32_t function;
  int64_t dims[NNC_MAX_FREE_DIMS + 1];
  const char *gradients, *slots;
  uint64_t used; /**< the number of the call that used it last; 0: free */
  bool fails;    /**< it cannot be recorded */
} nnc_graph;

typedef struct nnc_offload {
  nnc_queue *queue;
  char *memory;
  char *staging; /**< of arguments, on the device */
  char *pinned;  /**< small ones, on the host */
  size_t staging_size, pinned_size;
  nnc_item *items;
  void **arguments; /**< on the device */
  const int32_t **ragged;
  nnc_graph graphs[NNC_MAX_GRAPHS];
  uint64_t calls;
  char *mirror; /**< of nnc_kernels_fetch */
  size_t mirror_size;
} nnc_offload;

static size_t nnc_align_place(size_t size) { return (size + 255) & ~(size_t)255; }

static size_t nnc_argument_size(const nnc_argument *argument, const int64_t *dims) {
  size_t size = argument->element == NNC_TRUTH ? 1 : 4;
  for (int32_t i = 0; i < argument->rank; ++i)
    size *= (size_t)nnc_extent_length(&argument->extents[i], dims[0], dims + 1);
  return size;
}

/** How many lists of lengths a function reads. */
static int32_t nnc_list_count(const nnc_network *network, const nnc_function *function) {
  return nnc_window_limit(network, function) != INT64_MAX ? 1 + NNC_WINDOW_LISTS : network->free_dim_count;
}

/** The most items of a call, and bytes for all of them. */
static void nnc_count_items(const nnc_context *context, int32_t *out_count, size_t *out_size) {
  const nnc_network *network = context->model->network;
  *out_count = 0;
  *out_size = 0;
  for (int32_t f = 0; f < network->function_count; ++f) {
    const nnc_function *function = &network->functions[f];
    int32_t lists = nnc_list_count(network, function), count = function->argument_count + lists + 1;
    size_t size = (size_t)(lists + 1) * nnc_align_place((size_t)context->max_dims[0] * 4 + 8);
    for (int32_t i = 0; i < function->argument_count; ++i)
      size += nnc_align_place(nnc_argument_size(&function->arguments[i], context->max_dims));
    *out_count = count > *out_count ? count : *out_count;
    *out_size = size > *out_size ? size : *out_size;
  }
}

nnc_status nnc_context_offload(nnc_context *context, void *stream, size_t size, size_t zeroed) {
  nnc_device *device = context->model->device;
  char message[NNC_MESSAGE_SIZE];
  if (!device)
    return NNC_OK;
  nnc_offload *offload = calloc(1, sizeof *offload);
  if (!offload)
    return nnc_model_fail(context->model, NNC_OUT_OF_MEMORY, "the context needs %zu bytes", sizeof *offload);
  context->offload = offload;
  int32_t count;
  size_t staging;
  nnc_count_items(context, &count, &staging);
  offload->staging_size = staging;
  offload->pinned_size = nnc_align_place(NNC_SMALL_BYTES) * (size_t)count;
  if (offload->pinned_size > staging)
    offload->pinned_size = staging;
  offload->items = calloc((size_t)count + 1, sizeof *offload->items);
  offload->arguments = calloc((size_t)count + 1, sizeof *offload->arguments);
  offload->ragged = calloc((size_t)count + 1, sizeof *offload->ragged);
  nnc_status status = device->api->enter(device, message);
  if (status != NNC_OK)
    return nnc_model_fail(context->model, status, "%s", message);
  offload->memory = device->api->allocate(device, nnc_align_place(size) + staging + NNC_DEVICE_SLACK);
  offload->staging = offload->memory + nnc_align_place(size);
  offload->pinned = device->api->allocate_host(device, offload->pinned_size + 1);
  if (!offload->items || !offload->arguments || !offload->ragged || !offload->memory || !offload->pinned)
    status = nnc_fail(message, NNC_OUT_OF_MEMORY, "%s has no %zu bytes for the context", device->name, size + staging);
  if (status == NNC_OK)
    status = nnc_queue_create(device, stream, &offload->queue, message);
  if (status == NNC_OK && zeroed > 0)
    device->api->fill(offload->queue, offload->memory, 0, zeroed);
  if (status == NNC_OK)
    status = nnc_take_failure(offload->queue, "making a context", message);
  device->api->leave(device);
  context->tasks.queue = offload->queue;
  return status == NNC_OK ? NNC_OK : nnc_model_fail(context->model, status, "%s", message);
}

void nnc_context_close_device(nnc_context *context) {
  nnc_offload *offload = context->offload;
  char message[NNC_MESSAGE_SIZE];
  if (!offload)
    return;
  nnc_device *device = context->model->device;
  bool entered = device->api->enter(device, message) == NNC_OK;
  for (int i = 0; i < NNC_MAX_GRAPHS; ++i)
    if (offload->graphs[i].graph)
      device->api->release_graph(offload->queue, offload->graphs[i].graph);
  nnc_queue_destroy(offload->queue);
  if (offload->memory)
    device->api->release(device, offload->memory);
  if (offload->pinned)
    device->api->release_host(device, offload->pinned);
  if (entered)
    device->api->leave(device);
  free(offload->items);
  free(offload->arguments);
  free(offload->ragged);
  free(offload->mirror);
  free(offload);
}

char *nnc_context_kernel_memory(nnc_context *context) { return context->offload ? context->offload->memory : NULL; }

bool nnc_host_reads(const nnc_context *context, const void *memory) {
  const nnc_device *device = context->model->device;
  return !device || !device->api->has || !device->api->has(memory);
}

/*--- Memory of kernels -----------------------------------------------------*/

/** Begins a piece of work of the context on its device; nnc_finish or nnc_end_call ends it. */
static nnc_status nnc_begin(nnc_context *context) {
  nnc_device *device = context->model->device;
  return device->api->enter(device, context->message);
}

/** Ends a piece of work: gives the queue's failure. */
static nnc_status nnc_finish(nnc_context *context, const char *what, bool waits) {
  nnc_queue *queue = context->offload->queue;
  const nnc_device_api *api = queue->device->api;
  if (waits && queue->status == NNC_OK)
    api->finish(queue);
  api->leave(queue->device);
  return nnc_take_failure(queue, what, context->message);
}

nnc_status nnc_kernels_copy(nnc_context *context, char *to, const char *from, size_t size) {
  if (!context->offload) {
    memcpy(to, from, size);
    return NNC_OK;
  }
  nnc_queue *queue = context->offload->queue;
  nnc_status status = nnc_begin(context);
  if (status != NNC_OK)
    return status;
  if (size > 0)
    queue->device->api->copy(queue, to, from, size);
  return nnc_finish(context, "copying", false);
}

nnc_status nnc_kernels_zero(nnc_context *context, char *memory, size_t size) {
  if (!context->offload) {
    memset(memory, 0, size);
    return NNC_OK;
  }
  nnc_queue *queue = context->offload->queue;
  nnc_status status = nnc_begin(context);
  if (status != NNC_OK)
    return status;
  if (size > 0)
    queue->device->api->fill(queue, memory, 0, size);
  return nnc_finish(context, "zeroing", false);
}

nnc_status nnc_kernels_fetch(nnc_context *context, const char *memory, size_t size, char **out_host) {
  nnc_offload *offload = context->offload;
  *out_host = (char *)memory;
  if (!offload)
    return NNC_OK;
  if (offload->mirror_size < size) {
    char *mirror = realloc(offload->mirror, size);
    if (!mirror)
      return nnc_fail(context->message, NNC_OUT_OF_MEMORY, "a copy for the host needs %zu bytes", size);
    offload->mirror = mirror;
    offload->mirror_size = size;
  }
  nnc_queue *queue = offload->queue;
  nnc_status status = nnc_begin(context);
  if (status != NNC_OK)
    return status;
  if (size > 0)
    queue->device->api->copy(queue, offload->mirror, memory, size);
  *out_host = offload->mirror;
  return nnc_finish(context, "copying to the host", true);
}

nnc_status nnc_kernels_push(nnc_context *context, char *memory, const char *host, size_t size) {
  return context->offload ? nnc_kernels_copy(context, memory, host, size) : NNC_OK;
}

/*--- Arguments -------------------------------------------------------------*/

/** Lists what a call hands over and takes back; gives the number of items. */
static int32_t nnc_list_items(nnc_context *context, const nnc_function *function, const nnc_frame *frame,
                              void *const *arguments) {
  nnc_offload *offload = context->offload;
  int32_t count = 0;
  for (int32_t i = 0; i < function->argument_count; ++i) {
    const nnc_argument *argument = &function->arguments[i];
    size_t size = nnc_argument_size(argument, context->dims);
    bool is_large = size > NNC_SMALL_BYTES || !nnc_host_reads(context, arguments[i]);
    offload->items[count++] = (nnc_item){argument->output ? NULL : arguments[i], argument->output ? arguments[i] : NULL,
                                         size, is_large, NULL};
  }
  for (int32_t i = 0; frame->ragged && i < nnc_list_count(context->model->network, function); ++i)
    offload->items[count++] =
        (nnc_item){frame->ragged[i], NULL, (size_t)context->dims[0] * sizeof(int32_t), false, NULL};
  if (frame->seed)
    offload->items[count++] = (nnc_item){frame->seed, NULL, 2 * sizeof(int32_t), false, NULL};
  return count;
}

/** Gives items their places on the device: small inputs, small outputs, the others. What
 * is small of the inputs goes to pinned memory. */
static void nnc_place_items(nnc_offload *offload, int32_t count, size_t *out_inputs, size_t *out_outputs) {
  size_t end = 0;
  for (int pass = 0; pass < 3; ++pass) {
    for (int32_t i = 0; i < count; ++i) {
      nnc_item *item = &offload->items[i];
      if ((item->is_large ? 2 : item->to ? 1 : 0) != pass)
        continue;
      item->place = offload->staging + end;
      if (pass == 0 && item->size > 0)
        memcpy(offload->pinned + end, item->from, item->size);
      end += nnc_align_place(item->size);
    }
    if (pass < 2)
      *(pass == 0 ? out_inputs : out_outputs) = end;
  }
}

/** Copies a call's large inputs to the device. */
static void nnc_hand_over(nnc_offload *offload, int32_t count) {
  nnc_queue *queue = offload->queue;
  const nnc_device_api *api = queue->device->api;
  for (int32_t i = 0; i < count; ++i) {
    nnc_item *item = &offload->items[i];
    if (item->is_large && item->from && item->size > 0)
      api->copy(queue, item->place, item->from, item->size);
  }
}

/** Copies a call's large outputs to the caller, waits, and hands over the small ones. */
static void nnc_take_back(nnc_offload *offload, int32_t count) {
  nnc_queue *queue = offload->queue;
  const nnc_device_api *api = queue->device->api;
  for (int32_t i = 0; i < count; ++i) {
    nnc_item *item = &offload->items[i];
    if (item->is_large && item->to && item->size > 0)
      api->copy(queue, item->to, item->place, item->size);
  }
  if (api->finish(queue) != NNC_OK)
    return;
  for (int32_t i = 0; i < count; ++i) {
    nnc_item *item = &offload->items[i];
    if (item->to && !item->is_large)
      memcpy(item->to, offload->pinned + (item->place - offload->staging), item->size);
  }
}

/*--- Graphs ----------------------------------------------------------------*/

/** The graph of such a call: one that was recorded, or an entry for it. */
static nnc_graph *nnc_find_graph(nnc_context *context, int32_t function, const nnc_frame *frame) {
  nnc_offload *offload = context->offload;
  nnc_graph *oldest = &offload->graphs[0];
  size_t size = ((size_t)context->model->network->free_dim_count + 1) * sizeof(int64_t);
  for (int i = 0; i < NNC_MAX_GRAPHS; ++i) {
    nnc_graph *graph = &offload->graphs[i];
    if (graph->used && graph->function == function && graph->gradients == frame->gradients &&
        graph->slots == frame->slots && memcmp(graph->dims, context->dims, size) == 0)
      return graph;
    if (graph->used < oldest->used)
      oldest = graph;
  }
  if (oldest->graph)
    offload->queue->device->api->release_graph(offload->queue, oldest->graph);
  *oldest = (nnc_graph){.function = function, .gradients = frame->gradients, .slots = frame->slots};
  memcpy(oldest->dims, context->dims, size);
  return oldest;
}

/** What a graph holds: small inputs from pinned memory, generated code, small outputs to
 * pinned memory. */
static int32_t nnc_run_between_copies(nnc_context *context, int32_t index, const nnc_frame *frame, size_t inputs,
                                      size_t outputs) {
  nnc_offload *offload = context->offload;
  nnc_queue *queue = offload->queue;
  const nnc_device_api *api = queue->device->api;
  if (inputs > 0)
    api->copy(queue, offload->staging, offload->pinned, inputs);
  int32_t code = context->model->network->functions[index].run(frame);
  if (code == 0 && outputs > inputs)
    api->copy(queue, offload->pinned + inputs, offload->staging + inputs, outputs - inputs);
  return code;
}

/** Runs generated code: the first call of its kind at once, so that its kernels are loaded
 * and its memory is there; later ones as a graph. */
static int32_t nnc_launch_kernels(nnc_context *context, int32_t index, const nnc_frame *frame, size_t inputs,
                                  size_t outputs) {
  nnc_offload *offload = context->offload;
  nnc_queue *queue = offload->queue;
  const nnc_device_api *api = queue->device->api;
  if (!api->begin_graph)
    return nnc_run_between_copies(context, index, frame, inputs, outputs);
  nnc_graph *graph = nnc_find_graph(context, index, frame);
  bool is_first = graph->used == 0;
  graph->used = ++offload->calls;
  if (is_first || graph->fails)
    return nnc_run_between_copies(context, index, frame, inputs, outputs);
  if (!graph->graph) {
    if (api->begin_graph(queue) != NNC_OK)
      return 0;
    queue->records = true;
    int32_t code = nnc_run_between_copies(context, index, frame, inputs, outputs);
    queue->records = false;
    bool is_recorded = api->end_graph(queue, &graph->graph) == NNC_OK && code == 0;
    if (!is_recorded) { /* it runs without */
      graph->fails = true;
      queue->status = NNC_OK;
      return nnc_run_between_copies(context, index, frame, inputs, outputs);
    }
  }
  api->replay(queue, graph->graph);
  return 0;
}

/*--- Calls -----------------------------------------------------------------*/

/** What a call gives: a failure of generated code names the place in the source. */
static nnc_status nnc_end_call(nnc_context *context, const char *name, int32_t code) {
  nnc_queue *queue = context->offload->queue;
  queue->device->api->leave(queue->device);
  if (code == 0 && queue->status == NNC_OK)
    return NNC_OK;
  char what[NNC_MESSAGE_SIZE];
  nnc_fail(what, NNC_OK, code ? "%s: %s" : "%s%s", name, code ? nnc_network_error(context->model->network, code) : "");
  if (queue->status == NNC_OK)
    return nnc_fail(context->message, NNC_INTERNAL, "%s", what);
  return nnc_take_failure(queue, what, context->message);
}

nnc_status nnc_offload_call(nnc_context *context, int32_t index, nnc_frame *frame, void *const *arguments) {
  const nnc_function *function = &context->model->network->functions[index];
  nnc_offload *offload = context->offload;
  nnc_status status = nnc_begin(context);
  if (status != NNC_OK)
    return status;
  size_t inputs = 0, outputs = 0;
  int32_t count = nnc_list_items(context, function, frame, arguments);
  nnc_place_items(offload, count, &inputs, &outputs);
  int32_t lists = frame->ragged ? nnc_list_count(context->model->network, function) : 0;
  for (int32_t i = 0; i < function->argument_count; ++i)
    offload->arguments[i] = offload->items[i].place;
  for (int32_t i = 0; i < lists; ++i)
    offload->ragged[i] = (const int32_t *)offload->items[function->argument_count + i].place;
  frame->arguments = offload->arguments;
  frame->ragged = offload->ragged;
  if (frame->seed)
    frame->seed = (const int32_t *)offload->items[count - 1].place;
  nnc_hand_over(offload, count);
  int32_t code = nnc_launch_kernels(context, index, frame, inputs, outputs);
  nnc_take_back(offload, count);
  return nnc_end_call(context, function->name, code);
}

nnc_status nnc_offload_run(nnc_context *context, const char *name, int32_t (*run)(const nnc_frame *frame),
                           nnc_frame *frame) {
  nnc_queue *queue = context->offload->queue;
  nnc_status status = nnc_begin(context);
  if (status != NNC_OK)
    return status;
  int32_t code = run(frame);
  if (queue->status == NNC_OK)
    queue->device->api->finish(queue);
  return nnc_end_call(context, name, code);
}
