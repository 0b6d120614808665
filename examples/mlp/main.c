/*===- mlp/main.c - The smallest program around a compiled network ----------===*\
 *
 * Links libmlp, which nnc wrote from mlp.nn: loads the weights, reads 500 digits
 * that the training never saw and compares the answers with PyTorch's.
 *
 *   mlp-demo [WEIGHTS [DIGITS]]     the files, where they are not those of examples/
 *
\*===------------------------------------------------------------------------===*/

#include "checks.h"
#include "digits.h"
#include "mlp.h"

#include <stdlib.h>

/** Reads one digit after the other; gives the number of right ones and the farthest logit from PyTorch's. */
static int readAll(nnc_context *context, const Digits *digits, const float *expected, size_t *outRight,
                   float *outFarthest) {
  *outRight = 0;
  *outFarthest = 0;
  for (size_t i = 0; i < digits->heldOutCount; ++i) {
    float x[MLP_X_SIZE], y[MLP_Y_SIZE], logits[MLP_LOGITS_SIZE];
    scaleDigit(&digits->heldOut[i], x);
    if (!succeeded(mlp_infer(context, 1, x, y, logits), "reading a digit", ""))
      return 0;
    *outRight += largest(y, DigitClasses) == digits->heldOut[i].label;
    float difference = farthest(logits, expected + i * MLP_LOGITS_SIZE, MLP_LOGITS_SIZE);
    *outFarthest = difference > *outFarthest ? difference : *outFarthest;
  }
  return 1;
}

int main(int argc, char **argv) {
  const char *weights = argc > 1 ? argv[1] : NNC_EXAMPLES_DIR "/mlp/mlp.safetensors";
  const char *pictures = argc > 2 ? argv[2] : NNC_EXAMPLES_DIR "/digits/digits.bin";
  Digits digits;
  if (loadDigits(pictures, &digits) != 0)
    return EXIT_FAILURE;
  float *expected = readFloats(NNC_EXAMPLES_DIR "/mlp/mlp.logits", digits.heldOutCount * MLP_LOGITS_SIZE);

  nnc_model *model = NULL;
  nnc_context *context = NULL;
  size_t right = 0;
  float most = 0;
  int ok = expected && succeeded(mlp_create(NULL, &model), "making the network", nnc_model_error(NULL)) &&
           succeeded(nnc_model_load(model, weights), weights, "") &&
           succeeded(mlp_context_create(model, 1, &context), "making room to run", "") &&
           readAll(context, &digits, expected, &right, &most);
  if (ok) {
    printf("%zu of %zu held-out digits right: %.1f %%\n", right, digits.heldOutCount,
           100.0 * (double)right / (double)digits.heldOutCount);
    ok = agree("farthest logit from PyTorch's:", most, 1e-4f);
  }
  mlp_context_destroy(context);
  mlp_destroy(model);
  free(expected);
  freeDigits(&digits);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
