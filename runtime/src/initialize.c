/*===- initialize.c - Start values of weights --------------------------------===*\
 *
 * Element i of a weight is drawn from word i % 4 of Philox's block i / 4, of the
 * stream that the weight's name chooses and the seed keys. So values depend on
 * no order, and no other weight.
 *
\*===----------------------------------------------------------------------===*/

#include "internal.h"

#include <math.h>

/** Elements that are worth a task of their own. */
#define NNC_ELEMENTS_OF_TASK 16384

/*--- Random values ---------------------------------------------------------*/

typedef enum nnc_distribution { NNC_FIXED, NNC_EVEN, NNC_BELL } nnc_distribution;

typedef struct nnc_source {
  nnc_distribution distribution;
  double a, b; /**< the value; or the range; or the deviation */
  uint64_t seed, stream;
} nnc_source;

/** In (0, 1), of 23 bits. */
static float nnc_unit(uint32_t word) { return ((float)(word >> 9) + 0.5f) * 0x1p-23f; }

/** Two normal values from two words (Box & Muller 1958). */
static void nnc_normal(const uint32_t words[2], float out_values[2]) {
  float radius = sqrtf(-2 * logf(nnc_unit(words[0]))), angle = 6.28318531f * nnc_unit(words[1]);
  out_values[0] = radius * cosf(angle);
  out_values[1] = radius * sinf(angle);
}

/** The four values of one block. */
static void nnc_draw(const nnc_source *source, uint64_t block, float out_values[4]) {
  uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)source->stream,
                         (uint32_t)(source->stream >> 32)};
  uint32_t words[4];
  nnc_philox(counter, source->seed, words);
  if (source->distribution == NNC_EVEN) {
    for (int i = 0; i < 4; ++i)
      out_values[i] = (float)(source->a + (source->b - source->a) * nnc_unit(words[i]));
    return;
  }
  nnc_normal(words, out_values);
  nnc_normal(words + 2, out_values + 2);
  for (int i = 0; i < 4; ++i)
    out_values[i] *= (float)source->a;
}

/** Draws elements [first, first + length) of the stream. */
static void nnc_fill(const nnc_source *source, float *values, int64_t stride, int64_t first, int64_t length) {
  if (source->distribution == NNC_FIXED) {
    for (int64_t i = 0; i < length; ++i)
      values[i * stride] = (float)source->a;
    return;
  }
  float block[4];
  for (int64_t i = 0; i < length; ++i) {
    int64_t element = first + i;
    if (i == 0 || element % 4 == 0)
      nnc_draw(source, (uint64_t)element / 4, block);
    values[i * stride] = block[element % 4];
  }
}

static nnc_source nnc_source_of(const nnc_weight *weight, uint64_t seed) {
  nnc_source source = {NNC_FIXED, weight->a, weight->b, seed, nnc_hash(weight->name)};
  double fan_in = weight->fan_in > 0 ? (double)weight->fan_in : 1;
  double fan_out = weight->fan_out > 0 ? (double)weight->fan_out : 1;
  switch (weight->initializer) {
  case NNC_INIT_GLOROT:
    source.distribution = NNC_EVEN;
    source.b = sqrt(6 / (fan_in + fan_out));
    source.a = -source.b;
    break;
  case NNC_INIT_HE:
    source.distribution = NNC_BELL;
    source.a = sqrt(2 / fan_in);
    break;
  case NNC_INIT_UNIFORM:
    source.distribution = NNC_EVEN;
    break;
  case NNC_INIT_NORMAL:
    source.distribution = NNC_BELL;
    break;
  case NNC_INIT_ORTHOGONAL:
    source.distribution = NNC_BELL;
    source.a = 1;
    break;
  }
  return source;
}

/*--- Orthogonal matrices ---------------------------------------------------*/

typedef struct nnc_matrix {
  const float *vectors;
  int64_t rows, columns;
} nnc_matrix;

/** Copies the vectors to where they lie: the rows of a wide matrix, the columns
 * of a tall one. */
static void nnc_copy_matrix(void *data, float *storage, int64_t stride, int64_t first, int64_t length) {
  const nnc_matrix *matrix = data;
  for (int64_t i = 0; i < length; ++i) {
    int64_t element = first + i, row = element / matrix->columns, column = element % matrix->columns;
    bool is_wide = matrix->rows <= matrix->columns;
    storage[i * stride] = matrix->vectors[is_wide ? element : column * matrix->rows + row];
  }
}

static void nnc_initialize_orthogonal(nnc_model *model, const nnc_weight *weight, const nnc_source *source) {
  float *vectors = (float *)model->scratch;
  int64_t elements = nnc_weight_elements(weight), rows = weight->rank ? weight->shape[0] : 1;
  nnc_matrix matrix = {vectors, rows, elements / rows};
  bool is_wide = matrix.rows <= matrix.columns;
  nnc_fill(source, vectors, 1, 0, elements);
  nnc_make_orthonormal(model, vectors, is_wide ? matrix.rows : matrix.columns, is_wide ? matrix.columns : matrix.rows);
  nnc_weight_visit(weight, model->weights, 0, nnc_weight_rows(weight), nnc_copy_matrix, &matrix);
}

/*--- Weights ---------------------------------------------------------------*/

/** One weight, filled by many threads. */
typedef struct nnc_filling {
  nnc_source source;
  const nnc_weight *weight;
  char *weights;
  int64_t rows, rows_of_task;
} nnc_filling;

static void nnc_fill_run(void *data, float *storage, int64_t stride, int64_t first, int64_t length) {
  nnc_fill(data, storage, stride, first, length);
}

static int nnc_fill_rows(void *data, int index) {
  nnc_filling *filling = data;
  int64_t begin = index * filling->rows_of_task, end = begin + filling->rows_of_task;
  nnc_weight_visit(filling->weight, filling->weights, begin, end < filling->rows ? end : filling->rows, nnc_fill_run,
                   &filling->source);
  return 0;
}

static void nnc_initialize_weight(nnc_model *model, const nnc_weight *weight, uint64_t seed) {
  nnc_source source = nnc_source_of(weight, seed);
  if (weight->initializer == NNC_INIT_ORTHOGONAL) {
    nnc_initialize_orthogonal(model, weight, &source);
    return;
  }
  int64_t rows = nnc_weight_rows(weight), tasks = nnc_weight_elements(weight) / NNC_ELEMENTS_OF_TASK;
  tasks = tasks < 1 ? 1 : tasks > rows ? rows : tasks > INT32_MAX ? INT32_MAX : tasks;
  nnc_filling filling = {source, weight, model->weights, rows, (rows + tasks - 1) / tasks};
  tasks = (rows + filling.rows_of_task - 1) / filling.rows_of_task;
  nnc_model_parallel_for(model, nnc_fill_rows, &filling, (int)tasks);
}

void nnc_weights_initialize(nnc_model *model, uint64_t seed) {
  for (int32_t i = 0; i < model->network->weight_count; ++i)
    nnc_initialize_weight(model, &model->network->weights[i], seed);
  nnc_weights_changed(model);
}
