/*===- lenet5/train.c - Train LeNet-5 from random weights -------------------===*\
 *
 * Links liblenet5, which nnc wrote from lenet5.nn, and trains it with nothing
 * else: batches of 32 pictures, the optimizer and its rate as lenet5.nn says. After
 * each epoch it reads the 500 digits that the training never saw.
 *
 *   lenet5-train-demo [EPOCHS [WEIGHTS]]     WEIGHTS: where to save what was learned
 *
\*===------------------------------------------------------------------------===*/

#include "checks.h"
#include "digits.h"
#include "lenet5.h"

#include <stdlib.h>

enum { DefaultEpochs = 12, Batch = 32 };

/** With fewer of the held-out digits right, something is wrong. */
static const double LeastShare = 0.95;

/** Everything that the program holds, so that it is released in one place. */
typedef struct Learner {
  Digits digits;
  float *images; /* of all pictures, in the order of the file */
  int32_t *labels;
  size_t *order;
  nnc_model *model;
  nnc_context *context;
} Learner;

static int begin(Learner *learner) {
  if (loadDigits(NNC_EXAMPLES_DIR "/digits/digits.bin", &learner->digits) != 0)
    return 0;
  size_t count = learner->digits.trainCount + learner->digits.heldOutCount;
  learner->images = malloc(count * LENET5_IMAGE_SIZE * sizeof(float));
  learner->labels = malloc(count * sizeof(int32_t));
  learner->order = malloc(learner->digits.trainCount * sizeof(size_t));
  if (!learner->images || !learner->labels || !learner->order)
    return 0;
  for (size_t i = 0; i < count; ++i) {
    upsampleDigit(&learner->digits.all[i], learner->images + i * LENET5_IMAGE_SIZE);
    learner->labels[i] = learner->digits.all[i].label;
  }
  for (size_t i = 0; i < learner->digits.trainCount; ++i)
    learner->order[i] = i;
  nnc_model_options options = {.seed = 1998};
  if (!succeeded(lenet5_create(&options, &learner->model), "making the network", ""))
    return 0;
  nnc_status status = lenet5_training_create(learner->model, Batch, &learner->context);
  return succeeded(status, "making room to train", nnc_model_error(learner->model));
}

/** Brings the pictures into another order: the same one in every run. */
static void shuffle(Learner *learner) {
  static uint64_t state = 1998;
  for (size_t last = learner->digits.trainCount; last-- > 1;) {
    state = state * 6364136223846793005u + 1442695040888963407u; /* D. Knuth's MMIX */
    size_t other = (size_t)((state >> 33) % (last + 1)), kept = learner->order[last];
    learner->order[last] = learner->order[other];
    learner->order[other] = kept;
  }
}

/** One epoch; gives the mean loss. */
static int learn(Learner *learner, double *loss) {
  static float images[Batch * LENET5_IMAGE_SIZE];
  int32_t labels[Batch];
  double sum = 0;
  shuffle(learner);
  for (size_t start = 0; start < learner->digits.trainCount; start += Batch) {
    size_t left = learner->digits.trainCount - start, count = left < Batch ? left : Batch;
    for (size_t i = 0; i < count; ++i) {
      size_t picture = learner->order[start + i];
      for (size_t p = 0; p < LENET5_IMAGE_SIZE; ++p)
        images[i * LENET5_IMAGE_SIZE + p] = learner->images[picture * LENET5_IMAGE_SIZE + p];
      labels[i] = learner->labels[picture];
    }
    float mean;
    nnc_status status = lenet5_train_step(learner->context, (int64_t)count, images, labels, &mean);
    if (!succeeded(status, "learning digits", nnc_context_error(learner->context)))
      return 0;
    sum += (double)mean * (double)count;
  }
  *loss = sum / (double)learner->digits.trainCount;
  return 1;
}

/** Reads the held-out digits; gives the share that is right. */
static int test(Learner *learner, double *share) {
  float answers[Batch * LENET5_DIGIT_SIZE], logits[Batch * LENET5_LOGITS_SIZE];
  size_t right = 0, end = learner->digits.trainCount + learner->digits.heldOutCount;
  for (size_t start = learner->digits.trainCount; start < end; start += Batch) {
    size_t count = end - start < Batch ? end - start : Batch;
    nnc_status status =
        lenet5_infer(learner->context, (int64_t)count, learner->images + start * LENET5_IMAGE_SIZE, answers, logits);
    if (!succeeded(status, "reading digits", nnc_context_error(learner->context)))
      return 0;
    for (size_t i = 0; i < count; ++i)
      right += largest(answers + i * LENET5_DIGIT_SIZE, DigitClasses) == learner->labels[start + i];
  }
  *share = (double)right / (double)learner->digits.heldOutCount;
  return 1;
}

static int train(Learner *learner, long epochs) {
  double share = 0;
  for (long epoch = 0; epoch < epochs; ++epoch) {
    double loss, start = now();
    nnc_status status = nnc_training_set_epoch(learner->context, epoch);
    if (!succeeded(status, "beginning an epoch", nnc_context_error(learner->context)) || !learn(learner, &loss))
      return 0;
    double seconds = now() - start;
    if (!test(learner, &share))
      return 0;
    printf("epoch %ld: loss %.4f, %.1f %% of the held-out digits right; %.0f pictures a second\n", epoch + 1, loss,
           100 * share, (double)learner->digits.trainCount / seconds);
    fflush(stdout);
  }
  if (share >= LeastShare)
    return 1;
  fprintf(stderr, "fewer than %.0f %% right\n", 100 * LeastShare);
  return 0;
}

static int save(Learner *learner, const char *path) {
  return !path || succeeded(nnc_model_save(learner->model, path), "saving", nnc_model_error(learner->model));
}

int main(int argc, char **argv) {
  long epochs = argc > 1 ? strtol(argv[1], NULL, 10) : DefaultEpochs;
  Learner learner = {0};
  int ok = begin(&learner) && train(&learner, epochs) && save(&learner, argc > 2 ? argv[2] : NULL);
  lenet5_context_destroy(learner.context);
  lenet5_destroy(learner.model);
  free(learner.order);
  free(learner.labels);
  free(learner.images);
  freeDigits(&learner.digits);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
