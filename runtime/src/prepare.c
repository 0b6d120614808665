/*===- prepare.c - Values that depend on weights alone -----------------------===*\
 *
 * Networks compute these once, not in every call. A change of weights counts a
 * version up; the next call of any context prepares them anew, in one thread,
 * while other calls wait.
 *
\*===----------------------------------------------------------------------===*/

#include "offload.h"

nnc_status nnc_context_prepare(nnc_context *context) {
  nnc_model *model = context->model;
  const nnc_network *network = model->network;
  nnc_status status = nnc_model_push(model, context->message);
  uint64_t version = atomic_load_explicit(&model->version, memory_order_acquire);
  if (status != NNC_OK || !network->prepare ||
      atomic_load_explicit(&model->prepared_version, memory_order_acquire) == version)
    return status;
  pthread_mutex_lock(&model->lock);
  if (atomic_load(&model->prepared_version) != version) {
    nnc_frame frame = nnc_context_frame(context);
    frame.workspace = model->kernel_scratch;
    status = nnc_context_run(context, "preparing the weights", network->prepare, &frame);
    if (status == NNC_OK)
      atomic_store_explicit(&model->prepared_version, version, memory_order_release);
  }
  pthread_mutex_unlock(&model->lock);
  return status;
}
