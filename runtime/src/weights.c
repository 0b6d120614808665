/*===- weights.c - Weights by name, between declared order and storage -------===*\
 *
 * A weight lies in memory as its kernels read it best: in panels, say. The place
 * of an element is a sum over its indices, one term for each declared dimension,
 * so that rows are walked with the terms of the outer dimensions counted once.
 *
\*===----------------------------------------------------------------------===*/

#include "offload.h"

#include <string.h>

/*--- Storage ---------------------------------------------------------------*/

/** What index i of the declared dimension `dim` contributes to an element's place. */
static int64_t nnc_place_term(const nnc_weight *weight, int32_t dim, int64_t i) {
  int64_t place = 0, stride = 1;
  for (int32_t s = weight->storage_rank; s-- > 0;) {
    const nnc_storage_dim *storage = &weight->storage[s];
    if (storage->dim == dim)
      place += i / storage->divisor % storage->extent * stride;
    stride *= storage->extent;
  }
  return place;
}

/** How many neighbours along the last dimension are at one stride from each
 * other, and from which multiple on that is known: the extent of the storage
 * dimension of divisor 1 where all others count in multiples of it, else 1. */
static int64_t nnc_run_length(const nnc_weight *weight, int64_t *out_stride) {
  int64_t length = 1, stride = 1;
  *out_stride = 1;
  for (int32_t s = weight->storage_rank; s-- > 0;) {
    const nnc_storage_dim *storage = &weight->storage[s];
    if (storage->dim == weight->rank - 1 && storage->divisor == 1 && storage->extent > 1) {
      length = storage->extent;
      *out_stride = stride;
    }
    stride *= storage->extent;
  }
  for (int32_t s = 0; s < weight->storage_rank; ++s) {
    const nnc_storage_dim *storage = &weight->storage[s];
    if (storage->dim == weight->rank - 1 && storage->divisor != 1 && storage->divisor % length != 0)
      return 1;
  }
  return length;
}

int64_t nnc_weight_rows(const nnc_weight *weight) {
  int64_t rows = 1;
  for (int32_t dim = 0; dim + 1 < weight->rank; ++dim)
    rows *= weight->shape[dim];
  return rows;
}

int64_t nnc_weight_elements(const nnc_weight *weight) {
  return nnc_weight_rows(weight) * (weight->rank ? weight->shape[weight->rank - 1] : 1);
}

void nnc_weight_visit(const nnc_weight *weight, char *weights, int64_t begin, int64_t end, nnc_run_visitor visit,
                      void *data) {
  float *storage = (float *)(weights + weight->offset);
  int32_t last = weight->rank - 1;
  int64_t row_length = weight->rank ? weight->shape[last] : 1, stride;
  int64_t run_length = nnc_run_length(weight, &stride);
  for (int64_t row = begin; row < end; ++row) {
    int64_t place = 0, rest = row;
    for (int32_t dim = last - 1; dim >= 0; --dim) {
      place += nnc_place_term(weight, dim, rest % weight->shape[dim]);
      rest /= weight->shape[dim];
    }
    for (int64_t i = 0; i < row_length; i += run_length) {
      int64_t length = row_length - i < run_length ? row_length - i : run_length;
      visit(data, storage + place + nnc_place_term(weight, last, i), stride, row * row_length + i, length);
    }
  }
}

/*--- By name ---------------------------------------------------------------*/

const nnc_weight *nnc_weight_find(const nnc_network *network, const char *name) {
  for (int32_t i = 0; i < network->weight_count; ++i)
    if (strcmp(network->weights[i].name, name) == 0)
      return &network->weights[i];
  return NULL;
}

int32_t nnc_weight_count(const nnc_network *network) { return network ? network->weight_count : 0; }

nnc_status nnc_weight_at(const nnc_network *network, int32_t index, nnc_weight_info *out_info) {
  if (!network || !out_info || index < 0 || index >= network->weight_count)
    return NNC_INVALID_ARGUMENT;
  const nnc_weight *weight = &network->weights[index];
  *out_info =
      (nnc_weight_info){weight->name, weight->rank, weight->shape, nnc_weight_elements(weight), weight->trainable};
  return NNC_OK;
}

nnc_status nnc_weight_check(const nnc_network *network, const char *name, const void *values, int64_t count,
                            const nnc_weight **out_weight, char *message) {
  if (!name || !values)
    return nnc_fail(message, NNC_INVALID_ARGUMENT, "the %s null", name ? "values are" : "weight's name is");
  *out_weight = nnc_weight_find(network, name);
  if (!*out_weight)
    return nnc_fail(message, NNC_NOT_FOUND, "network %s has no weight %s", network->name, name);
  int64_t elements = nnc_weight_elements(*out_weight);
  if (count != elements)
    return nnc_fail(message, NNC_SHAPE_MISMATCH, "weight %s has %lld elements, not %lld", name, (long long)elements,
                    (long long)count);
  return NNC_OK;
}

static void nnc_read_run(void *data, float *storage, int64_t stride, int64_t first, int64_t length) {
  float *values = (float *)data + first;
  for (int64_t i = 0; i < length; ++i)
    values[i] = storage[i * stride];
}

static void nnc_write_run(void *data, float *storage, int64_t stride, int64_t first, int64_t length) {
  const float *values = (const float *)data + first;
  for (int64_t i = 0; i < length; ++i)
    storage[i * stride] = values[i];
}

nnc_status nnc_weight_read(const nnc_model *model, const char *name, float *out_values, int64_t count) {
  if (!model)
    return NNC_INVALID_ARGUMENT;
  char message[NNC_MESSAGE_SIZE];
  const nnc_weight *weight;
  nnc_status status = nnc_weight_check(model->network, name, out_values, count, &weight, message);
  if (status != NNC_OK)
    return nnc_model_fail(model, status, "%s", message);
  status = nnc_model_fetch((nnc_model *)model); /* that leaves the weights as they are */
  if (status == NNC_OK)
    nnc_weight_visit(weight, model->weights, 0, nnc_weight_rows(weight), nnc_read_run, out_values);
  return status;
}

nnc_status nnc_weight_write(nnc_model *model, const char *name, const float *values, int64_t count) {
  if (!model)
    return NNC_INVALID_ARGUMENT;
  char message[NNC_MESSAGE_SIZE];
  const nnc_weight *weight;
  nnc_status status = nnc_weight_check(model->network, name, values, count, &weight, message);
  if (status != NNC_OK)
    return nnc_model_fail(model, status, "%s", message);
  status = nnc_model_fetch(model);
  if (status != NNC_OK)
    return status;
  nnc_weight_visit(weight, model->weights, 0, nnc_weight_rows(weight), nnc_write_run, (void *)values);
  nnc_weights_changed(model);
  return NNC_OK;
}

void nnc_weights_changed(nnc_model *model) { model->host_version = atomic_fetch_add(&model->version, 1) + 1; }
