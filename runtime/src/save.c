/*===- save.c - Weights and training to safetensors files --------------------===*/

#include "checkpoint.h"
#include "offload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/** Where data begins: at a multiple of this. */
#define NNC_DATA_ALIGNMENT 8

/** Collects small writes. */
typedef struct nnc_output {
  int file;      /**< -1 counts only */
  uint64_t size; /**< written so far */
  int error;     /**< errno of the first failure */
  size_t filled;
  char buffer[16384];
} nnc_output;

static void nnc_output_flush(nnc_output *output) {
  for (size_t done = 0; done < output->filled && output->file >= 0 && !output->error;) {
    ssize_t count = write(output->file, output->buffer + done, output->filled - done);
    if (count >= 0)
      done += (size_t)count;
    else if (errno != EINTR)
      output->error = errno;
  }
  output->filled = 0;
}

static void nnc_output_write(nnc_output *output, const void *bytes, size_t size) {
  output->size += size;
  while (size > 0) {
    if (output->filled == sizeof output->buffer)
      nnc_output_flush(output);
    size_t room = sizeof output->buffer - output->filled, part = size < room ? size : room;
    memcpy(output->buffer + output->filled, bytes, part);
    output->filled += part;
    bytes = (const char *)bytes + part;
    size -= part;
  }
}

__attribute__((format(printf, 2, 3))) static void nnc_output_print(nnc_output *output, const char *format, ...) {
  char text[128];
  va_list values;
  va_start(values, format);
  int length = vsnprintf(text, sizeof text, format, values);
  va_end(values);
  nnc_output_write(output, text, (size_t)length);
}

/** Writes the characters of a string of JSON. */
static void nnc_output_characters(nnc_output *output, const char *text) {
  for (; *text; ++text) {
    if ((unsigned char)*text < 0x20)
      nnc_output_print(output, "\\u%04x", *text);
    else
      nnc_output_print(output, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
  }
}

/*--- The file --------------------------------------------------------------*/

/** Writes a tensor's entry in the header; its data begins where the last ended. */
static void nnc_write_entry(nnc_output *output, const char *prefix, const char *name, const char *type,
                            const int64_t *shape, int32_t rank, int64_t size, long long *end) {
  long long begin = *end;
  *end += size;
  nnc_output_print(output, ",\"");
  nnc_output_characters(output, prefix);
  nnc_output_characters(output, name);
  nnc_output_print(output, "\":{\"dtype\":\"%s\",\"shape\":[", type);
  for (int32_t dim = 0; dim < rank; ++dim)
    nnc_output_print(output, dim ? ",%lld" : "%lld", (long long)shape[dim]);
  nnc_output_print(output, "],\"data_offsets\":[%lld,%lld]}", begin, *end);
}

/** The counters come first, so that each is aligned. */
static void nnc_write_header(nnc_output *output, const nnc_checkpoint *checkpoint) {
  const nnc_network *network = checkpoint->model->network;
  long long end = 0;
  nnc_output_print(output, "{\"__metadata__\":{\"network\":\"");
  nnc_output_characters(output, network->name);
  nnc_output_print(output, "\"}");
  for (int32_t i = 0; i < nnc_counter_count(checkpoint); ++i) {
    nnc_counter counter = nnc_counter_at(checkpoint, i);
    nnc_write_entry(output, "", counter.name, "I64", &counter.count, 1, counter.count * 8, &end);
  }
  for (int32_t i = 0; i < nnc_section_count(checkpoint); ++i) {
    nnc_section section = nnc_section_at(checkpoint, i);
    for (int32_t w = 0; w < network->weight_count; ++w) {
      const nnc_weight *weight = &network->weights[w];
      if (nnc_section_has(&section, weight))
        nnc_write_entry(output, section.prefix, weight->name, "F32", weight->shape, weight->rank,
                        nnc_weight_elements(weight) * 4, &end);
    }
  }
  nnc_output_print(output, "}");
  while (output->size % NNC_DATA_ALIGNMENT != 0)
    nnc_output_write(output, " ", 1);
}

static void nnc_save_run(void *data, float *storage, int64_t stride, int64_t first, int64_t length) {
  (void)first; /* runs come in order */
  if (stride == 1) {
    nnc_output_write(data, storage, (size_t)length * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < length; ++i)
    nnc_output_write(data, &storage[i * stride], sizeof(float));
}

static void nnc_write_data(nnc_output *output, const nnc_checkpoint *checkpoint) {
  const nnc_network *network = checkpoint->model->network;
  for (int32_t i = 0; i < nnc_counter_count(checkpoint); ++i) {
    nnc_counter counter = nnc_counter_at(checkpoint, i);
    nnc_output_write(output, counter.values, (size_t)counter.count * 8);
  }
  for (int32_t i = 0; i < nnc_section_count(checkpoint); ++i) {
    nnc_section section = nnc_section_at(checkpoint, i);
    for (int32_t w = 0; w < network->weight_count; ++w) {
      const nnc_weight *weight = &network->weights[w];
      if (nnc_section_has(&section, weight))
        nnc_weight_visit(weight, section.memory, 0, nnc_weight_rows(weight), nnc_save_run, output);
    }
  }
}

/** Writes the whole file; gives 0 or an errno. */
static int nnc_write_file(const nnc_checkpoint *checkpoint, int file) {
  nnc_output output = {.file = -1};
  nnc_write_header(&output, checkpoint);
  uint64_t length = output.size;
  output.file = file;
  output.filled = 0;
  output.size = 0;
  for (int i = 0; i < 8; ++i)
    nnc_output_write(&output, &(unsigned char){(unsigned char)(length >> 8 * i)}, 1);
  nnc_write_header(&output, checkpoint);
  nnc_write_data(&output, checkpoint);
  nnc_output_flush(&output);
  if (!output.error && fsync(file) != 0)
    output.error = errno;
  return output.error;
}

/*--- Its name --------------------------------------------------------------*/

/** Creates a new file beside `path`; gives -1 with errno set when it cannot. */
static int nnc_create_temporary(const char *path, char out_name[PATH_MAX]) {
  static _Atomic unsigned counter;
  for (int attempt = 0; attempt < 100; ++attempt) {
    int length = snprintf(out_name, PATH_MAX, "%s.%ld-%u.tmp", path, (long)getpid(), atomic_fetch_add(&counter, 1));
    if (length >= PATH_MAX) {
      errno = ENAMETOOLONG;
      return -1;
    }
    int file = open(out_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file >= 0 || errno != EEXIST)
      return file;
  }
  return -1;
}

/** Makes a change of name lasting; gives 0 or an errno. */
static int nnc_flush_folder(const char *path) {
  char folder[PATH_MAX];
  const char *slash = strrchr(path, '/');
  size_t length = slash ? (size_t)(slash - path) + 1 : 0;
  memcpy(folder, path, length);
  strcpy(folder + length, ".");
  int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0)
    return errno;
  /* File systems without such a thing say EINVAL. */
  int error = fsync(file) != 0 && errno != EINVAL ? errno : 0;
  close(file);
  return error;
}

static nnc_status nnc_save(const nnc_checkpoint *checkpoint, const char *path, char *message) {
  if (!path || !*path)
    return nnc_fail(message, NNC_INVALID_ARGUMENT, "path is null or empty");
  char name[PATH_MAX];
  int file = nnc_create_temporary(path, name);
  if (file < 0)
    return nnc_fail(message, errno == ENOENT || errno == ENOTDIR ? NNC_NOT_FOUND : NNC_IO_ERROR, "%s: %s", path,
                    strerrordesc_np(errno));
  int error = nnc_write_file(checkpoint, file);
  if (close(file) != 0 && !error)
    error = errno;
  if (!error && rename(name, path) != 0)
    error = errno;
  if (error)
    unlink(name);
  else
    error = nnc_flush_folder(path);
  return error ? nnc_fail(message, NNC_IO_ERROR, "%s: %s", path, strerrordesc_np(error)) : NNC_OK;
}

/*--- What others call ------------------------------------------------------*/

nnc_status nnc_model_save(nnc_model *model, const char *path) {
  if (!model)
    return NNC_INVALID_ARGUMENT;
  char message[NNC_MESSAGE_SIZE];
  nnc_checkpoint checkpoint = {model, NULL, NULL};
  nnc_status status = nnc_model_fetch(model);
  if (status != NNC_OK)
    return status;
  status = nnc_save(&checkpoint, path, message);
  return status == NNC_OK ? NNC_OK : nnc_model_fail(model, status, "%s", message);
}

nnc_status nnc_training_save(nnc_context *context, const char *path) {
  nnc_status status = nnc_training_check(context, 0);
  if (status != NNC_OK)
    return status;
  if (context->training->examples > 0)
    return nnc_fail(context->message, NNC_INVALID_ARGUMENT, "the gradients of %lld examples wait for an update",
                    (long long)context->training->examples);
  const nnc_network *network = context->model->network;
  nnc_checkpoint checkpoint = {context->model, context->training, NULL};
  status = nnc_model_fetch(context->model);
  if (status != NNC_OK)
    return nnc_fail(context->message, status, "%s", context->model->message);
  status = nnc_kernels_fetch(context, context->training->slots,
                             (size_t)(nnc_slot_count(network) * network->trainable_size), &checkpoint.slots);
  return status != NNC_OK ? status : nnc_save(&checkpoint, path, context->message);
}
