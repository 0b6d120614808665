/*===- tagger/main.c - Guess a digit after every row of it ------------------===*\
 *
 * Links libtagger, which nnc wrote from tagger.nn. The pictures are sequences of
 * eight rows, and the network says after each which digit it looks like. Shows
 * the ways to run a recurrent network, and that they agree: whole sequences of
 * several lengths, a batch of pictures cut off at different rows, and one row
 * after the other on the context's own state.
 *
 *   tagger-demo [WEIGHTS [DIGITS]]     the files, where they are not those of examples/
 *
\*===------------------------------------------------------------------------===*/

#include "checks.h"
#include "digits.h"
#include "tagger.h"

#include <math.h>
#include <stdlib.h>

enum { Rows = DigitSize, Pixels = DigitSize, Tags = DigitClasses, Compared = 100 };

/** How far an answer may be from PyTorch's, and from the same one gotten in another way. */
static const float ToPyTorch = 1e-4f, ToItself = 1e-5f;

/** Everything that the program holds, so that it is released in one place. */
typedef struct Watcher {
  Digits digits;
  size_t count;    /* of held-out pictures */
  float *x;        /* [count][Rows][Pixels] */
  float *y;        /* [count][Rows][Tags], from whole sequences */
  float *other;    /* the same in another way */
  float *expected; /* [Compared][Rows][Tags], PyTorch's */
  nnc_model *model;
  nnc_context *context;
} Watcher;

static int loadData(Watcher *watcher, const char *digits) {
  if (loadDigits(digits, &watcher->digits) != 0)
    return 0;
  watcher->count = watcher->digits.heldOutCount;
  watcher->expected = readFloats(NNC_EXAMPLES_DIR "/tagger/tagger.answers", (size_t)Compared * Rows * Tags);
  watcher->x = malloc(watcher->count * DigitPixels * sizeof(float));
  watcher->y = malloc(watcher->count * Rows * Tags * sizeof(float));
  watcher->other = malloc(watcher->count * Rows * Tags * sizeof(float));
  if (!watcher->expected || !watcher->x || !watcher->y || !watcher->other || watcher->count < Compared)
    return 0;
  for (size_t i = 0; i < watcher->count; ++i)
    for (int p = 0; p < DigitPixels; ++p) /* grey levels in [-1, 1] */
      watcher->x[i * DigitPixels + (size_t)p] = (float)watcher->digits.heldOut[i].pixels[p] / 8 - 1;
  return 1;
}

static int loadNetwork(Watcher *watcher, const char *weights) {
  if (!succeeded(tagger_create(NULL, &watcher->model), "making the network", nnc_model_error(NULL)))
    return 0;
  nnc_status status = nnc_model_load(watcher->model, weights);
  if (!succeeded(status, "loading the weights", nnc_model_error(watcher->model)))
    return 0;
  status = tagger_context_create(watcher->model, (int64_t)watcher->count, Rows, &watcher->context);
  return succeeded(status, "making room to run", nnc_model_error(watcher->model));
}

static int infer(Watcher *watcher, size_t batch, int64_t steps, const int32_t *lengths, const float *x, float *y) {
  nnc_status status = tagger_infer(watcher->context, (int64_t)batch, steps, lengths, x, y);
  return succeeded(status, "reading pictures", nnc_context_error(watcher->context));
}

/** Reads whole pictures, and prints how the guesses get better and how one of them changes from row to row. */
static int readWhole(Watcher *watcher) {
  if (!infer(watcher, watcher->count, Rows, NULL, watcher->x, watcher->y))
    return 0;
  printf("a %d, and what it looks like after each row:\n", watcher->digits.heldOut[0].label);
  printDigit(stdout, &watcher->digits.heldOut[0], Rows, 4);
  printf("     ");
  for (size_t row = 0; row < Rows; ++row)
    printf(" %d", largest(watcher->y + row * Tags, Tags));
  printf("\nright after each row:");
  for (size_t row = 0; row < Rows; ++row) {
    size_t right = 0;
    for (size_t i = 0; i < watcher->count; ++i)
      right += largest(watcher->y + (i * Rows + row) * Tags, Tags) == watcher->digits.heldOut[i].label;
    printf(" %.1f %%", 100.0 * (double)right / (double)watcher->count);
  }
  printf("\n");
  return agree("farthest answer from PyTorch's:", farthest(watcher->y, watcher->expected, Compared * Rows * Tags),
               ToPyTorch);
}

/** Reads only the first rows of one picture at a time: T is an argument of the call. */
static int readShorter(Watcher *watcher) {
  float most = 0;
  for (size_t i = 0; i < Compared; ++i)
    for (int64_t steps = 1; steps <= Rows; steps *= 2) {
      if (!infer(watcher, 1, steps, NULL, watcher->x + i * DigitPixels, watcher->other))
        return 0;
      most = fmaxf(most, farthest(watcher->other, watcher->y + i * Rows * Tags, (size_t)steps * Tags));
    }
  return agree("1, 2, 4 and 8 rows alone, from the whole:", most, ToItself);
}

/** Reads pictures cut off after 0 to 8 rows in one batch. After a picture's end its answers are 0. */
static int readRagged(Watcher *watcher) {
  int32_t *lengths = malloc(watcher->count * sizeof *lengths);
  if (!lengths)
    return 0;
  for (size_t i = 0; i < watcher->count; ++i)
    lengths[i] = (int32_t)(i % (Rows + 1));
  int ok = infer(watcher, watcher->count, Rows, lengths, watcher->x, watcher->other);
  float most = 0;
  for (size_t i = 0; ok && i < watcher->count; ++i)
    for (size_t row = 0; row < Rows; ++row) {
      static const float nothing[Tags];
      const float *got = watcher->other + (i * Rows + row) * Tags;
      const float *wanted = row < (size_t)lengths[i] ? watcher->y + (i * Rows + row) * Tags : nothing;
      most = fmaxf(most, farthest(got, wanted, Tags));
    }
  free(lengths);
  return ok && agree("cut off at different rows, from each alone:", most, ToItself);
}

/** Reads a row of many pictures at a time, as they would come from a scanner. The context keeps what it saw. */
static int readStepByStep(Watcher *watcher) {
  float x[Compared * Pixels], y[Compared * Tags];
  float most = 0;
  if (!succeeded(tagger_reset(watcher->context), "starting anew", nnc_context_error(watcher->context)))
    return 0;
  for (size_t row = 0; row < Rows; ++row) {
    for (size_t i = 0; i < Compared; ++i)
      for (size_t p = 0; p < Pixels; ++p)
        x[i * Pixels + p] = watcher->x[(i * Rows + row) * Pixels + p];
    nnc_status status = tagger_step(watcher->context, Compared, x, y);
    if (!succeeded(status, "reading a row", nnc_context_error(watcher->context)))
      return 0;
    for (size_t i = 0; i < Compared; ++i)
      most = fmaxf(most, farthest(y + i * Tags, watcher->y + (i * Rows + row) * Tags, Tags));
  }
  return agree("one row after the other, from the whole:", most, ToItself);
}

int main(int argc, char **argv) {
  const char *weights = argc > 1 ? argv[1] : NNC_EXAMPLES_DIR "/tagger/tagger.safetensors";
  const char *pictures = argc > 2 ? argv[2] : NNC_EXAMPLES_DIR "/digits/digits.bin";
  Watcher watcher = {0};
  int ok = loadData(&watcher, pictures) && loadNetwork(&watcher, weights) && readWhole(&watcher) &&
           readShorter(&watcher) && readRagged(&watcher) && readStepByStep(&watcher);
  tagger_context_destroy(watcher.context);
  tagger_destroy(watcher.model);
  free(watcher.expected);
  free(watcher.other);
  free(watcher.y);
  free(watcher.x);
  freeDigits(&watcher.digits);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
