/*===- run.c - Calls ---------------------------------------------------------===*/

#include "float_mode.h"
#include "offload.h"
#include "profile.h"

/*--- Arguments -------------------------------------------------------------*/

/** Sets the call's dims; in a step every free one is 1. */
static nnc_status nnc_set_dims(nnc_context *context, const nnc_function *function, int64_t batch,
                               const int64_t *lengths) {
  const nnc_network *network = context->model->network;
  if (batch < 1 || batch > context->max_dims[0])
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s: the batch is %lld, the context was made for 1 to %lld",
                    function->name, (long long)batch, (long long)context->max_dims[0]);
  context->dims[0] = batch;
  bool is_step = function->flags & NNC_FUNCTION_STEP;
  if (!is_step && !lengths && network->free_dim_count > 0)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s: lengths is null", function->name);
  for (int32_t i = 0; i < network->free_dim_count; ++i) {
    int64_t length = is_step ? 1 : lengths[i];
    if (length < 1 || length > context->max_dims[i + 1])
      return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s: %s is %lld, the context was made for 1 to %lld",
                      function->name, network->free_dim_names[i], (long long)length,
                      (long long)context->max_dims[i + 1]);
    context->dims[i + 1] = length;
  }
  return NNC_OK;
}

/** Sets the lengths of the examples in each free dimension: the caller's, checked,
 * or all full. */
static nnc_status nnc_set_ragged(nnc_context *context, const nnc_function *function, const int32_t *const *ragged) {
  const nnc_network *network = context->model->network;
  int64_t batch = context->dims[0];
  for (int32_t i = 0; i < network->free_dim_count; ++i) {
    const int32_t *given = ragged && !(function->flags & NNC_FUNCTION_STEP) ? ragged[i] : NULL;
    int32_t length = (int32_t)context->dims[i + 1];
    for (int64_t example = 0; example < batch; ++example) {
      if (!given)
        context->full[i][example] = length;
      else if (given[example] < 0 || given[example] > length)
        return nnc_fail(context->message, NNC_INVALID_ARGUMENT,
                        "%s: the length of example %lld along %s is %d, it must be 0 to %d", function->name,
                        (long long)example, network->free_dim_names[i], (int)given[example], (int)length);
    }
    context->ragged[i] = given ? given : context->full[i];
  }
  return NNC_OK;
}

static nnc_status nnc_check_arguments(nnc_context *context, const nnc_function *function, void *const *arguments) {
  if (!arguments && function->argument_count > 0)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s: arguments is null", function->name);
  for (int32_t i = 0; i < function->argument_count; ++i)
    if (!arguments[i])
      return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s: %s is null", function->name,
                      function->arguments[i].name);
  return NNC_OK;
}

nnc_status nnc_context_check(nnc_context *context, const nnc_function *function, int64_t batch, const int64_t *lengths,
                             const int32_t *const *ragged, void *const *arguments) {
  nnc_status status = nnc_set_dims(context, function, batch, lengths);
  if (status == NNC_OK)
    status = nnc_set_ragged(context, function, ragged);
  return status == NNC_OK ? nnc_check_arguments(context, function, arguments) : status;
}

/*--- Running ---------------------------------------------------------------*/

nnc_frame nnc_context_frame(nnc_context *context) {
  const nnc_model *model = context->model;
  return (nnc_frame){.workspace = context->workspace,
                     .weights = model->kernel_weights,
                     .prepared = model->prepared,
                     .state = context->state,
                     .dims = context->max_dims,
                     .ragged = context->ragged,
                     .tasks = &context->tasks,
                     .isa = model->isa == NNC_ISA_AUTO ? 0 : model->isa - 1,
                     .room = context->max_dims[0]};
}

nnc_status nnc_context_run(nnc_context *context, const char *name, int32_t (*run)(const nnc_frame *frame),
                           nnc_frame *frame) {
  if (context->offload)
    return nnc_offload_run(context, name, run, frame);
  int32_t code = run(frame);
  if (code == 0)
    return NNC_OK;
  return nnc_fail(context->message, NNC_INTERNAL, "%s: %s", name, nnc_network_error(context->model->network, code));
}

nnc_status nnc_context_set_state(nnc_context *context) {
  const nnc_network *network = context->model->network;
  nnc_frame frame = nnc_context_frame(context);
  nnc_status status = network->reset ? nnc_context_run(context, "reset", network->reset, &frame) : NNC_OK;
  context->needs_reset = status != NNC_OK;
  return status;
}

nnc_status nnc_context_call(nnc_context *context, int32_t index, nnc_frame *frame, void *const *arguments) {
  const nnc_network *network = context->model->network;
  const nnc_function *function = &network->functions[index];
  frame->arguments = arguments;
  frame->dims = context->dims;
  frame->offsets = context->offsets[index];
  nnc_segments_choose(network, function, context->dims, context->offsets[index]);
  if (context->offload)
    return nnc_offload_call(context, index, frame, arguments);
  int64_t begin = context->profile ? nnc_now() : 0;
  nnc_status status = nnc_context_run(context, function->name, function->run, frame);
  nnc_profile_function(context, index, begin);
  return status;
}

nnc_status nnc_run(nnc_context *context, int32_t function, int64_t batch, const int64_t *lengths,
                   const int32_t *const *ragged, void *const *arguments) {
  if (!context)
    return NNC_INVALID_ARGUMENT;
  const nnc_network *network = context->model->network;
  if (function < 0 || function >= network->function_count)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s has no function %d", network->name, (int)function);
  const nnc_function *called = &network->functions[function];
  if (called->flags & NNC_FUNCTION_TRAINS)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s trains: %s runs it", called->name,
                    called->flags & NNC_FUNCTION_FLOW ? "nnc_gradient_flow" : "nnc_train_step");
  nnc_status status = nnc_context_check(context, called, batch, lengths, ragged, arguments);
  if (status != NNC_OK)
    return status;

  unsigned mode = nnc_float_mode_set();
  status = nnc_context_prepare(context);
  if (status == NNC_OK && context->needs_reset)
    status = nnc_context_set_state(context);
  nnc_frame frame = nnc_context_frame(context);
  if (status == NNC_OK)
    status = nnc_context_call(context, function, &frame, arguments);
  nnc_float_mode_restore(mode);
  return status;
}

nnc_status nnc_context_reset(nnc_context *context) {
  if (!context)
    return NNC_INVALID_ARGUMENT;
  unsigned mode = nnc_float_mode_set();
  nnc_status status = nnc_context_prepare(context);
  if (status == NNC_OK)
    status = nnc_context_set_state(context);
  nnc_float_mode_restore(mode);
  return status;
}
