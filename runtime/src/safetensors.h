/*===- safetensors.h - The header of a safetensors file -----------------------===*\
 *
 * Eight bytes, little-endian: the length of a header in JSON, which follows and
 * gives each tensor's name, type, shape and place in the data behind it.
 * https://github.com/huggingface/safetensors
 *
\*===----------------------------------------------------------------------===*/

#ifndef NNC_SAFETENSORS_H
#define NNC_SAFETENSORS_H

#include "nnc/runtime.h"

#include <stdbool.h>

/** Bytes before the header. */
#define NNC_HEADER_OFFSET 8

/** The longest header that the format allows. */
#define NNC_MAX_HEADER 100000000

typedef struct nnc_type {
  const char *name;
  int32_t size;          /**< bytes */
  bool can_become_float; /**< what a weight may be stored as */
} nnc_type;

/** The types, F64 first, up to one without a name. */
enum { NNC_TYPE_F64, NNC_TYPE_F32, NNC_TYPE_F16, NNC_TYPE_BF16, NNC_TYPE_I64 };
extern const nnc_type nnc_types[];

typedef struct nnc_tensor {
  const char *name;
  char *shape;        /**< "[5, 5]" in the header */
  int32_t type;       /**< index in nnc_types */
  int64_t begin, end; /**< in the data */
} nnc_tensor;

typedef struct nnc_tensors {
  nnc_tensor *items; /**< by name, once nnc_tensors_parse is done */
  int64_t count, room;
  char *text; /**< the header, decoded in place */
  char *text_end;
} nnc_tensors;

/** The length of the header of a file of `size` bytes, which begins with those. */
nnc_status nnc_header_length(const unsigned char bytes[NNC_HEADER_OFFSET], uint64_t size, uint64_t *out_length,
                             char *message);

/** Reads the header at tensors->text, which data of data_size bytes follow. All
 * that a strict reader can check holds after it. */
nnc_status nnc_tensors_parse(nnc_tensors *tensors, int64_t data_size, char *message);

/** The tensor whose name is `prefix` and then `name`, or null. */
const nnc_tensor *nnc_tensors_find(const nnc_tensors *tensors, const char *prefix, const char *name);

/** Whether a tensor has this shape. */
bool nnc_tensor_has_shape(const nnc_tensors *tensors, const nnc_tensor *tensor, const int64_t *shape, int32_t rank);

/** Frees items and text. */
void nnc_tensors_free(nnc_tensors *tensors);

#endif /* NNC_SAFETENSORS_H */
