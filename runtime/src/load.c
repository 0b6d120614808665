/*===- load.c - Weights and training from safetensors files ------------------===*\
 *
 * The header is checked against the network before a weight is touched. From a
 * file, values are then read into a copy, since reading can fail halfway; only
 * what the network needs is read, so that no file takes more memory than it has.
 *
\*===----------------------------------------------------------------------===*/

#include "checkpoint.h"
#include "offload.h"
#include "safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/** Of each read from a file; a multiple of every type's size. */
#define NNC_CHUNK 16384

/** Characters of a shape in a message. */
#define NNC_SHAPE_SIZE 96

/** Bytes at hand, or a file. */
typedef struct nnc_input {
  const unsigned char *bytes; /**< or null */
  int file;
  uint64_t size;
} nnc_input;

/** Reads all of [offset, offset + size), which is inside the input. */
static nnc_status nnc_input_read(const nnc_input *input, uint64_t offset, void *out_bytes, size_t size, char *message) {
  if (input->bytes) {
    memcpy(out_bytes, input->bytes + offset, size);
    return NNC_OK;
  }
  for (size_t done = 0; done < size;) {
    ssize_t count = pread(input->file, (char *)out_bytes + done, size - done, (off_t)(offset + done));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return nnc_fail(message, NNC_IO_ERROR, "%s", count < 0 ? strerrordesc_np(errno) : "the file became shorter");
    done += (size_t)count;
  }
  return NNC_OK;
}

/*--- Values ----------------------------------------------------------------*/

/** The values of one tensor, in order. */
typedef struct nnc_values {
  const nnc_input *input;
  uint64_t offset; /**< of what is read next */
  uint64_t end;
  int32_t type;
  size_t at, filled; /**< in the chunk */
  nnc_status status; /**< after a failure all values are 0 */
  char *message;
  unsigned char chunk[NNC_CHUNK];
} nnc_values;

static void nnc_read_chunk(nnc_values *values) {
  size_t size = values->end - values->offset < NNC_CHUNK ? (size_t)(values->end - values->offset) : NNC_CHUNK;
  if (values->status == NNC_OK)
    values->status = nnc_input_read(values->input, values->offset, values->chunk, size, values->message);
  if (values->status != NNC_OK)
    memset(values->chunk, 0, size);
  values->offset += size;
  values->filled = size;
  values->at = 0;
}

static float nnc_decode(int32_t type, const unsigned char *bytes) {
  double wide;
  float single;
  uint16_t half;
  switch (type) {
  case NNC_TYPE_F64:
    memcpy(&wide, bytes, sizeof wide);
    return (float)wide;
  case NNC_TYPE_F32:
    memcpy(&single, bytes, sizeof single);
    return single;
  default:
    memcpy(&half, bytes, sizeof half);
    return type == NNC_TYPE_F16 ? nnc_float_from_half(half) : nnc_float_from_bfloat(half);
  }
}

static void nnc_load_run(void *data, float *storage, int64_t stride, int64_t first, int64_t length) {
  nnc_values *values = data;
  size_t size = (size_t)nnc_types[values->type].size;
  (void)first; /* runs come in order */
  for (int64_t i = 0; i < length; ++i) {
    if (values->at == values->filled)
      nnc_read_chunk(values);
    storage[i * stride] = nnc_decode(values->type, values->chunk + values->at);
    values->at += size;
  }
}

/*--- The header ------------------------------------------------------------*/

/** Says which shapes differ. */
static nnc_status nnc_fail_shape(const nnc_tensors *tensors, const nnc_tensor *tensor, const int64_t *expected,
                                 int32_t rank, const char *kind, char *message) {
  char shape[NNC_SHAPE_SIZE] = "[";
  size_t length = 1;
  for (int32_t dim = 0; dim < rank && length < sizeof shape - 24; ++dim)
    length += (size_t)snprintf(shape + length, 24, dim ? ",%lld" : "%lld", (long long)expected[dim]);
  const char *end = memchr(tensor->shape, ']', (size_t)(tensors->text_end - tensor->shape));
  ptrdiff_t given = end - tensor->shape;
  return nnc_fail(message, NNC_SHAPE_MISMATCH, "%s %s is %.*s], not %s]", kind, tensor->name,
                  (int)(given < NNC_SHAPE_SIZE ? given : NNC_SHAPE_SIZE), tensor->shape, shape);
}

/** Checks that a file holds nothing but what belongs to the checkpoint, or is for
 * others: training's tensors where weights alone are read. */
static nnc_status nnc_check_names(const nnc_checkpoint *checkpoint, const nnc_tensors *tensors, char *message) {
  for (int64_t i = 0; i < tensors->count; ++i) {
    const char *name = tensors->items[i].name;
    bool is_training = strncmp(name, "nnc.", 4) == 0;
    if (is_training && !checkpoint->training)
      continue;
    if (!nnc_checkpoint_has(checkpoint, name))
      return nnc_fail(message, NNC_NOT_FOUND, "network %s has no %s %s", checkpoint->model->network->name,
                      is_training ? "tensor" : "weight", name);
  }
  return NNC_OK;
}

/** Checks that the file holds a section's tensors, of the right types and shapes. */
static nnc_status nnc_check_section(const nnc_network *network, const nnc_section *section, const nnc_tensors *tensors,
                                    char *message) {
  const char *kind = *section->prefix ? "tensor" : "weight";
  for (int32_t i = 0; i < network->weight_count; ++i) {
    const nnc_weight *weight = &network->weights[i];
    if (!nnc_section_has(section, weight))
      continue;
    const nnc_tensor *tensor = nnc_tensors_find(tensors, section->prefix, weight->name);
    if (!tensor)
      return nnc_fail(message, NNC_MISSING_WEIGHT, "there is no %s %s%s", kind, section->prefix, weight->name);
    if (!nnc_tensor_has_shape(tensors, tensor, weight->shape, weight->rank))
      return nnc_fail_shape(tensors, tensor, weight->shape, weight->rank, kind, message);
    if (!nnc_types[tensor->type].can_become_float)
      return nnc_fail(message, NNC_BAD_FILE, "%s %s is of type %s, not of F64, F32, F16 or BF16", kind, tensor->name,
                      nnc_types[tensor->type].name);
  }
  return NNC_OK;
}

static nnc_status nnc_check_counter(const nnc_counter *counter, const nnc_tensors *tensors, char *message) {
  const nnc_tensor *tensor = nnc_tensors_find(tensors, "", counter->name);
  if (!tensor)
    return nnc_fail(message, NNC_MISSING_WEIGHT, "there is no tensor %s: the file holds weights alone", counter->name);
  if (!nnc_tensor_has_shape(tensors, tensor, &counter->count, 1))
    return nnc_fail_shape(tensors, tensor, &counter->count, 1, "tensor", message);
  if (tensor->type != NNC_TYPE_I64)
    return nnc_fail(message, NNC_BAD_FILE, "tensor %s is of type %s, not I64", counter->name,
                    nnc_types[tensor->type].name);
  return NNC_OK;
}

static nnc_status nnc_check_tensors(const nnc_checkpoint *checkpoint, const nnc_tensors *tensors, char *message) {
  nnc_status status = nnc_check_names(checkpoint, tensors, message);
  for (int32_t i = 0; i < nnc_counter_count(checkpoint) && status == NNC_OK; ++i) {
    nnc_counter counter = nnc_counter_at(checkpoint, i);
    status = nnc_check_counter(&counter, tensors, message);
  }
  for (int32_t i = 0; i < nnc_section_count(checkpoint) && status == NNC_OK; ++i) {
    nnc_section section = nnc_section_at(checkpoint, i);
    status = nnc_check_section(checkpoint->model->network, &section, tensors, message);
  }
  return status;
}

/** Reads and checks the header. */
static nnc_status nnc_read_header(const nnc_checkpoint *checkpoint, const nnc_input *input, nnc_tensors *tensors,
                                  char *message) {
  unsigned char start[NNC_HEADER_OFFSET] = {0};
  uint64_t length = 0;
  nnc_status status = NNC_OK;
  if (input->size >= sizeof start)
    status = nnc_input_read(input, 0, start, sizeof start, message);
  if (status == NNC_OK)
    status = nnc_header_length(start, input->size, &length, message);
  if (status != NNC_OK)
    return status;
  tensors->text = malloc(length + 1);
  if (!tensors->text)
    return nnc_fail(message, NNC_OUT_OF_MEMORY, "the header does not fit in memory");
  tensors->text_end = tensors->text + length;
  status = nnc_input_read(input, NNC_HEADER_OFFSET, tensors->text, length, message);
  if (status == NNC_OK)
    status = nnc_tensors_parse(tensors, (int64_t)(input->size - NNC_HEADER_OFFSET - length), message);
  return status == NNC_OK ? nnc_check_tensors(checkpoint, tensors, message) : status;
}

/*--- The data --------------------------------------------------------------*/

/** Where a tensor's data begins in the file. */
static uint64_t nnc_data_offset(const nnc_tensors *tensors, int64_t begin) {
  return NNC_HEADER_OFFSET + (uint64_t)(tensors->text_end - tensors->text) + (uint64_t)begin;
}

/** Reads a section's tensors to where they lie in `memory`. */
static nnc_status nnc_read_section(const nnc_network *network, const nnc_section *section, const nnc_tensors *tensors,
                                   const nnc_input *input, char *memory, char *message) {
  nnc_values values = {.input = input, .message = message};
  for (int32_t i = 0; i < network->weight_count && values.status == NNC_OK; ++i) {
    const nnc_weight *weight = &network->weights[i];
    if (!nnc_section_has(section, weight))
      continue;
    const nnc_tensor *tensor = nnc_tensors_find(tensors, section->prefix, weight->name);
    values.offset = nnc_data_offset(tensors, tensor->begin);
    values.end = nnc_data_offset(tensors, tensor->end);
    values.type = tensor->type;
    values.at = values.filled = 0;
    nnc_weight_visit(weight, memory, 0, nnc_weight_rows(weight), nnc_load_run, &values);
  }
  return values.status;
}

/** Reads a counter to `values`. */
static nnc_status nnc_read_counter(const nnc_counter *counter, const nnc_tensors *tensors, const nnc_input *input,
                                   int64_t *values, char *message) {
  const nnc_tensor *tensor = nnc_tensors_find(tensors, "", counter->name);
  nnc_status status = nnc_input_read(input, nnc_data_offset(tensors, tensor->begin), values,
                                     (size_t)counter->count * sizeof *values, message);
  for (int64_t i = 0; i < counter->count && status == NNC_OK; ++i)
    if (counter->is_natural && values[i] < 0)
      status = nnc_fail(message, NNC_BAD_FILE, "tensor %s holds %lld, which is negative", counter->name,
                        (long long)values[i]);
  return status;
}

/** Reads everything into a copy, counters first, each part behind the other. */
static nnc_status nnc_read_copy(const nnc_checkpoint *checkpoint, const nnc_tensors *tensors, const nnc_input *input,
                                char *copy, char *message) {
  nnc_status status = NNC_OK;
  for (int32_t i = 0; i < nnc_counter_count(checkpoint) && status == NNC_OK; ++i) {
    nnc_counter counter = nnc_counter_at(checkpoint, i);
    status = nnc_read_counter(&counter, tensors, input, (int64_t *)copy, message);
    copy += counter.count * (int64_t)sizeof(int64_t);
  }
  for (int32_t i = 0; i < nnc_section_count(checkpoint) && status == NNC_OK; ++i) {
    nnc_section section = nnc_section_at(checkpoint, i);
    status = nnc_read_section(checkpoint->model->network, &section, tensors, input, copy, message);
    copy += section.size;
  }
  return status;
}

/** Takes a copy over, or counts its bytes where there is none. */
static size_t nnc_take_copy(const nnc_checkpoint *checkpoint, const char *copy) {
  size_t done = 0;
  for (int32_t i = 0; i < nnc_counter_count(checkpoint); ++i) {
    nnc_counter counter = nnc_counter_at(checkpoint, i);
    size_t size = (size_t)counter.count * sizeof(int64_t);
    if (copy)
      memcpy(counter.values, copy + done, size);
    done += size;
  }
  for (int32_t i = 0; i < nnc_section_count(checkpoint); ++i) {
    nnc_section section = nnc_section_at(checkpoint, i);
    if (copy)
      memcpy(section.memory, copy + done, (size_t)section.size);
    done += (size_t)section.size;
  }
  return done;
}

/** Reads values into a copy, and takes that over when all were read. */
static nnc_status nnc_replace(const nnc_checkpoint *checkpoint, const nnc_tensors *tensors, const nnc_input *input,
                              char *message) {
  size_t size = nnc_take_copy(checkpoint, NULL);
  char *copy = calloc(1, size ? size : 1);
  if (!copy)
    return nnc_fail(message, NNC_OUT_OF_MEMORY, "there is no memory for a copy of %zu bytes", size);
  nnc_status status = nnc_read_copy(checkpoint, tensors, input, copy, message);
  if (status == NNC_OK)
    nnc_take_copy(checkpoint, copy);
  free(copy);
  return status;
}

static nnc_status nnc_load(const nnc_checkpoint *checkpoint, const nnc_input *input, const char *source,
                           char *message) {
  char reason[NNC_MESSAGE_SIZE] = "";
  nnc_tensors tensors = {0};
  nnc_status status = nnc_read_header(checkpoint, input, &tensors, reason);
  if (status == NNC_OK && input->bytes) { /* reading them cannot fail */
    nnc_section weights = nnc_section_at(checkpoint, 0);
    status = nnc_read_section(checkpoint->model->network, &weights, &tensors, input, weights.memory, reason);
  } else if (status == NNC_OK) {
    status = nnc_replace(checkpoint, &tensors, input, reason);
  }
  nnc_tensors_free(&tensors);
  if (status != NNC_OK)
    return nnc_fail(message, status, "%s: %s", source, reason);
  nnc_weights_changed(checkpoint->model);
  return NNC_OK;
}

static nnc_status nnc_load_file(const nnc_checkpoint *checkpoint, const char *path, char *message) {
  if (!path)
    return nnc_fail(message, NNC_INVALID_ARGUMENT, "path is null");
  struct stat info;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0)
    return nnc_fail(message, errno == ENOENT || errno == ENOTDIR ? NNC_NOT_FOUND : NNC_IO_ERROR, "%s: %s", path,
                    strerrordesc_np(errno));
  nnc_status status;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    status = nnc_fail(message, NNC_IO_ERROR, "%s: not a regular file", path);
  } else {
    nnc_input input = {.file = file, .size = (uint64_t)info.st_size};
    status = nnc_load(checkpoint, &input, path, message);
  }
  close(file);
  return status;
}

/*--- What others call ------------------------------------------------------*/

nnc_status nnc_model_load_memory(nnc_model *model, const void *bytes, size_t size) {
  if (!model)
    return NNC_INVALID_ARGUMENT;
  if (!bytes)
    return nnc_model_fail(model, NNC_INVALID_ARGUMENT, "bytes is null");
  char message[NNC_MESSAGE_SIZE];
  nnc_checkpoint checkpoint = {model, NULL, NULL};
  nnc_input input = {.bytes = bytes, .file = -1, .size = size};
  nnc_status status = nnc_load(&checkpoint, &input, "safetensors in memory", message);
  return status == NNC_OK ? NNC_OK : nnc_model_fail(model, status, "%s", message);
}

nnc_status nnc_model_load(nnc_model *model, const char *path) {
  if (!model)
    return NNC_INVALID_ARGUMENT;
  char message[NNC_MESSAGE_SIZE];
  nnc_checkpoint checkpoint = {model, NULL, NULL};
  nnc_status status = nnc_load_file(&checkpoint, path, message);
  return status == NNC_OK ? NNC_OK : nnc_model_fail(model, status, "%s", message);
}

nnc_status nnc_training_load(nnc_context *context, const char *path) {
  nnc_status status = nnc_training_check(context, 0);
  if (status != NNC_OK)
    return status;
  nnc_training *training = context->training;
  const nnc_network *network = context->model->network;
  size_t size = (size_t)(nnc_slot_count(network) * network->trainable_size);
  nnc_checkpoint checkpoint = {context->model, training, NULL};
  status = nnc_kernels_fetch(context, training->slots, size, &checkpoint.slots);
  if (status == NNC_OK)
    status = nnc_load_file(&checkpoint, path, context->message);
  if (status == NNC_OK)
    status = nnc_kernels_push(context, training->slots, checkpoint.slots, size);
  if (status == NNC_OK)
    training->examples = 0;
  return status;
}
