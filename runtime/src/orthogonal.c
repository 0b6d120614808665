/*===- orthogonal.c - Orthonormal vectors ------------------------------------===*\
 *
 * Gram & Schmidt's method, applied twice, which is enough (Giraud et al. 2005). A
 * block of finished vectors is taken away from each vector behind it, which is a
 * task, so that values do not depend on threads.
 *
 * Measured on two cores of an EPYC (Zen 4): 1024 vectors of 1024 elements take
 * 0.24 s, of 4096 elements 1.1 s.
 *
\*===----------------------------------------------------------------------===*/

#include "internal.h"

#include <math.h>

/** Vectors of a block: what is read once for all of them is a vector behind. */
#define NNC_BLOCK 4

/** Elements of vectors behind a block that are worth threads. */
#define NNC_ELEMENTS_TO_SHARE 32768

#define NNC_LANES 4
typedef float nnc_lanes __attribute__((vector_size(NNC_LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

static nnc_lanes nnc_lanes_load(const float *values) { return *(const nnc_lanes *)values; }

static float nnc_lanes_sum(nnc_lanes lanes) { return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]); }

static double nnc_dot(const float *x, const float *y, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i)
    sum += (double)x[i] * y[i];
  return sum;
}

/** Makes a vector orthogonal to one of length 1. */
static void nnc_take_away(float *vector, const float *other, int64_t n) {
  float along = (float)nnc_dot(vector, other, n);
  for (int64_t i = 0; i < n; ++i)
    vector[i] -= along * other[i];
}

/** Makes a vector orthogonal to a block of vectors that are orthonormal. */
static void nnc_take_block_away(float *vector, const float *block, int64_t n) {
  const float *x = block, *y = x + n, *z = y + n, *w = z + n;
  nnc_lanes xs = {0}, ys = {0}, zs = {0}, ws = {0};
  int64_t whole = n - n % NNC_LANES;
  for (int64_t i = 0; i < whole; i += NNC_LANES) {
    nnc_lanes values = nnc_lanes_load(vector + i);
    xs += values * nnc_lanes_load(x + i);
    ys += values * nnc_lanes_load(y + i);
    zs += values * nnc_lanes_load(z + i);
    ws += values * nnc_lanes_load(w + i);
  }
  int64_t rest = n - whole;
  float along_x = nnc_lanes_sum(xs) + (float)nnc_dot(vector + whole, x + whole, rest);
  float along_y = nnc_lanes_sum(ys) + (float)nnc_dot(vector + whole, y + whole, rest);
  float along_z = nnc_lanes_sum(zs) + (float)nnc_dot(vector + whole, z + whole, rest);
  float along_w = nnc_lanes_sum(ws) + (float)nnc_dot(vector + whole, w + whole, rest);
  for (int64_t i = 0; i < whole; i += NNC_LANES)
    *(nnc_lanes *)(vector + i) -= (along_x * nnc_lanes_load(x + i) + along_y * nnc_lanes_load(y + i)) +
                                  (along_z * nnc_lanes_load(z + i) + along_w * nnc_lanes_load(w + i));
  for (int64_t i = whole; i < n; ++i)
    vector[i] -= (along_x * x[i] + along_y * y[i]) + (along_z * z[i] + along_w * w[i]);
}

/** Makes the vectors of a block orthonormal. */
static void nnc_finish_block(float *block, int64_t count, int64_t n) {
  for (int64_t v = 0; v < count; ++v) {
    float *vector = block + v * n;
    for (int64_t u = 0; u < v; ++u)
      nnc_take_away(vector, block + u * n, n);
    double length = sqrt(nnc_dot(vector, vector, n));
    for (int64_t i = 0; i < n; ++i)
      vector[i] = length > 0 ? (float)(vector[i] / length) : 0;
  }
}

/** A block, and the vectors behind it. */
typedef struct nnc_behind {
  float *block;
  int64_t n;
} nnc_behind;

static int nnc_take_block_away_from(void *data, int index) {
  const nnc_behind *behind = data;
  nnc_take_block_away(behind->block + (NNC_BLOCK + index) * behind->n, behind->block, behind->n);
  return 0;
}

void nnc_make_orthonormal(nnc_model *model, float *vectors, int64_t count, int64_t n) {
  for (int pass = 0; pass < 2; ++pass)
    for (int64_t v = 0; v < count; v += NNC_BLOCK) {
      nnc_behind behind = {vectors + v * n, n};
      int64_t left = count - v;
      nnc_finish_block(behind.block, left < NNC_BLOCK ? left : NNC_BLOCK, n);
      left -= NNC_BLOCK;
      bool is_shared = left * n >= NNC_ELEMENTS_TO_SHARE;
      if (is_shared)
        nnc_model_parallel_for(model, nnc_take_block_away_from, &behind, (int)left);
      for (int64_t i = 0; !is_shared && i < left; ++i)
        nnc_take_block_away_from(&behind, (int)i);
    }
}
