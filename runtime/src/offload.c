/*===- offload.c - Contexts whose kernels run on a device -----------------------===*/

#include "offload_room.h"

#include <stdlib.h>
#include <string.h>

/*--- Beginning and ending work ----------------------------------------------*/

nnc_status nnc_take_failure(nnc_queue *queue, const char *what, char *message) {
  nnc_status status = queue->status;
  if (status != NNC_OK)
    nnc_fail(message, status, "%s: %s", what, queue->message);
  queue->status = NNC_OK;
  return status;
}

nnc_status nnc_begin(nnc_context *context) {
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

/*--- Room for calls --------------------------------------------------------*/

size_t nnc_argument_size(const nnc_argument *argument, const int64_t *dims) {
  size_t size = argument->element == NNC_TRUTH ? 1 : 4;
  for (int32_t i = 0; i < argument->rank; ++i)
    size *= (size_t)nnc_extent_length(&argument->extents[i], dims[0], dims + 1);
  return size;
}

int32_t nnc_list_count(const nnc_network *network, const nnc_function *function) {
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
