/*===- model.c - Making models -----------------------------------------------===*/

#include "offload.h"

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

/** Why the last nnc_model_create of this thread failed: there is no model then
 * that could hold the message. */
static _Thread_local char nnc_create_message[NNC_MESSAGE_SIZE];

const char *nnc_model_error(const nnc_model *model) { return model ? model->message : nnc_create_message; }

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

/** Which kernels are asked for: by the options, else by NNC_ISA in the environment. */
static nnc_status nnc_get_asked_isa(nnc_isa asked, nnc_isa *out_isa) {
  const char *wish = asked == NNC_ISA_AUTO ? getenv("NNC_ISA") : NULL;
  *out_isa = asked;
  if (wish && *wish) {
    if (strcmp(wish, "avx2") != 0 && strcmp(wish, "avx512") != 0)
      return nnc_fail(nnc_create_message, NNC_INVALID_ARGUMENT,
                      "NNC_ISA is '%s' in the environment: it must be avx2 or avx512", wish);
    *out_isa = strcmp(wish, "avx2") == 0 ? NNC_ISA_AVX2 : NNC_ISA_AVX512;
  }
  if (*out_isa != NNC_ISA_AUTO && *out_isa != NNC_ISA_AVX2 && *out_isa != NNC_ISA_AVX512)
    return nnc_fail(nnc_create_message, NNC_INVALID_ARGUMENT, "options->isa is %d, which is no nnc_isa", (int)asked);
  return NNC_OK;
}

/** Chooses the kernels: those asked for, else the best that work. */
static nnc_status nnc_choose_isa(const nnc_network *network, nnc_isa asked, nnc_isa *out_isa) {
  nnc_isa isa;
  *out_isa = NNC_ISA_AUTO;
  if (network->device != NNC_HOST)
    return NNC_OK;
  nnc_status status = nnc_get_asked_isa(asked, &isa);
  if (status != NNC_OK)
    return status;
  if (isa == NNC_ISA_AUTO)
    isa = nnc_isa_works(network, NNC_ISA_AVX512) ? NNC_ISA_AVX512 : NNC_ISA_AVX2;
  *out_isa = isa;
  if (nnc_isa_works(network, isa))
    return NNC_OK;
  const char *name = isa == NNC_ISA_AVX2 ? "AVX2" : "AVX-512";
  if (!(network->isa_mask >> isa & 1))
    return nnc_fail(nnc_create_message, NNC_UNSUPPORTED, "%s has no kernels for %s", network->name, name);
  return nnc_fail(nnc_create_message, NNC_UNSUPPORTED, "this processor has no %s", name);
}

nnc_device_kind nnc_network_device(const nnc_network *network) {
  return network ? (nnc_device_kind)network->device : NNC_HOST;
}

nnc_isa nnc_model_isa(const nnc_model *model) { return model ? model->isa : NNC_ISA_AUTO; }

/*--- Memory ----------------------------------------------------------------*/

/** Where the parts of a model lie. */
typedef struct nnc_model_layout {
  size_t weights, prepared, scratch, size; /**< size is 0 when there is too much */
} nnc_model_layout;

/** Bytes at `scratch`: for making a weight orthogonal, and on the host for preparing weights. */
static int64_t nnc_scratch_size(const nnc_network *network) {
  int64_t size = network->prepare && network->device == NNC_HOST ? network->prepare_workspace_size : 0;
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
  parts.prepared = nnc_layout_add(&layout, network->device == NNC_HOST ? network->prepared_size : 0, 1);
  parts.scratch = nnc_layout_add(&layout, nnc_scratch_size(network), 1);
  parts.size = nnc_layout_finish(&layout);
  return parts;
}

nnc_status nnc_check_network(const nnc_network *network, char *message) {
  if (!network)
    return nnc_fail(message, NNC_INVALID_ARGUMENT, "network is null");
  if (network->version != NNC_NETWORK_VERSION)
    return nnc_fail(message, NNC_VERSION_MISMATCH,
                    "the network's tables are of version %d, the runtime's of version %d", (int)network->version,
                    NNC_NETWORK_VERSION);
  if (network->free_dim_count > NNC_MAX_FREE_DIMS)
    return nnc_fail(message, NNC_UNSUPPORTED, "%s has %d free dimensions, %d are the most", network->name,
                    (int)network->free_dim_count, NNC_MAX_FREE_DIMS);
  for (int32_t i = 0; i < network->function_count; ++i)
    if (network->functions[i].offset_count > NNC_MAX_OFFSETS)
      return nnc_fail(message, NNC_UNSUPPORTED, "%s of %s has %lld buffers, %d are the most",
                      network->functions[i].name, network->name, (long long)network->functions[i].offset_count,
                      NNC_MAX_OFFSETS);
  for (int32_t i = 0; i < network->train_count; ++i)
    if (network->trains[i].beta_count > NNC_MAX_BETAS)
      return nnc_fail(message, NNC_UNSUPPORTED, "%s of %s has %d betas, %d are the most", network->trains[i].name,
                      network->name, (int)network->trains[i].beta_count, NNC_MAX_BETAS);
  return NNC_OK;
}

size_t nnc_model_memory_size(const nnc_network *network) {
  char message[NNC_MESSAGE_SIZE];
  return nnc_check_network(network, message) == NNC_OK ? nnc_lay_out_model(network).size : 0;
}

/*--- Models ----------------------------------------------------------------*/

/** Memory for a model: the caller's where it gave some. */
static nnc_status nnc_take_model_memory(const nnc_model_options *options, size_t size, char **out_memory) {
  nnc_status status;
  *out_memory = nnc_memory_take(options->memory, options->memory_size, size, &status);
  if (status == NNC_INVALID_ARGUMENT)
    return nnc_fail(nnc_create_message, status, "options->memory is not aligned to %d bytes", NNC_ALIGNMENT);
  if (status != NNC_OK && options->memory)
    return nnc_fail(nnc_create_message, status, "the model needs %zu bytes, options->memory_size is %zu", size,
                    options->memory_size);
  if (status != NNC_OK)
    return nnc_fail(nnc_create_message, status, "the model needs %zu bytes", size);
  return NNC_OK;
}

/** Makes a model of zeros in a block of memory. */
static nnc_status nnc_place_model(const nnc_network *network, const nnc_model_options *options, nnc_isa isa,
                                  nnc_model **out_model) {
  nnc_model_layout parts = nnc_lay_out_model(network);
  if (parts.size == 0)
    return nnc_fail(nnc_create_message, NNC_OUT_OF_MEMORY, "the weights of %s are more than memory can hold",
                    network->name);
  char *memory;
  nnc_status status = nnc_take_model_memory(options, parts.size, &memory);
  if (status != NNC_OK)
    return status;
  memset(memory, 0, parts.scratch);
  nnc_model *model = (nnc_model *)memory;
  model->network = network;
  model->weights = model->kernel_weights = memory + parts.weights;
  model->prepared = memory + parts.prepared;
  model->scratch = model->kernel_scratch = memory + parts.scratch;
  model->parallel_for = options->parallel_for;
  model->parallel_user = options->parallel_user;
  model->isa = isa;
  model->owns_memory = !options->memory;
  if (pthread_mutex_init(&model->lock, NULL) != 0) {
    if (model->owns_memory)
      free(model);
    return nnc_fail(nnc_create_message, NNC_OUT_OF_MEMORY, "the system has no mutex for the model");
  }
  *out_model = model;
  if (network->device != NNC_HOST)
    model->kernel_weights = NULL;
  return nnc_model_offload(model, options->device, nnc_create_message);
}

/** Sets the weights that a new model starts with: those that the library carries,
 * else those of the initializers. */
static nnc_status nnc_set_start_weights(nnc_model *model, uint64_t seed) {
  const nnc_network *network = model->network;
  if (!network->embedded) {
    nnc_weights_initialize(model, seed);
    return NNC_OK;
  }
  nnc_status status = nnc_model_load_memory(model, network->embedded, (size_t)network->embedded_size);
  if (status != NNC_OK)
    nnc_fail(nnc_create_message, status, "the weights in %s: %s", network->name, model->message);
  return status;
}

nnc_status nnc_model_create(const nnc_network *network, const nnc_model_options *options, nnc_model **out_model) {
  static const nnc_model_options defaults;
  nnc_create_message[0] = 0;
  if (!out_model)
    return nnc_fail(nnc_create_message, NNC_INVALID_ARGUMENT, "out_model is null");
  *out_model = NULL;
  options = options ? options : &defaults;
  nnc_isa isa = NNC_ISA_AUTO;
  nnc_model *model = NULL;
  nnc_status status = nnc_check_network(network, nnc_create_message);
  if (status == NNC_OK)
    status = nnc_choose_isa(network, options->isa, &isa);
  if (status == NNC_OK)
    status = nnc_place_model(network, options, isa, &model);
  if (status == NNC_OK)
    status = nnc_set_start_weights(model, options->seed);
  if (status == NNC_OK)
    *out_model = model;
  else
    nnc_model_destroy(model);
  return status;
}

void nnc_model_destroy(nnc_model *model) {
  if (!model)
    return;
  nnc_model_close_device(model);
  pthread_mutex_destroy(&model->lock);
  if (model->owns_memory)
    free(model);
}
