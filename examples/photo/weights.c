/*===- weights.c - Whose weights a network has -------------------------------===*\
 *
 * A safetensors file begins with the length of its header, 8 bytes, and the header,
 * which is JSON.
 *
\*===------------------------------------------------------------------------===*/

#define _POSIX_C_SOURCE 200809L

#include "weights.h"

#include <jansson.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LengthSize = 8, MaxHeader = 1 << 26 };

/** The header; null where there is none. */
static json_t *readHeader(FILE *file) {
  unsigned char bytes[LengthSize];
  uint64_t length = 0;
  if (fread(bytes, 1, LengthSize, file) != LengthSize)
    return NULL;
  for (int i = LengthSize; i-- > 0;)
    length = length << 8 | bytes[i];
  if (length > MaxHeader)
    return NULL;
  char *text = malloc((size_t)length + 1);
  json_t *header = NULL;
  if (text && fread(text, 1, (size_t)length, file) == length)
    header = json_loadb(text, (size_t)length, 0, NULL);
  free(text);
  return header;
}

char *originOfWeights(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file)
    return NULL;
  json_t *header = readHeader(file);
  fclose(file);
  const char *origin = json_string_value(json_object_get(json_object_get(header, "__metadata__"), "origin"));
  char *copy = origin ? strdup(origin) : NULL;
  json_decref(header);
  return copy;
}
