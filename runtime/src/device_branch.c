/*===- device_branch.c - Kernels that need not wait for each other ---------------===*\
 *
 * In a graph each branch is a row of its own, of what the device's api makes of one; marks
 * are where others wait. Without a graph all is in order.
 *
\*===----------------------------------------------------------------------===*/

#include "device.h"

/** Whether what comes next is recorded in branches. Where it is run at once it is in order, but its memory is that of
 * its branch. */
static bool nnc_records_branches(const nnc_queue *queue) {
  return queue->records && queue->branches && queue->status == NNC_OK;
}

void nnc_device_branch(nnc_tasks *tasks, int32_t branch) {
  nnc_queue *queue = tasks->queue;
  const nnc_device_api *api = queue->device->api;
  queue->branch = branch;
  if (!nnc_records_branches(queue))
    return;
  api->enter_branch(queue, branch);
  if (!(queue->open_branches >> branch & 1))
    api->wait_for_mark(queue, NNC_FORK);
  queue->open_branches |= 1u << branch;
}

void nnc_device_mark(nnc_tasks *tasks, int32_t mark) {
  nnc_queue *queue = tasks->queue;
  if (nnc_records_branches(queue))
    queue->device->api->mark(queue, NNC_FIRST_MARK + mark);
}

void nnc_device_wait(nnc_tasks *tasks, int32_t mark) {
  nnc_queue *queue = tasks->queue;
  if (nnc_records_branches(queue))
    queue->device->api->wait_for_mark(queue, NNC_FIRST_MARK + mark);
}

void nnc_device_join(nnc_tasks *tasks) {
  nnc_queue *queue = tasks->queue;
  const nnc_device_api *api = queue->device->api;
  queue->branch = 0;
  if (!queue->branches && !queue->records && api->make_branches)
    api->make_branches(queue);
  if (!nnc_records_branches(queue))
    return;
  for (int32_t branch = 1; branch < NNC_MAX_BRANCHES; ++branch)
    if (queue->open_branches >> branch & 1) {
      api->enter_branch(queue, branch);
      api->mark(queue, branch);
      api->enter_branch(queue, 0);
      api->wait_for_mark(queue, branch);
    }
  api->mark(queue, NNC_FORK);
  queue->open_branches = 1;
}

void nnc_queue_leave_branches(nnc_queue *queue) {
  queue->branch = 0;
  queue->open_branches = 1;
  if (queue->branches)
    queue->device->api->enter_branch(queue, 0);
}
