/*===- model.c - Making models -----------------------------------------------===*/

#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*--- Messages --------------------------------------------------------------*/

nnc_status nnc_model_fail(const nnc_model *model, nnc_status status, const char *format, ...) {
  /* Reading a weight leaves the model as it is but for its message. */
  nnc_model *target = (nnc_model *)model;
  va_list values;
  va_start(values, format);
  pthread_mutex_lock(&target->lock);
  vsnprintf(target->message, sizeof target->message, format, values);
  pthread_mutex_unlock(&target->lock);
  va_end(values);
  return status;
}

const char *nnc_model_error(const nnc_model *model) { return model ? model->message : ""; }

const char *nnc_network_error(const nnc_network *network, int32_t code) {
  return code > 0 && network->errors ? network->errors[code - 1] : "a kernel failed";
}

/*--- Kernels ---------------------------------------------------------------*/

static bool nnc_processor_has(nnc_isa isa) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == NNC_ISA_AVX2)
    return avx2;
  return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
#else
  (void)isa;
  return false;
#endif
}

/** Whether the library carries such kernels and the processor runs them. */
static bool nnc_isa_works(const nnc_network *network, nnc_isa isa) {
  return (network->isa_mask >> isa & 1) && nnc_processor_has(isa);
}

/** Chooses the kernels: as asked, else as NNC_ISA in the environment says, else
 * the best that work. */
static nnc_status nnc_choose_isa(const nnc_network *network, nnc_isa asked, nnc_isa *out_isa) {
  const char *wish = asked == NNC_ISA_AUTO ? getenv("NNC_ISA") : NULL;
  if (wish && *wish) {
    if (strcmp(wish, "avx2") != 0 && strcmp(wish, "avx512") != 0)
      return NNC_INVALID_ARGUMENT;
    asked = strcmp(wish, "avx2") == 0 ? NNC_ISA_AVX2 : NNC_ISA_AVX512;
  }
  if (asked == NNC_ISA_AUTO)
    asked = nnc_isa_works(network, NNC_ISA_AVX512) ? NNC_ISA_AVX512 : NNC_ISA_AVX2;
  if (asked != NNC_ISA_AVX2 && asked != NNC_ISA_AVX512)
    return NNC_INVALID_ARGUMENT;
  *out_isa = asked;
  return nnc_isa_works(network, asked) ? NNC_OK : NNC_UNSUPPORTED;
}

nnc_isa nnc_model_isa(const nnc_model *model) { return model ? model->isa : NNC_ISA_AUTO; }

/*--- Memory ----------------------------------------------------------------*/

/** Where the parts of a model lie. */
typedef struct nnc_model_layout {
  size_t weights, prepared, scratch, size; /**< size is 0 when there is too much */
} nnc_model_layout;

/** Bytes at `scratch`: for preparing weights, or making one orthogonal. */
static int64_t nnc_scratch_size(const nnc_network *network) {
  int64_t size = network->prepare ? network->prepare_workspace_size : 0;
  for (int32_t i = 0; i < network->weight_count; ++i) {
    const nnc_weight *weight = &network->weights[i];
    int64_t bytes = nnc_weight_elements(weight) * (int64_t)sizeof(float);
    if (weight->initializer == NNC_INIT_ORTHOGONAL && bytes > size)
      size = bytes;
  }
  return size;
}

static nnc_model_layout nnc_lay_out_model(const nnc_network *network) {
  nnc_layout layout = {sizeof(nnc_model), false};
  nnc_model_layout parts;
  parts.weights = nnc_layout_add(&layout, network->weights_size, 1);
  parts.prepared = nnc_layout_add(&layout, network->prepared_size, 1);
  parts.scratch = nnc_layout_add(&layout, nnc_scratch_size(network), 1);
  parts.size = nnc_layout_finish(&layout);
  return parts;
}

nnc_status nnc_check_network(const nnc_network *network) {
  if (!network)
    return NNC_INVALID_ARGUMENT;
  if (network->version != NNC_NETWORK_VERSION)
    return NNC_VERSION_MISMATCH;
  if (network->free_dim_count > NNC_MAX_FREE_DIMS)
    return NNC_UNSUPPORTED;
  for (int32_t i = 0; i < network->function_count; ++i)
    if (network->functions[i].offset_count > NNC_MAX_OFFSETS)
      return NNC_UNSUPPORTED;
  for (int32_t i = 0; i < network->train_count; ++i)
    if (network->trains[i].beta_count > NNC_MAX_BETAS)
      return NNC_UNSUPPORTED;
  return NNC_OK;
}

size_t nnc_model_memory_size(const nnc_network *network) {
  return nnc_check_network(network) == NNC_OK ? nnc_lay_out_model(network).size : 0;
}

/*--- Models ----------------------------------------------------------------*/

/** Makes a model of zeros in a block of memory. */
static nnc_status nnc_place_model(const nnc_network *network, const nnc_model_options *options, nnc_isa isa,
                                  nnc_model **out_model) {
  nnc_model_layout parts = nnc_lay_out_model(network);
  if (parts.size == 0)
    return NNC_OUT_OF_MEMORY;
  nnc_status status;
  char *memory = nnc_memory_take(options->memory, options->memory_size, parts.size, &status);
  if (!memory)
    return status;
  memset(memory, 0, parts.scratch);
  nnc_model *model = (nnc_model *)memory;
  model->network = network;
  model->weights = memory + parts.weights;
  model->prepared = memory + parts.prepared;
  model->scratch = memory + parts.scratch;
  model->parallel_for = options->parallel_for;
  model->parallel_user = options->parallel_user;
  model->isa = isa;
  model->owns_memory = !options->memory;
  if (pthread_mutex_init(&model->lock, NULL) != 0) {
    if (model->owns_memory)
      free(model);
    return NNC_OUT_OF_MEMORY;
  }
  *out_model = model;
  return NNC_OK;
}

nnc_status nnc_model_create(const nnc_network *network, const nnc_model_options *options, nnc_model **out_model) {
  static const nnc_model_options defaults;
  if (!out_model)
    return NNC_INVALID_ARGUMENT;
  *out_model = NULL;
  options = options ? options : &defaults;
  nnc_isa isa = NNC_ISA_AUTO;
  nnc_model *model = NULL;
  nnc_status status = nnc_check_network(network);
  if (status == NNC_OK)
    status = nnc_choose_isa(network, options->isa, &isa);
  if (status == NNC_OK)
    status = nnc_place_model(network, options, isa, &model);
  if (status != NNC_OK)
    return status;
  if (network->embedded)
    status = nnc_model_load_memory(model, network->embedded, (size_t)network->embedded_size);
  else
    nnc_weights_initialize(model, options->seed);
  if (status == NNC_OK)
    *out_model = model;
  else
    nnc_model_destroy(model);
  return status;
}

void nnc_model_destroy(nnc_model *model) {
  if (!model)
    return;
  pthread_mutex_destroy(&model->lock);
  if (model->owns_memory)
    free(model);
}
