/*===- train.c - Steps of training --------------------------------------------===*\
 *
 * The sums of gradients lie as the weights do. Where running statistics lie among
 * weights, the gradients' memory holds them as the calls since the last update
 * moved them; an update makes them the model's. So calls on several contexts can
 * run at once, and a loss that is not finite leaves the model as it was.
 *
 * Truncated back-propagation goes through a call in windows (windows.c): a step makes
 * an update after each of them, gradients alone are the sum over all.
 *
\*===----------------------------------------------------------------------===*/

#include "float_mode.h"
#include "offload.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*--- Labels ----------------------------------------------------------------*/

/** Whether a step, counted over all free dimensions, is past an example's end. */
static bool nnc_is_past_end(const nnc_context *context, const nnc_argument *argument, int64_t example, int64_t step) {
  for (int32_t i = argument->rank; i-- > 0;) {
    const nnc_extent *extent = &argument->extents[i];
    if (extent->dim <= 0)
      continue;
    int64_t length = nnc_extent_length(extent, context->dims[0], context->dims + 1);
    if (step % length >= context->ragged[extent->dim - 1][example])
      return true;
    step /= length;
  }
  return false;
}

/** Checks that numbers of classes are in range; past an example's end they do not
 * matter. */
static nnc_status nnc_check_classes(nnc_context *context, const nnc_function *function, const nnc_argument *argument,
                                    const int32_t *values) {
  int64_t steps = 1, fixed = 1;
  for (int32_t i = 0; i < argument->rank; ++i) {
    const nnc_extent *extent = &argument->extents[i];
    int64_t length = nnc_extent_length(extent, context->dims[0], context->dims + 1);
    if (extent->dim < 0)
      fixed *= length;
    else if (extent->dim > 0)
      steps *= length;
  }
  for (int64_t example = 0; example < context->dims[0]; ++example)
    for (int64_t step = 0; step < steps; ++step, values += fixed) {
      if (nnc_is_past_end(context, argument, example, step))
        continue;
      for (int64_t i = 0; i < fixed; ++i)
        if (values[i] < 0 || values[i] >= argument->classes)
          return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "%s: %s of example %lld is %d, it must be 0 to %lld",
                          function->name, argument->name, (long long)example, (int)values[i],
                          (long long)argument->classes - 1);
    }
  return NNC_OK;
}

nnc_status nnc_check_batch(nnc_context *context, const nnc_function *function, int64_t batch, const int64_t *lengths,
                           const int32_t *const *ragged, void *const *arguments) {
  nnc_status status = nnc_context_check(context, function, batch, lengths, ragged, arguments);
  for (int32_t i = 0; i < function->argument_count && status == NNC_OK; ++i) {
    const nnc_argument *argument = &function->arguments[i];
    if (!argument->output && argument->classes > 0 && nnc_host_reads(context, arguments[i]))
      status = nnc_check_classes(context, function, argument, arguments[i]);
  }
  return status;
}

/*--- Gradients -------------------------------------------------------------*/

/** Where this call's gradients go: to those of the context, or beside them where
 * they are to be added. Running statistics go on from the last ones. */
static nnc_status nnc_begin_gradients(nnc_context *context, bool adds, char **out_target) {
  nnc_training *training = context->training;
  const nnc_network *network = context->model->network;
  size_t trained = (size_t)network->trainable_size, all = (size_t)network->weights_size;
  nnc_status status = NNC_OK;
  if (context->offload) /* the weights may be the host's, and running statistics are read as weights are */
    status = nnc_context_prepare(context);
  if (status == NNC_OK && adds && !training->is_clean)
    status = nnc_kernels_zero(context, training->added, all);
  training->is_clean |= adds;
  char *target = adds ? training->added : training->gradients;
  const char *statistics = adds ? training->gradients : context->model->kernel_weights;
  if (status == NNC_OK)
    status = nnc_kernels_copy(context, target + trained, statistics + trained, all - trained);
  if (!adds)
    training->examples = 0;
  *out_target = target;
  return status;
}

void nnc_draw_seed(nnc_training *training, int32_t out_seed[2]) {
  uint64_t call = (uint64_t)training->calls++;
  uint32_t counter[4] = {(uint32_t)call, (uint32_t)(call >> 32), 0, 0}, words[4];
  nnc_philox(counter, training->seed, words);
  memcpy(out_seed, words, 2 * sizeof *out_seed);
}

/** Runs the function and checks its loss. */
static nnc_status nnc_run_gradients(nnc_context *context, int32_t train, char *gradients, const int32_t *const *ragged,
                                    void *const *arguments) {
  const int32_t index = context->model->network->trains[train].gradients;
  const nnc_function *function = &context->model->network->functions[index];
  int32_t seed[2];
  nnc_draw_seed(context->training, seed);
  nnc_frame frame = nnc_context_frame(context);
  frame.gradients = gradients;
  frame.seed = seed;
  frame.ragged = ragged;
  frame.state = context->training->states;
  unsigned mode = nnc_float_mode_set();
  nnc_status status = nnc_context_call(context, index, &frame, arguments);
  nnc_float_mode_restore(mode);
  float loss;
  memcpy(&loss, arguments[function->argument_count - 1], sizeof loss);
  context->training->recorded = status == NNC_OK ? train + 1 : 0;
  if (status == NNC_OK && !isfinite(loss))
    status = nnc_fail_numeric(context, train, function->name, loss);
  return status;
}

/** Gradients of one call for the host to read, beside its copy of those that they are added
 * to; where that is memory of its own, the caller frees it. */
static nnc_status nnc_gradients_take(nnc_context *context, char *target, char **out_added) {
  size_t size = (size_t)context->model->network->trainable_size;
  char *host;
  *out_added = target;
  nnc_status status = nnc_kernels_fetch(context, target, size, &host);
  if (status != NNC_OK || host == target)
    return status;
  char *copy = malloc(size + 1);
  if (!copy)
    return nnc_fail(context->message, NNC_OUT_OF_MEMORY, "a copy of the gradients needs %zu bytes", size);
  *out_added = memcpy(copy, host, size);
  return NNC_OK;
}

/** The gradients of one call of the function, which replace those that wait or are
 * added to them. */
static nnc_status nnc_take_gradients(nnc_context *context, int32_t train, bool adds, const int32_t *const *ragged,
                                     void *const *arguments) {
  nnc_training *training = context->training;
  const nnc_network *network = context->model->network;
  char *target, *added;
  nnc_status status = nnc_begin_gradients(context, adds, &target);
  if (status == NNC_OK)
    status = nnc_run_gradients(context, train, target, ragged, arguments);
  if (status != NNC_OK || !adds)
    return status;
  size_t trained = (size_t)network->trainable_size;
  status = nnc_gradients_take(context, target, &added);
  if (status == NNC_OK)
    status = nnc_gradients_sum(context, added);
  if (status == NNC_OK)
    status = nnc_kernels_copy(context, training->gradients + trained, target + trained,
                              (size_t)network->weights_size - trained);
  if (added != target)
    free(added);
  return status;
}

/** The same of one window; *loss grows by its share of the sequence's. */
static nnc_status nnc_take_window(nnc_context *context, int32_t train, int64_t i, bool whole, bool adds,
                                  void *const *arguments, double *loss) {
  nnc_training *training = context->training;
  const nnc_train *block = &context->model->network->trains[train];
  nnc_window window = nnc_window_at(context, block, i);
  nnc_window_fill(context, block, &window, whole, arguments);
  const int32_t *ragged[1 + NNC_WINDOW_LISTS];
  for (int32_t list = 0; list <= NNC_WINDOW_LISTS; ++list)
    ragged[list] = training->window_lists + list * context->max_dims[0];
  float share = 0;
  training->window_arguments[context->model->network->functions[block->gradients].argument_count - 1] = &share;
  int64_t steps = context->dims[1];
  context->dims[1] = window.end - window.begin;
  nnc_status status = nnc_take_gradients(context, train, adds, ragged, training->window_arguments);
  context->dims[1] = steps;
  *loss += (double)share;
  return status;
}

/** Hands the caller the loss of all windows so far. */
static void nnc_give_loss(const nnc_context *context, int32_t train, void *const *arguments, double loss) {
  const nnc_network *network = context->model->network;
  float rounded = (float)loss;
  memcpy(arguments[network->functions[network->trains[train].gradients].argument_count - 1], &rounded, sizeof rounded);
}

/** Gradients of all windows, the weights being the same in each. When one fails, those
 * of others may have been added already: then there are none. */
static nnc_status nnc_sum_windows(nnc_context *context, int32_t train, bool adds, void *const *arguments) {
  nnc_status status = NNC_OK;
  double loss = 0;
  int64_t count = nnc_window_count(context, &context->model->network->trains[train]);
  for (int64_t i = 0; i < count && status == NNC_OK; ++i) {
    status = nnc_take_window(context, train, i, /*whole=*/true, adds || i > 0, arguments, &loss);
    if (status != NNC_OK && i > 0)
      context->training->examples = 0;
  }
  nnc_give_loss(context, train, arguments, loss);
  return status;
}

nnc_status nnc_train_gradients(nnc_context *context, int32_t train, int32_t accumulate, int64_t batch,
                               const int64_t *lengths, const int32_t *const *ragged, void *const *arguments) {
  nnc_status status = nnc_training_check(context, train);
  if (status != NNC_OK)
    return status;
  nnc_training *training = context->training;
  const nnc_network *network = context->model->network;
  bool adds = accumulate && training->examples > 0;
  if (adds)
    status = nnc_gradients_check(context, train);
  int32_t index = network->trains[train].gradients;
  if (status == NNC_OK)
    status = nnc_check_batch(context, &network->functions[index], batch, lengths, ragged, arguments);
  if (status != NNC_OK)
    return status;

  status = network->trains[train].window_length > 0
               ? nnc_sum_windows(context, train, adds, arguments)
               : nnc_take_gradients(context, train, adds, context->ragged, arguments);
  if (status != NNC_OK)
    return status;
  training->train = train;
  training->examples += batch;
  return NNC_OK;
}

/*--- Updates ---------------------------------------------------------------*/

/** What an update's function is told: rate, scale, corrections. */
static nnc_status nnc_set_numbers(nnc_context *context, int32_t train, float numbers[2 + NNC_MAX_BETAS]) {
  const nnc_train *block = &context->model->network->trains[train];
  const nnc_training *training = context->training;
  double step = (double)training->steps[train], epoch = (double)training->epoch, rate = block->rate(step, epoch);
  if (!isfinite(rate))
    return nnc_fail(context->message, NNC_NUMERIC, "%s: the rate is %g at step %lld of epoch %lld", block->name, rate,
                    (long long)training->steps[train], (long long)training->epoch);
  numbers[0] = (float)rate;
  numbers[1] = nnc_gradient_scale(context, train);
  for (int32_t i = 0; i < block->beta_count; ++i)
    numbers[2 + i] = (float)(1 - pow(block->betas[i], step + 1));
  return NNC_OK;
}

/** Runs the function that moves weights and slots. */
static nnc_status nnc_run_update(nnc_context *context, int32_t train, float numbers[2 + NNC_MAX_BETAS]) {
  const nnc_network *network = context->model->network;
  nnc_training *training = context->training;
  void *arguments[2 + NNC_MAX_BETAS];
  for (int32_t i = 0; i < 2 + NNC_MAX_BETAS; ++i)
    arguments[i] = &numbers[i];
  nnc_frame frame = nnc_context_frame(context);
  frame.ragged = NULL;
  frame.gradients = training->gradients;
  frame.slots = training->slots + nnc_slots_before(network, train) * network->trainable_size;
  unsigned mode = nnc_float_mode_set();
  nnc_status status = nnc_context_call(context, network->trains[train].update, &frame, arguments);
  nnc_float_mode_restore(mode);
  return status;
}

nnc_status nnc_train_update(nnc_context *context, int32_t train) {
  float numbers[2 + NNC_MAX_BETAS];
  nnc_status status = nnc_gradients_check(context, train);
  if (status == NNC_OK)
    status = nnc_set_numbers(context, train, numbers);
  if (status != NNC_OK)
    return status;
  nnc_model *model = context->model;
  nnc_training *training = context->training;
  size_t trained = (size_t)model->network->trainable_size;
  if (model->network->trains[train].update >= 0)
    status = nnc_run_update(context, train, numbers);
  if (status == NNC_OK) {
    status = nnc_kernels_copy(context, model->kernel_weights + trained, training->gradients + trained,
                              (size_t)model->network->weights_size - trained);
    ++training->steps[train];
  }
  training->examples = 0;
  nnc_weights_moved(model);
  return status;
}

/** An update after each window. */
static nnc_status nnc_step_windows(nnc_context *context, int32_t train, void *const *arguments) {
  nnc_status status = NNC_OK;
  double loss = 0;
  int64_t count = nnc_window_count(context, &context->model->network->trains[train]);
  for (int64_t i = 0; i < count && status == NNC_OK; ++i) {
    status = nnc_take_window(context, train, i, /*whole=*/false, /*adds=*/false, arguments, &loss);
    if (status != NNC_OK)
      break;
    context->training->train = train;
    context->training->examples = context->dims[0];
    status = nnc_train_update(context, train);
  }
  nnc_give_loss(context, train, arguments, loss);
  return status;
}

nnc_status nnc_train_step(nnc_context *context, int32_t train, int64_t batch, const int64_t *lengths,
                          const int32_t *const *ragged, void *const *arguments) {
  nnc_status status = nnc_training_check(context, train);
  if (status != NNC_OK)
    return status;
  const nnc_train *block = &context->model->network->trains[train];
  if (block->window_length > 0) {
    const nnc_function *function = &context->model->network->functions[block->gradients];
    status = nnc_check_batch(context, function, batch, lengths, ragged, arguments);
    return status == NNC_OK ? nnc_step_windows(context, train, arguments) : status;
  }
  status = nnc_train_gradients(context, train, /*accumulate=*/0, batch, lengths, ragged, arguments);
  return status == NNC_OK ? nnc_train_update(context, train) : status;
}
