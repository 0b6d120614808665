/*===- prepare.c - Values that depend on weights alone -----------------------===*\
 *
 * Networks compute these once, not in every call. A change of weights counts a
 * version up; the next call of any context prepares them anew, in one thread,
 * while other calls wait.
 *
\*===----------------------------------------------------------------------===*/

#include "internal.h"

nnc_status nnc_context_prepare(nnc_context *context) {
  nnc_model *model = context->model;
  const nnc_network *network = model->network;
  uint64_t version = atomic_load_explicit(&model->version, memory_order_acquire);
  if (!network->prepare || atomic_load_explicit(&model->prepared_version, memory_order_acquire) == version)
    return NNC_OK;
  int32_t code = 0;
  pthread_mutex_lock(&model->lock);
  if (atomic_load(&model->prepared_version) != version) {
    nnc_frame frame = nnc_context_frame(context);
    frame.workspace = model->scratch;
    code = network->prepare(&frame);
    if (code == 0)
      atomic_store_explicit(&model->prepared_version, version, memory_order_release);
  }
  pthread_mutex_unlock(&model->lock);
  if (code == 0)
    return NNC_OK;
  return nnc_fail(context->message, NNC_INTERNAL, "preparing the weights: %s", nnc_network_error(network, code));
}
