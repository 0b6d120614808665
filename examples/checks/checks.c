/*===- checks.c - What every example checks: statuses and differences --------===*/

#include "checks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int succeeded(nnc_status status, const char *what, const char *detail) {
  if (status == NNC_OK)
    return 1;
  fprintf(stderr, "%s: %s%s%s\n", what, nnc_status_message(status), detail[0] ? ": " : "", detail);
  return 0;
}

float farthest(const float *left, const float *right, size_t count) {
  float most = 0;
  for (size_t i = 0; i < count; ++i) {
    float difference = fabsf(left[i] - right[i]);
    if (!(difference <= most))
      most = isnan(difference) ? INFINITY : difference;
  }
  return most;
}

int agree(const char *what, float difference, float bound) {
  printf("%-47s %.1e\n", what, (double)difference);
  if (difference <= bound)
    return 1;
  fprintf(stderr, "%s more than %.0e\n", what, (double)bound);
  return 0;
}

float *readFloats(const char *path, size_t count) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    fprintf(stderr, "cannot open %s\n", path);
    return NULL;
  }
  float *values = malloc(count * sizeof *values);
  int whole = values && fread(values, sizeof *values, count, file) == count && fgetc(file) == EOF;
  fclose(file);
  if (!whole) {
    fprintf(stderr, "%s does not hold %zu floats\n", path, count);
    free(values);
    return NULL;
  }
  return values;
}
