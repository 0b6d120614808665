/*===- load.c - Weights from safetensors files -------------------------------===*\
 *
 * The header is checked against the network before a weight is touched. From a
 * file, weights are then read into a copy, since reading can fail halfway; only
 * what the network needs is read, so that no file takes more memory than it has.
 *
\*===----------------------------------------------------------------------===*/

#include "internal.h"
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

/*--- Weights ---------------------------------------------------------------*/

/** Says which shapes differ. */
static nnc_status nnc_fail_shape(const nnc_tensors *tensors, const nnc_tensor *tensor, const nnc_weight *weight,
                                 char *message) {
  char shape[NNC_SHAPE_SIZE] = "[";
  size_t length = 1;
  for (int32_t dim = 0; dim < weight->rank && length < sizeof shape - 24; ++dim)
    length += (size_t)snprintf(shape + length, 24, dim ? ",%lld" : "%lld", (long long)weight->shape[dim]);
  const char *end = memchr(tensor->shape, ']', (size_t)(tensors->text_end - tensor->shape));
  ptrdiff_t given = end - tensor->shape;
  return nnc_fail(message, NNC_SHAPE_MISMATCH, "weight %s is %.*s], not %s]", weight->name,
                  (int)(given < NNC_SHAPE_SIZE ? given : NNC_SHAPE_SIZE), tensor->shape, shape);
}

/** Checks that the file holds the network's weights, of the right types and
 * shapes, and nothing else. */
static nnc_status nnc_check_tensors(const nnc_network *network, const nnc_tensors *tensors, char *message) {
  for (int64_t i = 0; i < tensors->count; ++i) {
    const char *name = tensors->items[i].name;
    if (strncmp(name, "nnc.", 4) != 0 && !nnc_weight_find(network, name))
      return nnc_fail(message, NNC_NOT_FOUND, "network %s has no weight %s", network->name, name);
  }
  for (int32_t i = 0; i < network->weight_count; ++i) {
    const nnc_weight *weight = &network->weights[i];
    const nnc_tensor *tensor = nnc_tensors_find(tensors, weight->name);
    if (!tensor)
      return nnc_fail(message, NNC_MISSING_WEIGHT, "there is no weight %s", weight->name);
    if (!nnc_tensor_has_shape(tensors, tensor, weight->shape, weight->rank))
      return nnc_fail_shape(tensors, tensor, weight, message);
    if (!nnc_types[tensor->type].can_become_float)
      return nnc_fail(message, NNC_BAD_FILE, "weight %s is of type %s, not of F64, F32, F16 or BF16", weight->name,
                      nnc_types[tensor->type].name);
  }
  return NNC_OK;
}

/** Reads every weight to where it lies in `weights`. */
static nnc_status nnc_read_weights(const nnc_network *network, const nnc_tensors *tensors, const nnc_input *input,
                                   char *weights, char *message) {
  uint64_t data = NNC_HEADER_OFFSET + (uint64_t)(tensors->text_end - tensors->text);
  nnc_values values = {.input = input, .message = message};
  for (int32_t i = 0; i < network->weight_count && values.status == NNC_OK; ++i) {
    const nnc_weight *weight = &network->weights[i];
    const nnc_tensor *tensor = nnc_tensors_find(tensors, weight->name);
    values.offset = data + (uint64_t)tensor->begin;
    values.end = data + (uint64_t)tensor->end;
    values.type = tensor->type;
    values.at = values.filled = 0;
    nnc_weight_visit(weight, weights, 0, nnc_weight_rows(weight), nnc_load_run, &values);
  }
  return values.status;
}

/** Reads and checks the header. */
static nnc_status nnc_read_header(const nnc_network *network, const nnc_input *input, nnc_tensors *tensors,
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
  return status == NNC_OK ? nnc_check_tensors(network, tensors, message) : status;
}

/** Reads weights into a copy, and takes that over when all were read. */
static nnc_status nnc_replace_weights(nnc_model *model, const nnc_tensors *tensors, const nnc_input *input,
                                      char *message) {
  size_t size = (size_t)model->network->weights_size;
  char *copy = calloc(1, size ? size : 1);
  if (!copy)
    return nnc_fail(message, NNC_OUT_OF_MEMORY, "there is no memory for a copy of %zu bytes", size);
  nnc_status status = nnc_read_weights(model->network, tensors, input, copy, message);
  if (status == NNC_OK)
    memcpy(model->weights, copy, size);
  free(copy);
  return status;
}

static nnc_status nnc_load(nnc_model *model, const nnc_input *input, const char *source) {
  char message[NNC_MESSAGE_SIZE] = "";
  nnc_tensors tensors = {0};
  nnc_status status = nnc_read_header(model->network, input, &tensors, message);
  if (status == NNC_OK)
    status = input->bytes ? nnc_read_weights(model->network, &tensors, input, model->weights, message)
                          : nnc_replace_weights(model, &tensors, input, message);
  if (status == NNC_OK)
    nnc_weights_changed(model);
  else
    nnc_model_fail(model, status, "%s: %s", source, message);
  nnc_tensors_free(&tensors);
  return status;
}

/*--- What others call ------------------------------------------------------*/

nnc_status nnc_model_load_memory(nnc_model *model, const void *bytes, size_t size) {
  if (!model)
    return NNC_INVALID_ARGUMENT;
  if (!bytes)
    return nnc_model_fail(model, NNC_INVALID_ARGUMENT, "bytes is null");
  nnc_input input = {.bytes = bytes, .file = -1, .size = size};
  return nnc_load(model, &input, "safetensors in memory");
}

nnc_status nnc_model_load(nnc_model *model, const char *path) {
  if (!model)
    return NNC_INVALID_ARGUMENT;
  if (!path)
    return nnc_model_fail(model, NNC_INVALID_ARGUMENT, "path is null");
  struct stat info;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0)
    return nnc_model_fail(model, errno == ENOENT || errno == ENOTDIR ? NNC_NOT_FOUND : NNC_IO_ERROR, "%s: %s", path,
                          strerrordesc_np(errno));
  nnc_status status;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    status = nnc_model_fail(model, NNC_IO_ERROR, "%s: not a regular file", path);
  } else {
    nnc_input input = {.file = file, .size = (uint64_t)info.st_size};
    status = nnc_load(model, &input, path);
  }
  close(file);
  return status;
}
