/*===- offload_call.c - Calls whose kernels run on a device ---------------------===*\
 *
 * Arguments go to the device and results come back around the kernels. With a device
 * that has graphs, the copies of small arguments and all kernels of a call are one.
 *
\*===----------------------------------------------------------------------===*/

#include "offload_room.h"

#include <string.h>

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
  bool looks = context->model->network->functions[index].flags & NNC_FUNCTION_LOOKS; /* at what it computes */
  if (!api->begin_graph || looks)
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
    nnc_queue_leave_branches(queue);
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
