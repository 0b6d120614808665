/*===- safetensors.c - The header of a safetensors file -----------------------===*/

#include "safetensors.h"
#include "internal.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>

const nnc_type nnc_types[] = {{"F64", 8, true},   {"F32", 4, true},      {"F16", 2, true},      {"BF16", 2, true},
                              {"I64", 8, false},  {"U64", 8, false},     {"I32", 4, false},     {"U32", 4, false},
                              {"I16", 2, false},  {"U16", 2, false},     {"I8", 1, false},      {"U8", 1, false},
                              {"BOOL", 1, false}, {"F8_E4M3", 1, false}, {"F8_E5M2", 1, false}, {NULL, 0, false}};

nnc_status nnc_header_length(const unsigned char bytes[NNC_HEADER_OFFSET], uint64_t size, uint64_t *out_length,
                             char *message) {
  uint64_t length = 0;
  if (size < NNC_HEADER_OFFSET)
    return nnc_fail(message, NNC_BAD_FILE, "%llu bytes are too few", (unsigned long long)size);
  for (int i = NNC_HEADER_OFFSET; i-- > 0;)
    length = length << 8 | bytes[i];
  if (length > NNC_MAX_HEADER || length > size - NNC_HEADER_OFFSET)
    return nnc_fail(message, NNC_BAD_FILE, "the header of %llu bytes is too long for a file of %llu",
                    (unsigned long long)length, (unsigned long long)size);
  *out_length = length;
  return NNC_OK;
}

/*--- One tensor ------------------------------------------------------------*/

/** Takes a shape; gives the number of elements. */
static bool nnc_take_shape(nnc_json *json, int64_t *out_count) {
  int64_t extent;
  *out_count = 1;
  if (!nnc_json_take(json, '['))
    return false;
  if (nnc_json_take(json, ']'))
    return true;
  do {
    if (!nnc_json_take_natural(json, &extent) || __builtin_mul_overflow(*out_count, extent, out_count))
      return false;
  } while (nnc_json_take(json, ','));
  return nnc_json_take(json, ']');
}

static bool nnc_take_type(nnc_json *json, int32_t *out_type) {
  const char *name;
  if (!nnc_json_take_string(json, &name))
    return false;
  for (*out_type = 0; nnc_types[*out_type].name; ++*out_type)
    if (strcmp(nnc_types[*out_type].name, name) == 0)
      return true;
  return false;
}

static bool nnc_take_offsets(nnc_json *json, nnc_tensor *tensor) {
  return nnc_json_take(json, '[') && nnc_json_take_natural(json, &tensor->begin) && nnc_json_take(json, ',') &&
         nnc_json_take_natural(json, &tensor->end) && nnc_json_take(json, ']');
}

/** Takes a tensor's object: its three fields, each once, in any order. Gives the
 * bytes that its shape and type say. */
static bool nnc_take_tensor(nnc_json *json, nnc_tensor *tensor, int64_t *out_bytes) {
  static const char *const fields[] = {"dtype", "shape", "data_offsets"};
  const char *field;
  int64_t count = 0;
  int seen = 0;
  if (!nnc_json_take(json, '{'))
    return false;
  do {
    int f = 0;
    if (!nnc_json_take_string(json, &field) || !nnc_json_take(json, ':'))
      return false;
    while (f < 3 && strcmp(fields[f], field) != 0)
      ++f;
    if (f == 3 || (seen >> f & 1))
      return false;
    seen |= 1 << f;
    if (f == 1)
      tensor->shape = json->at;
    if (!(f == 0   ? nnc_take_type(json, &tensor->type)
          : f == 1 ? nnc_take_shape(json, &count)
                   : nnc_take_offsets(json, tensor)))
      return false;
  } while (nnc_json_take(json, ','));
  return nnc_json_take(json, '}') && seen == 7 &&
         !__builtin_mul_overflow(count, nnc_types[tensor->type].size, out_bytes) && tensor->begin <= tensor->end;
}

/** Takes the object of what else a file says: texts by name. */
static bool nnc_take_metadata(nnc_json *json) {
  const char *text;
  if (!nnc_json_take(json, '{'))
    return false;
  if (nnc_json_take(json, '}'))
    return true;
  do {
    if (!nnc_json_take_string(json, &text) || !nnc_json_take(json, ':') || !nnc_json_take_string(json, &text))
      return false;
  } while (nnc_json_take(json, ','));
  return nnc_json_take(json, '}');
}

/*--- The header ------------------------------------------------------------*/

static nnc_status nnc_tensors_add(nnc_tensors *tensors, const nnc_tensor *tensor, char *message) {
  if (tensors->count == tensors->room) {
    int64_t room = tensors->room ? 2 * tensors->room : 64;
    nnc_tensor *items = realloc(tensors->items, (size_t)room * sizeof *items);
    if (!items)
      return nnc_fail(message, NNC_OUT_OF_MEMORY, "the list of tensors does not fit in memory");
    tensors->items = items;
    tensors->room = room;
  }
  tensors->items[tensors->count++] = *tensor;
  return NNC_OK;
}

static nnc_status nnc_fail_at(const nnc_json *json, const char *what, char *message) {
  return nnc_fail(message, NNC_BAD_FILE, "%s at byte %lld of the header", what, (long long)(json->at - json->begin));
}

/** Takes one name and what it names. */
static nnc_status nnc_take_entry(nnc_json *json, nnc_tensors *tensors, bool *has_metadata, char *message) {
  nnc_tensor tensor = {0};
  if (!nnc_json_take_string(json, &tensor.name) || !nnc_json_take(json, ':'))
    return nnc_fail_at(json, "no name", message);
  if (strcmp(tensor.name, "__metadata__") == 0) {
    if (*has_metadata || !nnc_take_metadata(json))
      return nnc_fail_at(json, "bad __metadata__", message);
    *has_metadata = true;
    return NNC_OK;
  }
  int64_t bytes = 0;
  if (!nnc_take_tensor(json, &tensor, &bytes))
    return nnc_fail(message, NNC_BAD_FILE, "tensor %s is bad at byte %lld of the header", tensor.name,
                    (long long)(json->at - json->begin));
  if (tensor.end - tensor.begin != bytes)
    return nnc_fail(message, NNC_BAD_FILE, "tensor %s has %lld bytes, its shape says %lld", tensor.name,
                    (long long)(tensor.end - tensor.begin), (long long)bytes);
  return nnc_tensors_add(tensors, &tensor, message);
}

static nnc_status nnc_take_header(nnc_json *json, nnc_tensors *tensors, char *message) {
  bool has_metadata = false;
  if (json->at == json->end || *json->at != '{')
    return nnc_fail_at(json, "no {", message);
  ++json->at;
  if (!nnc_json_take(json, '}')) {
    do {
      nnc_status status = nnc_take_entry(json, tensors, &has_metadata, message);
      if (status != NNC_OK)
        return status;
    } while (nnc_json_take(json, ','));
    if (!nnc_json_take(json, '}'))
      return nnc_fail_at(json, "no }", message);
  }
  return nnc_json_at_end(json) ? NNC_OK : nnc_fail_at(json, "more than one object", message);
}

/*--- All tensors -----------------------------------------------------------*/

static int nnc_compare_places(const void *a, const void *b) {
  const nnc_tensor *x = a, *y = b;
  if (x->begin != y->begin)
    return x->begin < y->begin ? -1 : 1;
  return (x->end > y->end) - (x->end < y->end);
}

static int nnc_compare_names(const void *a, const void *b) {
  return strcmp(((const nnc_tensor *)a)->name, ((const nnc_tensor *)b)->name);
}

/** Checks that tensors fill the data without gap or overlap. */
static nnc_status nnc_check_places(const nnc_tensors *tensors, int64_t data_size, char *message) {
  int64_t end = 0;
  for (int64_t i = 0; i < tensors->count; ++i) {
    const nnc_tensor *tensor = &tensors->items[i];
    if (tensor->begin != end)
      return nnc_fail(message, NNC_BAD_FILE, "tensor %s begins at %lld of the data, not at %lld", tensor->name,
                      (long long)tensor->begin, (long long)end);
    end = tensor->end;
  }
  if (end != data_size)
    return nnc_fail(message, NNC_BAD_FILE, "the tensors take %lld bytes, the file has %lld", (long long)end,
                    (long long)data_size);
  return NNC_OK;
}

static nnc_status nnc_check_names(const nnc_tensors *tensors, char *message) {
  for (int64_t i = 1; i < tensors->count; ++i)
    if (strcmp(tensors->items[i - 1].name, tensors->items[i].name) == 0)
      return nnc_fail(message, NNC_BAD_FILE, "there are two tensors %s", tensors->items[i].name);
  return NNC_OK;
}

nnc_status nnc_tensors_parse(nnc_tensors *tensors, int64_t data_size, char *message) {
  nnc_json json = {tensors->text, tensors->text, tensors->text_end};
  nnc_status status = nnc_take_header(&json, tensors, message);
  if (status != NNC_OK)
    return status;
  if (tensors->count > 0)
    qsort(tensors->items, (size_t)tensors->count, sizeof *tensors->items, nnc_compare_places);
  status = nnc_check_places(tensors, data_size, message);
  if (status != NNC_OK)
    return status;
  if (tensors->count > 0)
    qsort(tensors->items, (size_t)tensors->count, sizeof *tensors->items, nnc_compare_names);
  return nnc_check_names(tensors, message);
}

/** Compares a name in two parts with a tensor's. */
static int nnc_compare_parts(const void *parts, const void *tensor) {
  const char *const *part = parts, *name = ((const nnc_tensor *)tensor)->name;
  size_t length = strlen(part[0]);
  int order = strncmp(part[0], name, length);
  return order ? order : strcmp(part[1], name + length);
}

const nnc_tensor *nnc_tensors_find(const nnc_tensors *tensors, const char *prefix, const char *name) {
  const char *parts[] = {prefix, name};
  if (tensors->count == 0)
    return NULL;
  return bsearch(parts, tensors->items, (size_t)tensors->count, sizeof *tensors->items, nnc_compare_parts);
}

bool nnc_tensor_has_shape(const nnc_tensors *tensors, const nnc_tensor *tensor, const int64_t *shape, int32_t rank) {
  nnc_json json = {tensor->shape, tensor->shape, tensors->text_end};
  int64_t extent;
  nnc_json_take(&json, '[');
  for (int32_t dim = 0; dim < rank; ++dim)
    if ((dim > 0 && !nnc_json_take(&json, ',')) || !nnc_json_take_natural(&json, &extent) || extent != shape[dim])
      return false;
  return nnc_json_take(&json, ']');
}

void nnc_tensors_free(nnc_tensors *tensors) {
  free(tensors->items);
  free(tensors->text);
}
