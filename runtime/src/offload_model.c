/*===- offload_model.c - Models whose kernels run on a device -------------------===*/

#include "offload_room.h"

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
