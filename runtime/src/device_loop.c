/*===- device_loop.c - Loops that end by what a device computes -----------------===*\
 *
 * To look at flags the host waits until they are there, and the device then waits for the
 * host. So a loop goes on for some steps with their flags kept on the device, and all are
 * looked at together. Steps beyond the end change no state of an example.
 *
\*===----------------------------------------------------------------------===*/

#include "device.h"
#include "internal.h"

#include <string.h>

/** Steps between two looks: sequences are often short, and a step is some launches. */
#define NNC_STEPS_TO_LOOK 4

/** Makes room for the flags of so many steps. */
static nnc_status nnc_make_flags(nnc_queue *queue, size_t size) {
  const nnc_device_api *api = queue->device->api;
  if (size <= queue->flags_size)
    return NNC_OK;
  if (queue->flags)
    queue->flags->is_taken = false;
  if (queue->read_flags)
    api->release_host(queue->device, queue->read_flags);
  queue->flags_size = 0;
  queue->read_flags = NULL;
  queue->flags = nnc_scratch_take(queue, size);
  if (!queue->flags)
    return queue->status;
  queue->read_flags = api->allocate_host(queue->device, size);
  if (!queue->read_flags)
    return nnc_queue_fail(queue, NNC_OUT_OF_MEMORY, "no %zu bytes for the flags of examples", size);
  queue->flags_size = size;
  return NNC_OK;
}

/** The first of the kept steps after which all flags were set, from 0; their number when
 * there is none. */
static int64_t nnc_find_set(const nnc_queue *queue, size_t size) {
  int64_t step = 0;
  while (step < queue->kept && memchr(queue->read_flags + (size_t)step * size, 0, size))
    ++step;
  return step;
}

int64_t nnc_device_find_end(nnc_tasks *tasks, const void *flags, int64_t size, int64_t done, int64_t trip) {
  nnc_queue *queue = tasks->queue;
  size_t bytes = (size_t)size;
  if (done == 1)
    queue->kept = 0; /* a call that failed may have left some */
  if (queue->status != NNC_OK || nnc_make_flags(queue, NNC_STEPS_TO_LOOK * bytes) != NNC_OK)
    return done; /* the call is over */
  const nnc_device_api *api = queue->device->api;
  api->copy(queue, queue->flags->memory + (size_t)queue->kept++ * bytes, flags, bytes);
  if (queue->kept < NNC_STEPS_TO_LOOK && done < trip)
    return 0;
  api->copy(queue, queue->read_flags, queue->flags->memory, (size_t)queue->kept * bytes);
  if (queue->status != NNC_OK || api->finish(queue) != NNC_OK)
    return done;
  int64_t first = nnc_find_set(queue, bytes), kept = queue->kept;
  queue->kept = 0;
  return first < kept ? done - kept + first + 1 : 0;
}
