/*===- two/main.c - Two compiled networks in one C program ------------------===*\
 *
 * Links liblenet5 and libmlp, which share one runtime: both read the held-out
 * digits, and where they disagree the surer one decides.
 *
 *   two-demo [FOLDER]     FOLDER is examples/ where it is not as it was built
 *
\*===------------------------------------------------------------------------===*/

#include "checks.h"
#include "digits.h"
#include "lenet5.h"
#include "mlp.h"

#include <stdlib.h>

/** Both networks, and how often they are right. */
typedef struct Pair {
  nnc_model *convolutional, *perceptron;
  nnc_context *convolutionalContext, *perceptronContext;
  size_t convolutionalRight, perceptronRight, surerRight, disagreements;
} Pair;

static int loadNetworks(Pair *pair, const char *folder) {
  char path[4096];
  snprintf(path, sizeof path, "%s/lenet5/lenet5.safetensors", folder);
  if (!succeeded(lenet5_create(NULL, &pair->convolutional), "making lenet5", nnc_model_error(NULL)) ||
      !succeeded(nnc_model_load(pair->convolutional, path), path, "") ||
      !succeeded(lenet5_context_create(pair->convolutional, 1, &pair->convolutionalContext), "room for lenet5",
                 nnc_model_error(pair->convolutional)))
    return 0;
  snprintf(path, sizeof path, "%s/mlp/mlp.safetensors", folder);
  return succeeded(mlp_create(NULL, &pair->perceptron), "making mlp", nnc_model_error(NULL)) &&
         succeeded(nnc_model_load(pair->perceptron, path), path, "") &&
         succeeded(mlp_context_create(pair->perceptron, 1, &pair->perceptronContext), "room for mlp",
                   nnc_model_error(pair->perceptron));
}

/** Both networks read one digit. */
static int readDigit(Pair *pair, const Digit *digit) {
  float image[LENET5_IMAGE_SIZE], x[MLP_X_SIZE];
  float first[LENET5_DIGIT_SIZE], second[MLP_Y_SIZE], logits[LENET5_LOGITS_SIZE];
  upsampleDigit(digit, image);
  scaleDigit(digit, x);
  if (!succeeded(lenet5_infer(pair->convolutionalContext, 1, image, first, logits), "running lenet5", "") ||
      !succeeded(mlp_infer(pair->perceptronContext, 1, x, second, logits), "running mlp", ""))
    return 0;
  int convolutional = largest(first, DigitClasses), perceptron = largest(second, DigitClasses);
  int surer = first[convolutional] >= second[perceptron] ? convolutional : perceptron;
  pair->disagreements += convolutional != perceptron;
  pair->convolutionalRight += convolutional == digit->label;
  pair->perceptronRight += perceptron == digit->label;
  pair->surerRight += surer == digit->label;
  return 1;
}

int main(int argc, char **argv) {
  const char *folder = argc > 1 ? argv[1] : NNC_EXAMPLES_DIR;
  char path[4096];
  snprintf(path, sizeof path, "%s/digits/digits.bin", folder);
  Digits digits;
  if (loadDigits(path, &digits) != 0)
    return EXIT_FAILURE;
  Pair pair = {0};
  int ok = loadNetworks(&pair, folder);
  for (size_t i = 0; ok && i < digits.heldOutCount; ++i)
    ok = readDigit(&pair, &digits.heldOut[i]);
  if (ok)
    printf("of %zu held-out digits lenet5 reads %zu right, mlp %zu, the surer of both %zu; they disagree on %zu\n",
           digits.heldOutCount, pair.convolutionalRight, pair.perceptronRight, pair.surerRight, pair.disagreements);
  lenet5_context_destroy(pair.convolutionalContext);
  lenet5_destroy(pair.convolutional);
  mlp_context_destroy(pair.perceptronContext);
  mlp_destroy(pair.perceptron);
  freeDigits(&digits);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
