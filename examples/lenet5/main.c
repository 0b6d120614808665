/*===- lenet5/main.c - Read handwritten digits with LeNet-5 -----------------===*\
 *
 * Links liblenet5, which nnc wrote from lenet5.nn. Loads the weights, reads 500
 * digits that the training never saw, shows those it got wrong, compares every
 * logit with PyTorch's and says how long one picture takes.
 *
 *   lenet5-demo [WEIGHTS [DIGITS]]     the files, where they are not those of examples/
 *
\*===------------------------------------------------------------------------===*/

#include "checks.h"
#include "digits.h"
#include "lenet5.h"

#include <stdlib.h>

/** How far a logit may be from PyTorch's. */
static const float Tolerance = 1e-4f;

/** Everything that the program holds, so that it is released in one place. */
typedef struct Reader {
  Digits digits;
  float *images, *answers, *logits, *expected;
  nnc_model *model;
  nnc_context *context;
} Reader;

/** Reads the digits and PyTorch's answers, and makes room for ours. */
static int loadData(Reader *reader, const char *digits) {
  if (loadDigits(digits, &reader->digits) != 0)
    return 0;
  size_t count = reader->digits.heldOutCount;
  reader->expected = readFloats(NNC_EXAMPLES_DIR "/lenet5/lenet5.logits", count * LENET5_LOGITS_SIZE);
  reader->images = malloc(count * LENET5_IMAGE_SIZE * sizeof(float));
  reader->answers = malloc(count * LENET5_DIGIT_SIZE * sizeof(float));
  reader->logits = malloc(count * LENET5_LOGITS_SIZE * sizeof(float));
  if (!reader->expected || !reader->images || !reader->answers || !reader->logits)
    return 0;
  for (size_t i = 0; i < count; ++i)
    upsampleDigit(&reader->digits.heldOut[i], reader->images + i * LENET5_IMAGE_SIZE);
  return 1;
}

/** Makes the network with its trained weights, and room to run all pictures at once. */
static int loadNetwork(Reader *reader, const char *weights) {
  if (!succeeded(lenet5_create(NULL, &reader->model), "making the network", nnc_model_error(NULL)))
    return 0;
  nnc_status status = nnc_model_load(reader->model, weights);
  if (!succeeded(status, "loading the weights", nnc_model_error(reader->model)))
    return 0;
  status = lenet5_context_create(reader->model, (int64_t)reader->digits.heldOutCount, &reader->context);
  return succeeded(status, "making room to run", nnc_model_error(reader->model));
}

/** Reads all held-out digits, shows the wrong ones and gives the share that is right. */
static int classify(Reader *reader) {
  size_t count = reader->digits.heldOutCount, right = 0;
  nnc_status status = lenet5_infer(reader->context, (int64_t)count, reader->images, reader->answers, reader->logits);
  if (!succeeded(status, "reading the digits", nnc_context_error(reader->context)))
    return 0;
  for (size_t i = 0; i < count; ++i) {
    const Digit *digit = &reader->digits.heldOut[i];
    const float *answer = reader->answers + i * LENET5_DIGIT_SIZE;
    int given = largest(answer, DigitClasses);
    if (given == digit->label) {
      ++right;
      continue;
    }
    printf("picture %zu is a %d, was read as a %d (%.0f %% sure):\n", i, digit->label, given,
           100 * (double)answer[given]);
    printDigit(stdout, digit, DigitSize, 4);
  }
  printf("%zu of %zu held-out digits right: %.1f %%\n", right, count, 100.0 * (double)right / (double)count);
  return 1;
}

/** Compares every logit with PyTorch's. */
static int compareWithPyTorch(const Reader *reader) {
  size_t count = reader->digits.heldOutCount * LENET5_LOGITS_SIZE;
  return agree("farthest logit from PyTorch's:", farthest(reader->logits, reader->expected, count), Tolerance);
}

/** Times one picture at a time: the fastest of many rounds, which other programs disturb least. */
static int measure(Reader *reader) {
  enum { Rounds = 50, Calls = 100 };
  double best = 1e9;
  float answer[LENET5_DIGIT_SIZE], logits[LENET5_LOGITS_SIZE];
  for (int round = 0; round < Rounds; ++round) {
    double start = now();
    for (int call = 0; call < Calls; ++call) {
      nnc_status status = lenet5_infer(reader->context, 1, reader->images, answer, logits);
      if (!succeeded(status, "reading one digit", nnc_context_error(reader->context)))
        return 0;
    }
    double each = (now() - start) / Calls;
    best = each < best ? each : best;
  }
  printf("one picture at a time: %.1f us each\n", 1e6 * best);
  return 1;
}

int main(int argc, char **argv) {
  const char *weights = argc > 1 ? argv[1] : NNC_EXAMPLES_DIR "/lenet5/lenet5.safetensors";
  const char *pictures = argc > 2 ? argv[2] : NNC_EXAMPLES_DIR "/digits/digits.bin";
  Reader reader = {0};
  int ok = loadData(&reader, pictures) && loadNetwork(&reader, weights) && classify(&reader) &&
           compareWithPyTorch(&reader) && measure(&reader);
  lenet5_context_destroy(reader.context);
  lenet5_destroy(reader.model);
  free(reader.logits);
  free(reader.answers);
  free(reader.images);
  free(reader.expected);
  freeDigits(&reader.digits);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
