/*===- mlp/main.c - The smallest program around a compiled network ----------===*\
 *
 * Links libmlp, which nnc wrote from mlp.nn: loads the weights, reads 500 digits
 * that the training never saw and compares the answers with PyTorch's.
 *
 *   mlp-demo [WEIGHTS [DIGITS]]     the files, where they are not those of examples/
 *
\*===------------------------------------------------------------------------===*/

#include "digits.h"
#include "mlp.h"

#include <math.h>
#include <stdlib.h>

/** Prints what went wrong, if anything did, and says whether all is well. */
static int succeeded(nnc_status status, const char *what) {
  if (status != NNC_OK)
    fprintf(stderr, "%s: %s\n", what, nnc_status_message(status));
  return status == NNC_OK;
}

/** Reads one digit after the other; gives the number of right ones and the farthest logit from PyTorch's. */
static int readAll(nnc_context *context, const Digits *digits, const float *expected, size_t *outRight,
                   float *outFarthest) {
  *outRight = 0;
  *outFarthest = 0;
  for (size_t i = 0; i < digits->heldOutCount; ++i) {
    float x[MLP_X_SIZE], y[MLP_Y_SIZE], logits[MLP_LOGITS_SIZE];
    scaleDigit(&digits->heldOut[i], x);
    if (!succeeded(mlp_infer(context, 1, x, y, logits), "reading a digit"))
      return 0;
    *outRight += largest(y, DigitClasses) == digits->heldOut[i].label;
    for (int k = 0; k < MLP_LOGITS_SIZE; ++k) {
      float difference = fabsf(logits[k] - expected[i * MLP_LOGITS_SIZE + (size_t)k]);
      if (!(difference <= *outFarthest)) /* so that a NaN is seen */
        *outFarthest = difference;
    }
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
  float farthest = 0;
  int ok = expected && succeeded(mlp_create(NULL, &model), "making the network") &&
           succeeded(nnc_model_load(model, weights), weights) &&
           succeeded(mlp_context_create(model, 1, &context), "making room to run") &&
           readAll(context, &digits, expected, &right, &farthest);
  if (ok) {
    printf("%zu of %zu held-out digits right: %.1f %%\n", right, digits.heldOutCount,
           100.0 * (double)right / (double)digits.heldOutCount);
    printf("farthest logit from PyTorch's: %.1e\n", (double)farthest);
    ok = farthest <= 1e-4f;
  }
  mlp_context_destroy(context);
  mlp_destroy(model);
  free(expected);
  freeDigits(&digits);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
