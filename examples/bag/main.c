/*===- bag/main.c - Read digits from nothing but the set of inked pixels -----===*\
 *
 * Links libbag, which nnc wrote from bag.nn. A picture is the bag of its pixels
 * with ink; bags differ in size, and one batch takes them all. Shows that the
 * answer does not depend on the order of the items or on the other bags.
 *
 *   bag-demo [WEIGHTS [DIGITS]]     the files, where they are not those of examples/
 *
\*===------------------------------------------------------------------------===*/

#include "bag.h"
#include "checks.h"
#include "digits.h"

#include <math.h>
#include <stdlib.h>

enum { Largest = DigitPixels, Grey = 4, Dark = 12 };

/** How far a logit may be from PyTorch's, and from the same one gotten in another way. */
static const float ToPyTorch = 1e-4f, ToItself = 1e-5f;

/** Everything that the program holds, so that it is released in one place. */
typedef struct Sorter {
  Digits digits;
  size_t count;     /* of held-out pictures */
  int32_t *items;   /* [count][Largest]; only the first lengths[i] of a bag count */
  int32_t *lengths; /* [count] */
  float *y, *logits, *expected;
  nnc_model *model;
  nnc_context *context;
} Sorter;

/** Puts the pixels with ink into `items` and gives their number: p for a grey pixel p, 64 + p for a dark one. */
static int32_t fillBag(const Digit *digit, int32_t *items) {
  int32_t count = 0;
  for (int32_t p = 0; p < DigitPixels; ++p)
    if (digit->pixels[p] >= Grey)
      items[count++] = p + (digit->pixels[p] >= Dark ? DigitPixels : 0);
  for (int32_t i = count; i < Largest; ++i)
    items[i] = 0;
  return count;
}

static int loadData(Sorter *sorter, const char *digits) {
  if (loadDigits(digits, &sorter->digits) != 0)
    return 0;
  size_t count = sorter->count = sorter->digits.heldOutCount;
  sorter->expected = readFloats(NNC_EXAMPLES_DIR "/bag/bag.logits", count * BAG_LOGITS_SIZE);
  sorter->items = malloc(count * Largest * sizeof *sorter->items);
  sorter->lengths = malloc(count * sizeof *sorter->lengths);
  sorter->y = malloc(count * BAG_Y_SIZE * sizeof(float));
  sorter->logits = malloc(count * BAG_LOGITS_SIZE * sizeof(float));
  if (!sorter->expected || !sorter->items || !sorter->lengths || !sorter->y || !sorter->logits)
    return 0;
  for (size_t i = 0; i < count; ++i)
    sorter->lengths[i] = fillBag(&sorter->digits.heldOut[i], sorter->items + i * Largest);
  return 1;
}

static int loadNetwork(Sorter *sorter, const char *weights) {
  if (!succeeded(bag_create(NULL, &sorter->model), "making the network", nnc_model_error(NULL)))
    return 0;
  nnc_status status = nnc_model_load(sorter->model, weights);
  if (!succeeded(status, "loading the weights", nnc_model_error(sorter->model)))
    return 0;
  status = bag_context_create(sorter->model, (int64_t)sorter->count, Largest, &sorter->context);
  return succeeded(status, "making room to run", nnc_model_error(sorter->model));
}

/** Reads all bags in one call. */
static int readTogether(Sorter *sorter) {
  nnc_status status = bag_infer(sorter->context, (int64_t)sorter->count, Largest, sorter->lengths, sorter->items,
                                sorter->y, sorter->logits);
  if (!succeeded(status, "reading bags", nnc_context_error(sorter->context)))
    return 0;
  size_t right = 0;
  int32_t smallest = Largest, largestBag = 0;
  for (size_t i = 0; i < sorter->count; ++i) {
    right += largest(sorter->y + i * BAG_Y_SIZE, DigitClasses) == sorter->digits.heldOut[i].label;
    smallest = sorter->lengths[i] < smallest ? sorter->lengths[i] : smallest;
    largestBag = sorter->lengths[i] > largestBag ? sorter->lengths[i] : largestBag;
  }
  printf("bags of %d to %d pixels; %zu of %zu right: %.1f %%\n", smallest, largestBag, right, sorter->count,
         100.0 * (double)right / (double)sorter->count);
  return agree("farthest logit from PyTorch's:",
               farthest(sorter->logits, sorter->expected, sorter->count * BAG_LOGITS_SIZE), ToPyTorch);
}

/** Reads each bag alone, its items in the opposite order. */
static int readAloneReversed(Sorter *sorter) {
  float most = 0;
  for (size_t i = 0; i < sorter->count; ++i) {
    int32_t items[Largest], count = sorter->lengths[i];
    float y[BAG_Y_SIZE], logits[BAG_LOGITS_SIZE];
    for (int32_t k = 0; k < count; ++k)
      items[k] = sorter->items[i * Largest + (size_t)(count - 1 - k)];
    nnc_status status = bag_infer(sorter->context, 1, count, NULL, items, y, logits);
    if (!succeeded(status, "reading one bag", nnc_context_error(sorter->context)))
      return 0;
    most = fmaxf(most, farthest(logits, sorter->logits + i * BAG_LOGITS_SIZE, BAG_LOGITS_SIZE));
  }
  return agree("each alone, its items reversed, from the batch:", most, ToItself);
}

int main(int argc, char **argv) {
  const char *weights = argc > 1 ? argv[1] : NNC_EXAMPLES_DIR "/bag/bag.safetensors";
  const char *pictures = argc > 2 ? argv[2] : NNC_EXAMPLES_DIR "/digits/digits.bin";
  Sorter sorter = {0};
  int ok = loadData(&sorter, pictures) && loadNetwork(&sorter, weights) && readTogether(&sorter) &&
           readAloneReversed(&sorter);
  bag_context_destroy(sorter.context);
  bag_destroy(sorter.model);
  free(sorter.logits);
  free(sorter.y);
  free(sorter.expected);
  free(sorter.lengths);
  free(sorter.items);
  freeDigits(&sorter.digits);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
